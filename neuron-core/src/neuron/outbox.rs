//! What a neuron wants done, in order.

use std::collections::VecDeque;

use super::Output;

/// Where the host that runs a neuron keeps another one, as far as that is known. The neuron only keeps it for its host, which has
/// to look for the name otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    pub(crate) const UNKNOWN: Self = Self(u32::MAX);

    #[cfg(feature = "actor")]
    pub(crate) fn of(slot: u32) -> Self {
        Self(slot)
    }

    #[cfg(feature = "actor")]
    pub(crate) fn slot(self) -> Option<u32> {
        (self != Self::UNKNOWN).then_some(self.0)
    }
}

/// What a neuron wants done, in order, and where what is said is to go. Between its turns a neuron of a host has only the pointer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox(Option<Box<VecDeque<(Place, Output)>>>);

impl Outbox {
    pub(crate) fn push_back(&mut self, output: Output) {
        self.push_to(Place::UNKNOWN, output);
    }

    pub(crate) fn push_to(&mut self, place: Place, output: Output) {
        self.0.get_or_insert_default().push_back((place, output));
    }

    pub(crate) fn pop_front(&mut self) -> Option<(Place, Output)> {
        self.0.as_mut()?.pop_front()
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Output) -> bool) {
        if let Some(outputs) = &mut self.0 {
            outputs.retain(|(_, output)| keep(output));
        }
    }

    /// Takes no more memory than it needs now.
    pub(crate) fn shrink(&mut self) {
        if let Some(outputs) = &mut self.0 {
            outputs.shrink_to_fit();
        }
    }

    #[cfg(feature = "actor")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|outputs| outputs.is_empty())
    }

    /// It has never held anything, or has given its memory away.
    #[cfg(feature = "actor")]
    pub(crate) fn has_no_memory(&self) -> bool {
        self.0.is_none()
    }
}
