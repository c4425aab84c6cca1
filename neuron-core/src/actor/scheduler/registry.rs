//! What the neurons of one host have between them: what they say to each other, and when each wants to be woken.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::BuildHasher as _,
    panic::AssertUnwindSafe,
    pin::Pin,
    rc::Rc,
    sync::Arc,
};

use futures_util::{FutureExt as _, stream::FuturesUnordered};
use hashbrown::{HashTable, hash_table::Entry};
use rustc_hash::FxBuildHasher;

use super::{
    context::HostContext,
    mailboxes::LocalMailboxes,
    ready_set::{InboxWaker, ReadySet},
};
use crate::{
    id::NeuronId,
    neuron::Outbox,
    tag::Time,
    transport::{Address, Sending, TransportError, TransportErrorKind},
};

/// The most inputs that wait at hand, in a small network. What comes on top goes to the inbox of its receiver, which is bounded, too.
const AT_HAND: usize = 65_536;
/// And how many for each connection in a large one: two waves may be under way all over it. What goes to inboxes instead takes
/// its time, and whoever waits for it would ask where it is.
const AT_HAND_EACH: usize = 2;

/// For how many inputs memory is kept while nobody has anything to say.
const KEPT: usize = 8192;

/// An envelope has been handed over that there was no room for before.
pub(in crate::actor) struct SendCompletion {
    /// Whose it was.
    pub(in crate::actor) slot: u32,
    pub(in crate::actor) to: Address,
    pub(in crate::actor) statement: bool,
    pub(in crate::actor) result: Result<(), TransportError>,
}

/// The ctx of a host.
pub(in crate::actor) struct CellContext {
    pub(in crate::actor) shared: Rc<HostContext>,
    /// What the clock has shown last.
    pub(in crate::actor) now: Time,
    /// The slots of those who work here, found by their names.
    slots: HashTable<u32>,
    /// Who has, or had, which slot.
    names: Vec<NeuronId>,
    /// The bells of their inboxes, by slot,
    inboxes: Vec<Arc<InboxWaker>>,
    /// whether something of those who work here is in one of them, or may be,
    spilled: Vec<bool>,
    /// of how many of them that is so,
    spilled_count: usize,
    /// all of them,
    pub(in crate::actor) bells: Arc<ReadySet>,
    /// and those that were ready when this round began.
    pub(in crate::actor) ready: VecDeque<u32>,
    /// Somebody has left, of whom something may be at hand.
    some_have_left: bool,
    /// How many inputs those had who came.
    connections: usize,
    /// For what the one whose turn it is wants done, with what they all give to each other. In its turn that one has it.
    pub(in crate::actor) outbox: Outbox,
    /// Somebody has had something saved, which may have taken its time.
    pub(in crate::actor) has_saved: bool,
    /// Who is to be woken when.
    timers: BTreeSet<(Time, u32)>,
    /// Envelopes whose receivers have no room for them.
    pub(in crate::actor) backlog: FuturesUnordered<Pin<Box<dyn Future<Output = SendCompletion>>>>,
}

impl CellContext {
    pub(in crate::actor) fn new(shared: Rc<HostContext>) -> Self {
        Self {
            now: shared.clock.now(),
            shared,
            slots: HashTable::new(),
            names: Vec::new(),
            inboxes: Vec::new(),
            spilled: Vec::new(),
            spilled_count: 0,
            bells: Arc::default(),
            ready: VecDeque::new(),
            some_have_left: false,
            connections: 0,
            outbox: Outbox::default(),
            has_saved: false,
            timers: BTreeSet::new(),
            backlog: FuturesUnordered::new(),
        }
    }

    /// Somebody takes the next place. One of the same name who has one already gets nothing at hand from now on.
    pub(in crate::actor) fn register(&mut self, id: NeuronId, slot: u32, bell: Arc<InboxWaker>, inputs: usize) {
        self.connections += inputs;
        self.inboxes.push(bell);
        self.spilled.push(false);
        let hash = hash(&id);
        self.names.push(id);
        let Self { slots, names, .. } = self;
        let name = |slot: &u32| &names[*slot as usize];
        match slots.entry(hash, |other| name(other) == name(&slot), |other| self::hash(name(other))) {
            Entry::Occupied(mut place) => *place.get_mut() = slot,
            Entry::Vacant(place) => drop(place.insert(slot)),
        }
    }

    /// Somebody leaves their place. Tells whether they had it.
    pub(in crate::actor) fn unregister(&mut self, id: &NeuronId, slot: u32) -> bool {
        let found = self.slots.find_entry(hash(id), |other| *other == slot);
        let had_it = found.map(|place| place.remove()).is_ok();
        self.some_have_left |= had_it;
        had_it
    }

    /// Whether whoever said something that is at hand is still here.
    pub(in crate::actor) fn is_registered(&self, slot: u32) -> bool {
        !self.some_have_left || self.find(self.name(slot)) == Some(slot)
    }

    /// Who has, or had, this slot.
    pub(in crate::actor) fn name(&self, slot: u32) -> &NeuronId {
        &self.names[slot as usize]
    }

