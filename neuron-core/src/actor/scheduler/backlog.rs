//! Envelopes that wait for capacity at their receivers.
//!
//! Why: docs/decisions/0031-a-full-inbox-blocks-only-its-senders.md

use std::collections::{BTreeMap, VecDeque};

use crate::transport::{Address, Envelope};

/// One FIFO of envelopes for each receiver without capacity. A receiver has a queue, which may be
/// empty, while a send to it is pending.
///
/// Hardly any neuron ever has one, so an empty backlog is a null pointer. A backlog with a queue is
/// not empty, even if the queue is.
#[derive(Debug, Default)]
pub(super) struct Backlog(Option<Box<Queues>>);

#[derive(Debug, Default)]
struct Queues(BTreeMap<Address, VecDeque<Envelope>>);

impl Backlog {
    /// Returns whether no receiver has a queue.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Gives a receiver this queue, in place of the one that it has.
    pub(super) fn insert(&mut self, to: Address, envelopes: VecDeque<Envelope>) {
        self.0.get_or_insert_default().0.insert(to, envelopes);
    }

    /// Returns the queue of a receiver; `None` means that a send to it would not have to wait.
    pub(super) fn get_mut(&mut self, to: &Address) -> Option<&mut VecDeque<Envelope>> {
        self.0.as_mut()?.0.get_mut(to)
    }

    /// Removes all signals and keeps the order of the rest. No receiver loses its queue.
    pub(super) fn discard_signals(&mut self) {
        for queue in self.0.iter_mut().flat_map(|queues| queues.0.values_mut()) {
            queue.retain(|envelope| !matches!(envelope, Envelope::Signal { .. }));
        }
    }

    /// Removes the queue of a receiver and returns it.
    pub(super) fn remove(&mut self, to: &Address) -> Option<VecDeque<Envelope>> {
        let removed = self.0.as_mut()?.0.remove(to);
        self.0.take_if(|queues| queues.0.is_empty());
        removed
    }

    /// Removes all queues.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}
