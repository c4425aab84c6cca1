//! Carries out what a neuron wants done.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::NeuronCell;
use crate::{
    actor::{error::HostError, scheduler::cell_context::CellContext},
    id::NeuronId,
    neuron::{LocalSlot, Output},
    signal::{Signal, SignalBody},
    store::StoreError,
    transport::Envelope,
};

impl NeuronCell {
    /// Carries out what a turn wants done, in this order:
    /// 1. saves the neuron, if any of the rest depends on that; if it fails, nothing else happens;
    /// 2. queues signals for neurons of this host whose slots are known, as far as there is
    ///    capacity;
    /// 3. all other outputs;
    /// 4. what was left of the second.
    pub(super) fn apply_outputs(&mut self, ctx: &mut CellContext) {
        if ctx.outbox.needs_save() && ctx.host.store.is_some() {
            ctx.has_saved = true;
            if let Err(error) = self.save(ctx) {
                return self.stop_unsaved(error, ctx);
            }
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
                Output::Report { to, report } => {
                    let from = self.neuron.id().clone();
                    self.egress.send(self.slot, Envelope::Report { from, to, report: Box::new(report) }, ctx);
                }
                Output::Record(record) => {
                    if let Some(to) = &ctx.host.record {
                        // The receiver may be gone.
                        let _ = to.send((self.neuron.id().clone(), record));
                    }
                }
                Output::Save => {}
            }
        }
        while let Some((to, signal)) = ctx.outbox.pop_local() {
            self.deliver(to.index(), true, signal, ctx);
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

    fn save(&self, ctx: &CellContext) -> Result<(), StoreError> {
        let Some(store) = &ctx.host.store else { return Ok(()) };
        // A panic of the store is a failure to save: a neuron that restarted would say what is not
        // saved.
        let saving = AssertUnwindSafe(|| store.save(self.neuron.id(), &self.neuron.saved()));
        catch_unwind(saving).unwrap_or_else(|_| Err(StoreError::other("the store panicked")))
    }

    /// Stops a neuron that could not be saved: what it wants to say must not be said, and nothing
    /// tells when a save would succeed.
    fn stop_unsaved(&mut self, error: StoreError, ctx: &mut CellContext) {
        ctx.host.counters.count_unsaved();
        let neuron = self.neuron.id().clone();
        let source = &error as &dyn std::error::Error;
        tracing::error!(%neuron, error = source, "cannot be saved, so it must not speak; it has stopped");
        if let Some(startup) = self.startup.take() {
            startup.fail(HostError::Save { neuron, source: error });
        }
        self.stop(ctx);
    }
}
