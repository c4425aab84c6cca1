//! What a host keeps for the controllers that watch all of its neurons.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use crate::{
    collections::Holders,
    command::{HostChange, HostChanges, HostPosition, MAX_LISTED, Refusal, WatchPosition},
    id::{ControllerId, HostId, NeuronId},
    neuron::WATCH_LEASE,
    tag::Time,
};

/// The most watches of one host.
const MAX_WATCHERS: usize = 64;

/// How many neurons that have gone are listed. If there are more, the host begins to count anew.
const MAX_GONE: usize = 1024;

/// The watches of a host, and which of its neurons changed last.
///
/// Neurons are named by their slots, which are never given away again. They are taken in a few with
/// each request: see [`next_new`](Self::next_new). While nothing watches, nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct HostWatchers {
    watchers: Vec<Watcher>,
    position: HostPosition,
    /// By slot: the neurons that have been taken in.
    neurons: HashMap<u32, Counted>,
    /// Their slots by when they changed last.
    by_counter: BTreeMap<u64, u32>,
    /// How many of them have gone.
    gone: usize,
    /// All slots below this one have been taken in.
    taken_in: u32,
}

/// A controller that is told each change of any neuron.
#[derive(Debug)]
struct Watcher {
    controller: ControllerId,
    /// The number of the watch.
    watch: u64,
    expires: Time,
}

/// A neuron that has been taken in.
#[derive(Debug)]
struct Counted {
    /// What the host had counted when the neuron changed, came or went last.
    counter: u64,
    /// `None` once it has gone.
    position: Option<WatchPosition>,
}

impl HostWatchers {
    /// Renews a watch, or begins it. `life` is the [life](Self::life) that begins with it if there
    /// is none.
    ///
    /// # Errors
    /// [`Refusal::TooMany`] if there is no room for another watch.
    pub(crate) fn renew(
        &mut self,
        controller: &ControllerId,
        watch: u64,
        now: Time,
        life: impl FnOnce() -> u64,
    ) -> Result<(), Refusal> {
        self.expire(now);
        let expires = now.after(WATCH_LEASE);
        let known = self.watchers.iter_mut().find(|known| known.watch == watch && known.controller == *controller);
        if let Some(known) = known {
            known.expires = expires;
            return Ok(());
        }
        if self.watchers.len() >= MAX_WATCHERS && !self.make_room_for(controller) {
            return Err(Refusal::TooMany("watches of a host".to_owned()));
        }
        self.life(life);
        self.watchers.push(Watcher { controller: controller.clone(), watch, expires });
        Ok(())
    }

    /// Returns the life in which the host counts changes; it begins with `new`, a random number, if
    /// there is none.
    pub(crate) fn life(&mut self, new: impl FnOnce() -> u64) -> u64 {
        if self.position.life == 0 {
            self.begin(new().max(1));
        }
        self.position.life
    }

    /// Ends the newest watch of the controller that has the most, if that has more than this one.
    /// Returns whether there is room now.
    fn make_room_for(&mut self, controller: &ControllerId) -> bool {
        let holders: Holders<_> = self.watchers.iter().map(|watcher| &watcher.controller).collect();
        let Some(largest) = holders.gives_way_to(controller) else { return false };
        let newest = self.watchers.iter().rposition(|watcher| watcher.controller == *largest);
        newest.map(|index| self.watchers.remove(index)).is_some()
    }

    /// Ends a watch; nothing happens if there is none.
    pub(crate) fn remove(&mut self, controller: &ControllerId, watch: u64) {
        self.watchers.retain(|known| known.watch != watch || known.controller != *controller);
        self.clear_unwatched();
    }

    /// Returns the next slot below `end` whose neuron is to be [taken in](Self::take_in), if there
    /// is one there; `None` if there is none.
    pub(crate) fn next_new(&mut self, end: u32) -> Option<u32> {
        let slot = self.taken_in;
        (slot < end).then(|| {
            self.taken_in += 1;
            slot
        })
    }

