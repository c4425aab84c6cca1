//! How much the inputs hold, for the simulator.

use super::{InputLink, Inputs, history::MAX_PENDING, reentry::MAX_REENTERING};
use crate::neuron::{Size, stream::MAX_EARLY};

impl Inputs {
    /// Adds how many statements wait for earlier ones or for their tag, and how many levels are on
    /// their way.
    pub(crate) fn sizes(&self, sizes: &mut Vec<Size>) {
        let links = self.links.len();
        let total = |count: &dyn Fn(&InputLink) -> usize| self.links.iter().map(count).sum();
        let early = total(&|link| link.receiver.early());
        let reentering = total(&|link| link.reentry.as_ref().map_or(0, |reentry| reentry.len()));
        let waiting = total(&|link| link.history.pending());
        sizes.push(Size { what: "early statements", count: early, bound: links * MAX_EARLY });
        sizes.push(Size { what: "levels on their way", count: reentering, bound: links * MAX_REENTERING });
        sizes.push(Size { what: "statements that wait", count: waiting, bound: self.waiting_bound() });
    }

    /// Returns how many statements may wait for slower inputs.
    pub(crate) fn waiting_bound(&self) -> usize {
        self.links.len() * MAX_PENDING
    }
}
