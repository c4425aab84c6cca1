//! How much controllers have asked for, for the simulator.

use super::{
    Control, carried_out::MAX_CARRIED_OUT, connection::MAX_CONNECTING, questions::MAX_QUESTIONS,
    shares::MAX_TRANSACTIONS, watchers::MAX_WATCHERS,
};
use crate::neuron::Size;

impl Control {
    /// Adds how many requests wait, and how many watches there are.
    pub(crate) fn sizes(&self, sizes: &mut Vec<Size>) {
        let Some(state) = &self.state else { return };
        let reserved = state.reservations.len() + state.preparations.len();
        sizes.push(Size { what: "questions", count: state.questions.len(), bound: MAX_QUESTIONS });
        sizes.push(Size { what: "connections that wait", count: state.connecting.len(), bound: MAX_CONNECTING });
        sizes.push(Size { what: "reservations", count: reserved, bound: MAX_TRANSACTIONS });
        sizes.push(Size { what: "answered commands", count: state.carried_out.len(), bound: MAX_CARRIED_OUT });
        sizes.push(Size { what: "watches", count: state.watchers.len(), bound: MAX_WATCHERS });
    }
}
