//! What a neuron wants done, in order.

use std::collections::VecDeque;

use super::Output;
use crate::signal::Signal;

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
    pub(crate) fn slot(self) -> u32 {
        self.0
    }
}

/// Something that a neuron wants done.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// Carry this to the neuron that the host keeps at this place: a name would have to be copied, and looked up.
    Give { place: Place, signal: Signal },
    /// Anything else.
    Other(Output),
}

/// What a neuron wants done, in order. Between its turns a neuron of a host has only the pointer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox(Option<Box<VecDeque<Wish>>>);

impl Outbox {
    #[inline]
    pub(crate) fn push_back(&mut self, output: Output) {
        self.0.get_or_insert_default().push_back(Wish::Other(output));
    }

    #[inline]
    pub(crate) fn give(&mut self, place: Place, signal: Signal) {
        self.0.get_or_insert_default().push_back(Wish::Give { place, signal });
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Wish> {
        self.0.as_mut()?.pop_front()
    }

    /// Leaves out what is said to other neurons.
    pub(crate) fn say_nothing(&mut self) {
        if let Some(wishes) = &mut self.0 {
            wishes.retain(|wish| !matches!(wish, Wish::Give { .. } | Wish::Other(Output::Signal { .. })));
        }
    }

    /// Takes no more memory than it needs now.
    pub(crate) fn shrink(&mut self) {
        if let Some(wishes) = &mut self.0 {
            wishes.shrink_to_fit();
        }
    }

    #[cfg(feature = "actor")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|wishes| wishes.is_empty())
    }

    /// It has never held anything, or has given its memory away.
    #[cfg(feature = "actor")]
    pub(crate) fn has_no_memory(&self) -> bool {
        self.0.is_none()
    }
}
