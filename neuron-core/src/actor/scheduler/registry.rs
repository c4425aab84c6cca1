//! Which neuron has which slot, and which of their inboxes have been spilled to.
//!
//! Why: docs/decisions/0039-small-crates-on-the-fast-path.md

use std::{hash::BuildHasher as _, ops::Range};

use hashbrown::{HashTable, hash_table::Entry};
use rustc_hash::FxBuildHasher;

use crate::id::NeuronId;

/// The neurons of a host by name and by slot.
///
/// A slot is never given away again: signals of a neuron that has left may still be queued. Of two
/// neurons with one name, the later one is registered; the earlier one keeps its slot until it
/// leaves, but is not found any more.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// The slots of the registered neurons, hashed by name.
    slots: HashTable<u32>,
    /// The name of each slot, also of those that have left.
    names: Vec<NeuronId>,
    /// By slot: whether signals of this host may be in the inbox, because they could not be
    /// delivered locally. Later ones must follow them there, or they would overtake them.
    is_spilled: Vec<bool>,
    /// How many slots are marked in `is_spilled`.
    spilled: usize,
    /// `false` means that every queued signal comes from a registered neuron; `true`, that some may
    /// come from one that has left.
    has_departed: bool,
}

impl Registry {
    /// Registers a neuron and returns its slot: 0 for the first one, then 1, and so on.
    pub(super) fn register(&mut self, id: NeuronId) -> u32 {
        let slot = u32::try_from(self.names.len()).expect("no host has four billion neurons");
        let hash = hash(&id);
        self.names.push(id);
        self.is_spilled.push(false);
        let Self { slots, names, .. } = self;
        let name = |slot: &u32| &names[*slot as usize];
        match slots.entry(hash, |other| name(other) == name(&slot), |other| self::hash(name(other))) {
            Entry::Occupied(mut entry) => *entry.get_mut() = slot,
            Entry::Vacant(entry) => drop(entry.insert(slot)),
        }
        slot
    }

    /// Unregisters the neuron in this slot and returns whether it was registered; `false` means
    /// that another one has taken its name, or that it has been unregistered before.
    pub(super) fn unregister(&mut self, id: &NeuronId, slot: u32) -> bool {
        let found = self.slots.find_entry(hash(id), |other| *other == slot);
        let was_registered = found.map(|entry| entry.remove()).is_ok();
        self.has_departed |= was_registered;
        was_registered
    }

    /// Returns the slot of the neuron that is registered under this name.
    pub(super) fn lookup(&self, id: &NeuronId) -> Option<u32> {
        self.slots.find(hash(id), |slot| self.name(*slot) == id).copied()
    }

    /// Returns all slots, also those of neurons that have left.
    pub(super) fn all_slots(&self) -> Range<u32> {
        0..self.names.len() as u32
    }

    /// Returns the name of the neuron that has, or had, this slot.
    pub(super) fn name(&self, slot: u32) -> &NeuronId {
        &self.names[slot as usize]
    }

    /// Returns whether the neuron in this slot is still registered. Meant for the sender of a
    /// queued signal: usually none has left, and nothing is looked up.
    pub(super) fn is_registered(&self, slot: u32) -> bool {
        !self.has_departed || self.lookup(self.name(slot)) == Some(slot)
    }

    /// Notes that no signal is queued: from now on every sender is registered again.
    pub(super) fn forget_departed(&mut self) {
        self.has_departed = false;
    }

    /// Marks that a signal of this host goes to the inbox in this slot.
    pub(super) fn mark_spilled(&mut self, slot: u32) {
        let before = std::mem::replace(&mut self.is_spilled[slot as usize], true);
        self.spilled += usize::from(!before);
    }

    /// Marks that the inbox in this slot is empty, or gone.
    pub(super) fn mark_drained(&mut self, slot: u32) {
        let before = std::mem::replace(&mut self.is_spilled[slot as usize], false);
        self.spilled -= usize::from(before);
    }

    /// Returns whether signals of this host may be in the inbox in this slot; `None` if there is no
    /// such slot.
    pub(super) fn is_spilled(&self, slot: u32) -> Option<bool> {
        self.is_spilled.get(slot as usize).copied()
    }

    /// Returns whether signals of this host may be in any inbox.
    pub(super) fn has_spilled(&self) -> bool {
        self.spilled > 0
    }
}

/// Names come from the program's own network, so a fast hash will do.
fn hash(id: &NeuronId) -> u64 {
    FxBuildHasher.hash_one(id)
}