    /// Returns whether the neuron in a slot has been taken in.
    pub(crate) fn has(&self, slot: u32) -> bool {
        self.neurons.get(&slot).is_some_and(|counted| counted.position.is_some())
    }

    /// Takes in the neuron in a slot, or notes that it has counted a change.
    pub(crate) fn take_in(&mut self, slot: u32, position: WatchPosition) {
        self.note(slot, Some(position));
    }

    /// Notes that a neuron has counted a change, and returns which watches are to be told, each
    /// with its controller. `None` if nothing watches any more: the neuron need not say so again.
    pub(crate) fn on_change(
        &mut self,
        slot: u32,
        position: WatchPosition,
        now: Time,
    ) -> Option<impl Iterator<Item = (&ControllerId, u64)>> {
        self.expire(now);
        if self.watchers.is_empty() {
            return None;
        }
        // What is told late of a neuron that has gone does not bring it back.
        if self.neurons.get(&slot).is_none_or(|counted| counted.position.is_some()) {
            self.note(slot, Some(position));
        }
        Some(self.watchers.iter().map(|watcher| (&watcher.controller, watcher.watch)))
    }

    /// Notes that a neuron has gone. `is_replaced` means that another one of its name has come
    /// before.
    pub(crate) fn on_gone(&mut self, slot: u32, is_replaced: bool) {
        let Some(counted) = self.neurons.get(&slot).filter(|counted| counted.position.is_some()) else { return };
        if is_replaced {
            self.by_counter.remove(&counted.counter);
            self.neurons.remove(&slot);
            return;
        }
        self.note(slot, None);
        self.gone += 1;
        if self.gone > MAX_GONE {
            self.begin(self.position.life.wrapping_add(1).max(1));
        }
    }

    /// Lists what has changed since `known`. `name` returns the name of a neuron, and `end` is the
    /// number of slots.
    pub(crate) fn changes(
        &self,
        watch: u64,
        host: HostId,
        known: HostPosition,
        end: u32,
        name: impl Fn(u32) -> NeuronId,
    ) -> HostChanges {
        let is_known = known.life == self.position.life && known.counter <= self.position.counter;
        let after = if is_known { known.counter } else { 0 };
        let mut counter = self.position.counter;
        let mut changed = Vec::new();
        for (at, slot) in self.by_counter.range((Bound::Excluded(after), Bound::Unbounded)) {
            if changed.len() == MAX_LISTED {
                break;
            }
            let position = self.neurons.get(slot).and_then(|counted| counted.position);
            changed.push(HostChange { neuron: name(*slot), position });
            counter = *at;
        }
        if changed.len() < MAX_LISTED {
            counter = self.position.counter;
        }
        let position = HostPosition { counter, ..self.position };
        let latest = (self.taken_in >= end).then_some(self.position.counter);
        HostChanges { watch, host, position, latest, changed }
    }

    fn note(&mut self, slot: u32, position: Option<WatchPosition>) {
        self.position.counter += 1;
        let counter = self.position.counter;
        if let Some(before) = self.neurons.insert(slot, Counted { counter, position }) {
            self.by_counter.remove(&before.counter);
        }
        self.by_counter.insert(counter, slot);
    }

    /// Begins to count anew; all neurons are to be taken in again.
    fn begin(&mut self, life: u64) {
        self.position = HostPosition { life, counter: 0 };
        self.neurons.clear();
        self.by_counter.clear();
        self.gone = 0;
        self.taken_in = 0;
    }

    fn expire(&mut self, now: Time) {
        self.watchers.retain(|watcher| watcher.expires > now);
        self.clear_unwatched();
    }

    /// Keeps nothing if nothing watches any more.
    fn clear_unwatched(&mut self) {
        if self.watchers.is_empty() && self.taken_in > 0 {
            *self = Self::default();
        }
    }
}
