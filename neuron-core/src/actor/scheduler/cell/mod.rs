//! One neuron of a host: brings it its inputs, restarts it when it panics, and keeps its timer.
//!
//! Why: docs/decisions/0029-restart-in-place-after-a-panic.md

mod fenced;
mod home;
mod inbox;
mod outage;
mod outputs;
mod saving;

use std::panic::{AssertUnwindSafe, catch_unwind};

use outage::Outage;
use saving::Saving;

use super::{
    cell_context::CellContext,
    egress::Egress,
    pending_sends::SendCompletion,
    startup::{NewCell, Startup},
};
use crate::{
    actor::error::HostError,
    id::NeuronId,
    neuron::{Input, Neuron},
    signal::Signal,
    tag::Time,
    transport::{Envelope, Inbox},
};

/// How many queued signals a neuron receives in one turn, so that a neuron that is flooded does not
/// hold up the others.
pub(super) const MAX_BATCH: usize = 256;

/// A neuron with its inbox, its timer and its unsent envelopes.
///
/// If a turn panics, the neuron restarts in its next incarnation; the scheduler, the inbox and all
/// other neurons go on. If the restart panics as well, it stops, and the scheduler has to remove it.
/// If the neuron cannot be saved, it is silent until it can be, and then goes on in another cell.
pub(super) struct NeuronCell {
    slot: u32,
    neuron: Neuron,
    inbox: Inbox,
    /// `None` once the neuron is ready, or has failed to become ready.
    startup: Option<Startup>,
    /// The deadline of the neuron's timer; `None` if none is set.
    deadline: Option<Time>,
    egress: Egress,
    /// `None` while no save is under way.
    saving: Option<Box<Saving>>,
    /// `None` while the neuron can be saved.
    outage: Option<Box<Outage>>,
    /// The neuron is fenced, and that has been logged and counted.
    is_fencing_reported: bool,
    /// When it last went on although another incarnation had been heard, by the steady clock; `None`
    /// if it never has.
    went_on: Option<Time>,
    /// The neuron has been fenced, or cannot be saved, and its peers have not been notified yet.
    owes_down: bool,
    /// The neuron sends and receives nothing any more.
    is_stopped: bool,
}

impl NeuronCell {
    /// Returns the cell of a neuron that is registered in this slot.
    pub(super) fn new(slot: u32, NewCell { neuron, inbox, startup }: NewCell) -> Self {
        Self { startup: Some(startup), ..Self::with_neuron(slot, neuron, inbox) }
    }

    /// Returns the cell of a neuron whose start nothing waits for.
    fn with_neuron(slot: u32, neuron: Neuron, inbox: Inbox) -> Self {
        Self {
            slot,
            neuron,
            inbox,
            startup: None,
            deadline: None,
            egress: Egress::default(),
            saving: None,
            outage: None,
            is_fencing_reported: false,
            went_on: None,
            owes_down: false,
            is_stopped: false,
        }
    }

    /// Returns the name of the neuron.
    pub(super) fn id(&self) -> &NeuronId {
        self.neuron.id()
    }

    /// Returns the number of the neuron's incarnation.
    pub(super) fn incarnation(&self) -> u32 {
        self.neuron.incarnation().number
    }

    /// Returns the neurons that this one hears, or that hear it.
    pub(super) fn peers(&self) -> Vec<NeuronId> {
        self.neuron.peers().cloned().collect()
    }

    /// Returns whether the cell has stopped and has to be removed.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Returns whether the neuron has fallen silent since the last call, because it was fenced or
    /// could not be saved, so that its peers have to be notified.
    pub(super) fn take_silenced(&mut self) -> bool {
        std::mem::take(&mut self.owes_down)
    }

    /// Reads some of the memory that receiving `signal` will need. The result has no meaning; it is
    /// to be used, or the compiler would leave the reads out.
    pub(super) fn prefetch(&self, signal: &Signal) -> u64 {
        self.neuron.prefetch(signal) ^ u64::from(self.is_stopped)
    }