    /// The bell of the inbox in this slot.
    pub(in crate::actor) fn bell(&self, slot: u32) -> &Arc<InboxWaker> {
        &self.inboxes[slot as usize]
    }

    pub(in crate::actor) fn find(&self, id: &NeuronId) -> Option<u32> {
        self.slots.find(hash(id), |slot| self.name(*slot) == id).copied()
    }

    /// Whether something can be given from hand to hand to whoever has, or had, this slot. If somebody here has put something into
    /// the inbox, that comes first. If it is not `known` that this is who it is for, the inbox may have been closed, and be
    /// somebody else's now: then nothing at all may be in it.
    ///
    /// `at_hand` is how much is.
    pub(in crate::actor) fn may_give(&self, slot: u32, known: bool, at_hand: usize) -> bool {
        at_hand < self.room() && self.spilled.get(slot as usize) == Some(&false) && (known || !self.is_ready(slot))
    }

    /// Whether there may be something in the inbox in this slot.
    pub(in crate::actor) fn is_ready(&self, slot: u32) -> bool {
        // While no bell is ready at all, which is usual, the one in question need not be looked at.
        !(self.ready.is_empty() && self.bells.is_empty())
            && self.inboxes.get(slot as usize).is_some_and(|bell| bell.is_ready())
    }

    /// How much may be at hand.
    fn room(&self) -> usize {
        if self.shared.is_direct { AT_HAND.max(AT_HAND_EACH * self.connections) } else { 0 }
    }

    /// How much may be at hand for somebody to give to all whose places it knows; none if that depends on who it is for.
    pub(in crate::actor) fn room_by_hand(&self) -> usize {
        if self.spilled_count == 0 { self.room() } else { 0 }
    }

    /// Something goes to an inbox. If that is one here, it could not be given from hand to hand.
    pub(in crate::actor) fn mark_spilled(&mut self, to: &Address) {
        let Address::Neuron(id) = to else { return };
        let Some(slot) = self.lookup_local(id) else { return };
        let before = std::mem::replace(&mut self.spilled[slot as usize], true);
        self.spilled_count += usize::from(!before);
    }

    /// Everything in the inbox in this slot has been read, or it is there no more.
    pub(in crate::actor) fn is_read(&mut self, slot: u32) {
        let before = std::mem::replace(&mut self.spilled[slot as usize], false);
        self.spilled_count -= usize::from(before);
    }

    /// The slot of this neuron, if it is run here and things go from hand to hand at all.
    pub(in crate::actor) fn lookup_local(&self, id: &NeuronId) -> Option<u32> {
        if self.shared.is_direct { self.find(id) } else { None }
    }

    /// The slot of this neuron, if it is run here. If its bell is ready, it may just be taken over by another host, so it cannot
    /// be told.
    pub(in crate::actor) fn lookup_local_idle(&self, id: &NeuronId) -> Option<u32> {
        let is_quiet = |slot: &u32| self.inboxes.get(*slot as usize).is_some_and(|bell| !bell.is_ready());
        self.lookup_local(id).filter(is_quiet)
    }

    /// Time goes on.
    pub(in crate::actor) fn read_clock(&mut self) {
        self.now = self.shared.clock.now();
    }

    /// How many have something at hand that is theirs to hear.
    pub(in crate::actor) fn runnable(&mut self) -> usize {
        let runnable = self.outbox.see_hand().map_or(0, LocalMailboxes::runnable);
        // Nothing of those who have left is at hand any more.
        self.some_have_left &= runnable > 0;
        runnable
    }

    /// There is nothing to do: what was at hand last may have been a wave through a large network.
    pub(in crate::actor) fn rest(&mut self) {
        self.outbox.hand().shrink_to(KEPT);
    }

    /// Hands over an envelope as soon as there is room.
    pub(in crate::actor) fn wait_for_room(&self, slot: u32, to: Address, statement: bool, sending: Sending) {
        self.backlog.push(Box::pin(async move {
            // A transport that panics has not handed anything over.
            let result = AssertUnwindSafe(sending).catch_unwind().await;
            let result = result.unwrap_or_else(|_| Err(TransportErrorKind::Closed.into()));
            SendCompletion { slot, to, statement, result }
        }));
    }

    /// Sets an deadline, in the place of another one.
    pub(in crate::actor) fn set_timer(&mut self, slot: u32, before: Option<Time>, at: Time) {
        self.clear_timer(slot, before);
        self.timers.insert((at, slot));
    }

    pub(in crate::actor) fn clear_timer(&mut self, slot: u32, at: Option<Time>) {
        if let Some(at) = at {
            self.timers.remove(&(at, slot));
        }
    }

    /// The next deadline that is due.
    pub(in crate::actor) fn pop_due(&mut self) -> Option<u32> {
        self.next_deadline().filter(|at| *at <= self.now)?;
        self.timers.pop_first().map(|(_, slot)| slot)
    }

    /// When the next deadline is due.
    pub(in crate::actor) fn next_deadline(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }
}

/// Names come from the program's own network, so a fast hash will do.
fn hash(id: &NeuronId) -> u64 {
    FxBuildHasher.hash_one(id)
}
