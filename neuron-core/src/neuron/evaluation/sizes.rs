//! How much the evaluation holds, for the simulator.

use super::{Evaluation, MAX_NULL_WAVES, event_queue::MAX_EVENTS};
use crate::neuron::Size;

impl Evaluation {
    /// Adds how many tags and events wait. Inputs may state at most `statements` tags, and those
    /// that have left have left some; beside the events that others ask for there are a few that
    /// follow from the rules.
    pub(crate) fn sizes(&self, statements: usize, sizes: &mut Vec<Size>) {
        let (waves, own) = self.events.lens();
        sizes.push(Size { what: "tags of waves", count: waves, bound: statements + MAX_EVENTS });
        sizes.push(Size { what: "own events", count: own, bound: MAX_EVENTS * 2 });
        sizes.push(Size { what: "waves to pass on", count: self.null_waves.len(), bound: MAX_NULL_WAVES });
    }
}
