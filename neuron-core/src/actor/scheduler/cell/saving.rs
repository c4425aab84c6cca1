//! What a neuron wants done, and must not do before it is saved.

use super::NeuronCell;
use crate::{
    actor::{
        error::HostError,
        scheduler::{cell_context::CellContext, pending_saves::SaveCompletion},
    },
    neuron::Outbox,
    store::StoreError,
};

/// A save that is under way, and what waits for it. The neuron goes on meanwhile, and all that it
/// wants done waits.
#[derive(Debug)]
pub(super) struct Saving {
    number: u64,
    /// What the save covers.
    covered: Outbox,
    /// What came later. It may need a save of its own.
    later: Outbox,
}

impl Saving {
    /// Discards all signals; reports, records and saves stay.
    pub(super) fn discard_signals(&mut self) {
        self.covered.discard_signals();
        self.later.discard_signals();
    }
}

impl NeuronCell {
    /// Returns whether the neuron waits for a save, so that it cannot speak.
    pub(super) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Lets what the outbox holds wait if it has to be saved first, or something waits already.
    /// Returns whether it waits.
    pub(super) fn save_first(&mut self, ctx: &mut CellContext) -> bool {
        if let Some(saving) = &mut self.saving {
            saving.later.append(&mut ctx.outbox);
            return true;
        }
        match &ctx.host.store {
            Some(store) if ctx.outbox.needs_save() => {
                let mut saved = self.neuron.saved();
                if saved.ceiling <= store.ceiling() {
                    // The ceiling of the host covers the rest.
                    saved.ceiling = self.neuron.stamp_bound();
                }
                let is_done = store.save(self.neuron.id().clone(), saved);
                let number = ctx.pending_saves.push(self.slot, is_done);
                let covered = std::mem::take(&mut ctx.outbox);
                self.saving = Some(Box::new(Saving { number, covered, later: Outbox::default() }));
                self.note_host_watch(ctx);
                true
            }
            _ => false,
        }
    }

    /// Goes on with what has waited for a save.
    pub(in crate::actor::scheduler) fn on_saved(&mut self, completion: SaveCompletion, ctx: &mut CellContext) {
        // The neuron may have stopped meanwhile, and may have been added again.
        let Some(saving) = self.saving.take_if(|saving| saving.number == completion.number) else { return };
        let Saving { covered, later, .. } = *saving;
        if let Err(error) = completion.result {
            return self.stop_unsaved(error, ctx);
        }
        self.note_host_watch(ctx);
        self.supervise(ctx, |cell, ctx| {
            cell.with_turn(ctx, |cell, ctx| {
                ctx.outbox = covered;
                cell.send_outputs(ctx);
                if !cell.is_stopped {
                    ctx.outbox = later;
                }
            });
        });
    }

    /// Stops a neuron that could not be saved: what it wants to say must not be said, and nothing
    /// tells when a save would succeed.
    pub(super) fn stop_unsaved(&mut self, error: StoreError, ctx: &mut CellContext) {
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