    /// Gives the neuron an input in a turn of its own.
    pub(super) fn handle(&mut self, input: Input, ctx: &mut CellContext) {
        if let Input::Signal { from, .. } = &input {
            self.peer_confirmed(from);
        }
        self.take_input(input, ctx);
    }

    /// Gives the neuron an input that confirms nothing.
    fn take_input(&mut self, input: Input, ctx: &mut CellContext) {
        if self.outage.is_some() {
            if let Input::Request { from, request } = input {
                self.refuse_unsaved(from, &request, ctx);
            }
        } else if !self.is_stopped {
            self.supervise(ctx, |cell, ctx| cell.take_turn(input, ctx));
        }
    }

    /// Runs the neuron because its timer, which the scheduler has removed, has fired.
    pub(super) fn fire_timer(&mut self, ctx: &mut CellContext) {
        self.deadline = None;
        if self.retry_save(ctx) {
            return;
        }
        if let Some(startup) = &mut self.startup {
            startup.end_overdue_check(ctx.now);
        }
        self.handle(Input::Wake, ctx);
    }

    /// Gives the neuron the signals of its local mailbox, in one turn and at most [`MAX_BATCH`].
    /// Returns how many that were.
    #[inline]
    pub(super) fn run_local(&mut self, ctx: &mut CellContext) -> usize {
        let mut count = 0;
        if self.is_silent() {
            while ctx.mailboxes.pop(self.slot).is_some() {
                count += 1;
            }
            return count;
        }
        self.supervise(ctx, |cell, ctx| {
            cell.with_turn(ctx, |cell, ctx| {
                cell.neuron.begin_batch(ctx.now, &mut ctx.outbox);
                while count < MAX_BATCH
                    && let Some((from_slot, signal)) = ctx.mailboxes.pop(cell.slot)
                {
                    count += 1;
                    cell.receive_one(from_slot, signal, ctx);
                    if ctx.mailboxes.has_signals(cell.slot) {
                        cell.neuron.evaluate_early(ctx.now, &mut ctx.outbox);
                    }
                }
                cell.neuron.end_batch(ctx.now, &mut ctx.outbox);
            });
        });
        count
    }

    /// Notifies the neuron that a peer has left this host.
    pub(super) fn peer_down(&mut self, peer: &NeuronId, ctx: &mut CellContext) {
        if !self.is_silent() {
            self.supervise(ctx, |cell, ctx| {
                cell.with_turn(ctx, |cell, ctx| cell.neuron.peer_down(peer, ctx.now, &mut ctx.outbox));
            });
        }
    }

    /// Goes on with the envelopes that follow one which has waited for capacity.
    pub(super) fn on_capacity(&mut self, completion: SendCompletion, ctx: &mut CellContext) {
        if !self.is_stopped {
            self.supervise(ctx, |cell, ctx| {
                cell.egress.on_capacity(completion, ctx);
                cell.report_failures(ctx);
            });
        }
    }

    /// Sends an envelope of an earlier turn, which could not be delivered locally.
    pub(super) fn resend(&mut self, envelope: Envelope, ctx: &mut CellContext) {
        if self.is_silent() {
            return;
        }
        self.supervise(ctx, |cell, ctx| {
            cell.egress.send(cell.slot, envelope, ctx);
            cell.report_failures(ctx);
        });
    }

    /// Ends the cell: removes its timer, and fails its startup if it is not ready.
    pub(super) fn close(self, ctx: &mut CellContext) {
        ctx.timers.clear(self.slot, self.deadline);
        if let Some(startup) = self.startup {
            startup.fail(HostError::Ended { neuron: self.neuron.id().clone() });
        }
    }

    #[inline]
    fn receive_one(&mut self, from_slot: u32, signal: Signal, ctx: &mut CellContext) {
        let from = ctx.registry.name(from_slot);
        self.peer_confirmed(from);
        let is_registered = ctx.registry.is_registered(from_slot);
        self.neuron.receive_in_batch(from, signal, is_registered, ctx.now, &mut ctx.outbox);
    }

