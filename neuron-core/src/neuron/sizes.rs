//! How much a neuron holds of what messages can make it hold, and how much it may.

use super::Neuron;

/// How many items a collection holds, and how many it may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) what: &'static str,
    pub(crate) count: usize,
    pub(crate) bound: usize,
}

impl Neuron {
    /// Returns the sizes of all collections that messages of others can fill. At most `listeners`
    /// neurons may subscribe.
    pub(crate) fn sizes(&self, listeners: usize) -> Vec<Size> {
        let mut sizes = Vec::new();
        self.parts.subscribers.sizes(listeners, &mut sizes);
        self.parts.inputs.sizes(&mut sizes);
        self.parts.evaluation.sizes(self.parts.inputs.waiting_bound(), &mut sizes);
        self.parts.control.sizes(&mut sizes);
        sizes
    }
}
