//! What a cell uses while it runs.

use std::{rc::Rc, time::Duration};

use super::{
    context::HostContext, host_watch::HostWatch, mailboxes::LocalMailboxes, pending_saves::PendingSaves,
    pending_sends::PendingSends, ready_set::ReadySet, registry::Registry, timers::Timers,
};
use crate::{
    id::NeuronId,
    neuron::Outbox,
    tag::Time,
    transport::{Address, Sending},
};

/// The most signals that are queued locally in a small network. What comes on top goes to the inbox
/// of its receiver, which is bounded, too.
const LOCAL_CAPACITY: usize = 65_536;

/// How many signals may be queued locally for each input in a large network, so that two waves may
/// be under way all over it. A signal in an inbox is heard later, and its receiver would probe for
/// it.
const LOCAL_CAPACITY_PER_INPUT: usize = 2;

/// For how many signals memory is kept while none is queued.
const IDLE_CAPACITY: usize = 8192;

/// What a cell uses while it runs: what belongs to the host, and what belongs to the scheduler.
/// Each field keeps its own invariants; this ties them together where a decision needs more than
/// one.
pub(super) struct CellContext {
    pub(super) host: Rc<HostContext>,
    /// The local time as of the last reading of the clock; it stands still within a wave.
    pub(super) now: Time,
    /// The same, as a clock would show it that was not set since the host was started.
    pub(super) steady: Time,
    /// By how many microseconds the clock was set forward since the host was started, as far as
    /// neurons know.
    forward_micros: u64,
    pub(super) registry: Registry,
    pub(super) inboxes: ReadySet,
    pub(super) timers: Timers,
    pub(super) mailboxes: LocalMailboxes,
    /// What the neuron that runs wants done; empty between turns.
    pub(super) outbox: Outbox,
    pub(super) pending_sends: PendingSends,
    pub(super) pending_saves: PendingSaves,
    pub(super) host_watch: HostWatch,
    /// How many inputs all neurons together had that were ever registered.
    inputs: usize,
}

impl CellContext {
    /// Returns the context of a host that has no neurons yet.
    pub(super) fn new(host: Rc<HostContext>) -> Self {
        Self {
            now: host.clock.steady(),
            steady: host.clock.steady(),
            forward_micros: 0,
            host,
            registry: Registry::default(),
            inboxes: ReadySet::default(),
            timers: Timers::default(),
            mailboxes: LocalMailboxes::default(),
            outbox: Outbox::default(),
            pending_sends: PendingSends::default(),
            pending_saves: PendingSaves::default(),
            host_watch: HostWatch::default(),
            inputs: 0,
        }
    }

    /// Registers a neuron with this many inputs and returns its slot. It can answer once
    /// `expected_inputs` of them have been heard.
    pub(super) fn register(&mut self, id: NeuronId, inputs: usize, expected_inputs: usize) -> u32 {
        self.inputs += inputs;
        self.inboxes.add();
        let slot = self.registry.register(id);
        self.mailboxes.set_expected_inputs(slot, expected_inputs);
        slot
    }

    /// Reads the clock: `now` advances.
    pub(super) fn read_clock(&mut self) {
        self.steady = self.host.clock.steady();
        self.now = self.moved_forward();
    }

    fn moved_forward(&self) -> Time {
        self.steady.after(Duration::from_micros(self.forward_micros))
    }

    /// Returns by how much the clock was set forward since the last call, and moves `now` by that;
    /// zero if it was not.
    pub(super) fn take_clock_step(&mut self) -> Duration {
        let forward = self.host.clock.forward_micros();
        let by = Duration::from_micros(forward - self.forward_micros);
        self.forward_micros = forward;
        self.now = self.moved_forward();
        by
    }

    /// Returns the slot of a neuron that is registered here; `None` also if signals must not bypass
    /// the transport.
    pub(super) fn lookup_local(&self, id: &NeuronId) -> Option<u32> {
        if self.host.local_bypass { self.registry.lookup(id) } else { None }
    }

    /// Like [`lookup_local`](Self::lookup_local), but `None` while the inbox of that neuron is
    /// ready: it may have ended, because another host has taken the name over. Then it is not known
    /// which of the two has sent something. `None` also if inboxes are filled by other processes.
    pub(super) fn lookup_local_idle(&self, id: &NeuronId) -> Option<u32> {
        let slot = if self.host.local_inboxes { self.lookup_local(id) } else { None };
        slot.filter(|slot| !self.inboxes.waker(*slot).is_ready())
    }

    /// Returns whether a signal for the neuron in this slot may be queued locally now. Signals that
    /// have spilled into its inbox come first. If the sender has not `known` the slot, but looked
    /// up the name, the inbox may have ended and belong to another host: then it has to be idle.
    pub(super) fn can_deliver_locally(&self, slot: u32, known: bool) -> bool {
        self.mailboxes.len() < self.local_capacity()
            && self.registry.is_spilled(slot) == Some(false)
            && (known || !self.inboxes.is_ready(slot))
    }

    /// Returns how many signals may be queued locally for a sender to deliver one to any slot that
    /// it knows; 0 if that depends on the receiver.
    pub(super) fn unconditional_capacity(&self) -> usize {
        if self.registry.has_spilled() { 0 } else { self.local_capacity() }
    }

    /// Marks that an envelope goes through the transport. If its receiver is registered here, later
    /// signals must not overtake it.
    pub(super) fn mark_spilled(&mut self, to: &Address) {
        if let Address::Neuron(id) = to
            && let Some(slot) = self.lookup_local(id)
        {
            self.registry.mark_spilled(slot);
        }
    }

    /// Lets a send that has returned `Pending` go on until there is capacity.
    pub(super) fn wait_for_capacity(&self, slot: u32, to: Address, is_statement: bool, sending: Sending) {
        self.pending_sends.push(slot, to, is_statement, sending);
    }

    /// Starts a round of local delivery and returns how many mailboxes are not empty.
    ///
    /// If all are empty, no signal of a neuron that has left is queued any more, and the neuron is
    /// forgotten.
    pub(super) fn start_local_round(&mut self) -> usize {
        let runnable = self.mailboxes.runnable();
        if runnable == 0 {
            self.registry.forget_departed();
        }
        runnable
    }

    /// Returns memory before the scheduler parks: the last thing to run may have been a wave
    /// through a large network.
    pub(super) fn shrink(&mut self) {
        self.mailboxes.shrink_to(IDLE_CAPACITY);
    }

    fn local_capacity(&self) -> usize {
        if self.host.local_bypass { LOCAL_CAPACITY.max(LOCAL_CAPACITY_PER_INPUT * self.inputs) } else { 0 }
    }
}
