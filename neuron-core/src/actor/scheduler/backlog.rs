//! What waits for room at its receivers.

use std::collections::{BTreeMap, VecDeque};

use crate::transport::{Address, Envelope};

/// For each receiver without room, the envelopes that wait for it. Hardly any neuron ever has one: then it takes the room of a pointer.
///
/// As long as it is there it is not empty.
#[derive(Debug, Default)]
pub(in crate::actor) struct Backlog(Option<Box<Queues>>);

#[derive(Debug, Default)]
struct Queues(BTreeMap<Address, VecDeque<Envelope>>);

impl Backlog {
    /// Whether nothing waits for anybody.
    pub(in crate::actor) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(in crate::actor) fn insert(&mut self, to: Address, envelopes: VecDeque<Envelope>) {
        self.0.get_or_insert_default().0.insert(to, envelopes);
    }

    pub(in crate::actor) fn get_mut(&mut self, to: &Address) -> Option<&mut VecDeque<Envelope>> {
        self.0.as_mut()?.0.get_mut(to)
    }

    pub(in crate::actor) fn values_mut(&mut self) -> impl Iterator<Item = &mut VecDeque<Envelope>> {
        self.0.iter_mut().flat_map(|queues| queues.0.values_mut())
    }

    pub(in crate::actor) fn remove(&mut self, to: &Address) -> Option<VecDeque<Envelope>> {
        let removed = self.0.as_mut()?.0.remove(to);
        self.0.take_if(|queues| queues.0.is_empty());
        removed
    }

    pub(in crate::actor) fn clear(&mut self) {
        self.0 = None;
    }
}
