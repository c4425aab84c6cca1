//! Carries out what a neuron wants done.

use super::NeuronCell;
use crate::{
    actor::scheduler::cell_context::CellContext,
    id::NeuronId,
    neuron::{Input, LocalSlot, Output},
    signal::{Signal, SignalBody},
    transport::Envelope,
};

impl NeuronCell {
    /// Carries out what a turn wants done, once the neuron is saved if any of it depends on that.
    #[inline]
    pub(super) fn apply_outputs(&mut self, ctx: &mut CellContext) {
        if self.is_saving() {
            self.withhold(ctx);
        } else if self.note_ceiling(ctx) {
            // It is noted before the save: what has been saved must not be refused afterwards.
            if self.must_save_first(ctx) {
                self.withhold(ctx);
            } else {
                self.send_outputs(ctx);
            }
        }
    }

    /// Notes how far the neuron may speak. Returns whether it may; if not, it is silent by now.
    #[inline]
    fn note_ceiling(&mut self, ctx: &mut CellContext) -> bool {
        if let Some(ceiling) = ctx.host.ceiling.get()
            && let Err(error) = ceiling.cover(self.neuron.stamp_bound(), ctx.now)
        {
            self.begin_outage(error.into(), ctx);
            return false;
        }
        true
    }

    /// Carries out what a turn wants done, once it is noted how far the neuron may speak, in this
    /// order:
    /// 1. queues signals for neurons of this host whose slots are known, as far as there is
    ///    capacity;
    /// 2. all other outputs;
    /// 3. what was left of the first.
    pub(super) fn send_outputs(&mut self, ctx: &mut CellContext) {
        if let Some(startup) = &mut self.startup {
            startup.begin_check(ctx.now);
        }
        let capacity = if self.egress.has_backlog() { 0 } else { ctx.unconditional_capacity() };
        while ctx.mailboxes.len() < capacity
            && let Some((to, signal)) = ctx.outbox.pop_local()
        {
            ctx.mailboxes.push(to.index(), self.slot, signal);
        }
        while let Some(output) = ctx.outbox.pop() {
            match output {
                Output::Signal { to, signal } => self.send_signal(to, signal, ctx),
                Output::Report { to, report } => self.send_report(to, report, ctx),
                Output::Counted { position, sample } => self.note_counted(position, sample, ctx),
                Output::Record(record) => {
                    if let Some(to) = &ctx.host.record {
                        // The receiver may be gone.
                        let _ = to.send((self.neuron.id().clone(), record));
                    }
                }
                Output::Save => {}
                Output::SaveSoon => self.save_soon(ctx),
            }
        }
        while let Some((to, signal)) = ctx.outbox.pop_local() {
            self.deliver(to.index(), true, signal, ctx);
        }
    }

    /// Between turns: tells the neuron of failed sends at once, and not only in its next turn.
    pub(super) fn report_failures(&mut self, ctx: &mut CellContext) {
        while let Some(failure) = self.egress.pop_failure() {
            if failure.has_no_inbox {
                self.peer_confirmed(&failure.peer);
            }
            if failure.is_statement && !self.is_silent() {
                // The turn takes the other failures.
                self.take_turn(Input::Undelivered { to: failure.peer }, ctx);
            }
        }
    }

    /// Sends a signal to a neuron whose slot is not known: to one of this host if it is registered,
    /// else through the transport.
    // Most signals of a large network are for slots that are known.
    #[inline(never)]
    fn send_signal(&mut self, to: NeuronId, signal: Signal, ctx: &mut CellContext) {
        // It is about another incarnation than the one that runs here, if that is not the one.
        let is_fencing = matches!(signal.body, SignalBody::Fenced { .. });
        match ctx.lookup_local(&to).filter(|_| !is_fencing) {
            Some(slot) => {
                self.neuron.note_slot(&to, LocalSlot::new(slot));
                self.deliver(slot, false, signal, ctx);
            }
            None => {
                self.note_leaving(&to, &signal.body, ctx);
                let from = self.neuron.id().clone();
                self.egress.send(self.slot, Envelope::Signal { from, to, signal }, ctx);
            }
        }
    }

    /// Delivers a signal to the neuron in this slot: locally if that is possible now, else through
    /// its inbox.
    fn deliver(&mut self, slot: u32, known: bool, signal: Signal, ctx: &mut CellContext) {
        if !self.egress.has_backlog() && ctx.can_deliver_locally(slot, known) {
            return ctx.mailboxes.push(slot, self.slot, signal);
        }
        let from = self.neuron.id().clone();
        let to = ctx.registry.name(slot).clone();
        self.egress.send(self.slot, Envelope::Signal { from, to, signal }, ctx);
    }
}