    /// Runs `attempt`. If it panics, restarts the neuron; if that panics as well, stops it.
    fn supervise(&mut self, ctx: &mut CellContext, attempt: impl FnOnce(&mut Self, &mut CellContext)) {
        debug_assert!(ctx.outbox.is_empty(), "an earlier turn has left outputs");
        if catch_unwind(AssertUnwindSafe(|| attempt(self, ctx))).is_ok() {
            return;
        }
        ctx.host.counters.count_panic();
        if self.is_silent() {
            ctx.host.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "panicked while it was silent; it has stopped");
            return self.stop(ctx);
        }
        tracing::error!(neuron = %self.neuron.id(), "panicked; it restarts with its configuration");
        let restart = AssertUnwindSafe(|| {
            // Reports are still true. Signals of the old incarnation are not sent any more, and
            // what became of those that were does not matter.
            self.egress.discard_signals();
            ctx.outbox.discard_signals();
            self.saving.iter_mut().for_each(|saving| saving.discard_signals());
            while let Some(failure) = self.egress.pop_failure() {
                if failure.has_no_inbox {
                    self.peer_confirmed(&failure.peer);
                }
            }
            self.neuron.restart_with(ctx.now, &mut ctx.outbox);
            self.take_turn(Input::Wake, ctx);
        });
        if catch_unwind(restart).is_err() {
            ctx.host.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "panicked again while it restarted; it has stopped");
            self.stop(ctx);
        }
    }

    fn take_turn(&mut self, input: Input, ctx: &mut CellContext) {
        self.with_turn(ctx, |cell, ctx| cell.neuron.handle_with(input, ctx.now, &mut ctx.outbox));
    }

    /// Runs `turn` and carries out what the neuron wants, until it wants nothing more.
    fn with_turn(&mut self, ctx: &mut CellContext, turn: impl FnOnce(&mut Self, &mut CellContext)) {
        if let Some(ceiling) = ctx.host.ceiling.get() {
            self.neuron.allow(ceiling.saved());
        }
        turn(self, ctx);
        self.apply_outputs(ctx);
        while let Some(failure) = self.egress.pop_failure() {
            if failure.has_no_inbox {
                self.peer_confirmed(&failure.peer);
            }
            if failure.is_statement && !self.is_silent() {
                self.neuron.handle_with(Input::Undelivered { to: failure.peer }, ctx.now, &mut ctx.outbox);
                self.apply_outputs(ctx);
            }
        }
        if self.is_silent() {
            return;
        }
        if self.neuron.fenced_by().is_some() {
            return self.end_fenced_turn(ctx);
        }
        if self.startup.is_some() {
            self.check_readiness();
        }
        self.set_timer(ctx);
    }

    /// Stops the neuron: discards what it has not sent.
    fn stop(&mut self, ctx: &mut CellContext) {
        self.is_stopped = true;
        self.egress.clear();
        self.saving = None;
        self.outage = None;
        ctx.outbox.clear();
    }

    fn check_readiness(&mut self) {
        if self.neuron.is_ready()
            && self.saving.is_none()
            && let Some(startup) = self.startup.take_if(|startup| startup.is_confirmed())
        {
            startup.mark_ready();
        }
    }

    fn peer_confirmed(&mut self, peer: &NeuronId) {
        if let Some(startup) = &mut self.startup {
            startup.peer_confirmed(peer);
        }
    }

    /// Sets the timer to when the neuron wants to be woken. A timer that fires too early is left:
    /// one turn for nothing is cheaper than a new timer with each message.
    fn set_timer(&mut self, ctx: &mut CellContext) {
        let fencing = self.startup.as_ref().and_then(Startup::deadline);
        let Some(deadline) = self.neuron.wake_at().into_iter().chain(fencing).min() else { return };
        if self.deadline.is_none_or(|set| deadline < set) {
            ctx.timers.set(self.slot, self.deadline, deadline);
            self.deadline = Some(deadline);
        }
    }
}
