//! What a neuron wants done, and must not do before it is saved.

use std::collections::BTreeSet;

use super::NeuronCell;
use crate::{
    actor::{
        scheduler::{
            cell_context::CellContext,
            pending_saves::{SaveCompletion, SaveOutcome},
        },
        store_thread::{SaveFailure, StoreThread},
    },
    id::NeuronId,
    neuron::{Input, Outbox, Receiver, Saved},
};

/// A save that is under way, and what waits for it. The neuron goes on meanwhile, and all that it
/// wants done waits.
#[derive(Debug)]
pub(super) struct Saving {
    number: u64,
    /// What the save covers.
    pub(super) covered: Outbox,
    /// What came later, at most [`MAX_WITHHELD`] outputs. It may need a save of its own.
    pub(super) later: Outbox,
    /// The neurons that signals to were discarded.
    cut_off: BTreeSet<NeuronId>,
}

/// How much may wait for a save. Beyond, what waits is discarded as far as it can be told again,
/// and its receivers subscribe anew once the save is over.
const MAX_WITHHELD: usize = 4_096;

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

    /// Returns whether the neuron has to be saved before what the outbox holds is done.
    #[inline]
    pub(super) fn must_save_first(&self, ctx: &CellContext) -> bool {
        ctx.outbox.needs_save() && ctx.host.store.is_some()
    }

    /// Lets what the outbox holds wait for the save that is under way, or else for one of its own.
    #[inline(never)]
    pub(super) fn withhold(&mut self, ctx: &mut CellContext) {
        if let Some(saving) = &mut self.saving {
            saving.later.append(&mut ctx.outbox);
            if saving.later.len() > MAX_WITHHELD {
                let Saving { later, cut_off, .. } = &mut **saving;
                let count = later.shed(|receiver| {
                    cut_off.insert(match receiver {
                        Receiver::Name(name) => name.clone(),
                        Receiver::Slot(slot) => ctx.registry.name(slot.index()).clone(),
                    });
                });
                ctx.host.counters.count_all_shed(count);
            }
        } else if let Some(store) = &ctx.host.store {
            // A neuron that is not ready stops if it cannot be saved.
            let keeps_previous = self.startup.is_none();
            let is_done = store.save(self.neuron.id().clone(), self.saved(store), keeps_previous);
            let number = ctx.pending_saves.push(self.slot, is_done);
            let covered = std::mem::take(&mut ctx.outbox);
            self.saving =
                Some(Box::new(Saving { number, covered, later: Outbox::default(), cut_off: BTreeSet::new() }));
            self.note_host_watch(ctx);
        }
    }

    /// Saves what the neuron knows of others if that is still owed, because it stops.
    pub(in crate::actor::scheduler) fn save_owed(&self, ctx: &CellContext) {
        if self.neuron.owes_save() && !self.is_saving() && !self.is_silent() {
            self.save_soon(ctx);
        }
    }

    /// Lets the state be saved in the background. Nothing waits for it, and it may fail.
    pub(super) fn save_soon(&self, ctx: &CellContext) {
        if let Some(store) = &ctx.host.store {
            store.save_soon(self.neuron.id(), self.saved(store));
        }
    }

    /// Returns what is to be saved.
    fn saved(&self, store: &StoreThread) -> Saved {
        let mut saved = self.neuron.saved();
        if saved.ceiling <= store.ceiling() {
            // The ceiling of the host covers the rest.
            saved.ceiling = self.neuron.stamp_bound();
        }
        saved
    }

    /// Takes in what has become of a save.
    pub(in crate::actor::scheduler) fn on_save_completed(&mut self, completion: SaveCompletion, ctx: &mut CellContext) {
        let SaveCompletion { number, outcome, .. } = completion;
        match outcome {
            SaveOutcome::Saved(result) => self.on_saved(number, result, ctx),
            SaveOutcome::Restored(result) => self.on_restored(number, result, ctx),
        }
    }

    /// Goes on with what has waited for a save.
    fn on_saved(&mut self, number: u64, result: Result<(), SaveFailure>, ctx: &mut CellContext) {
        // The neuron may have stopped meanwhile, and may have been added again.
        if self.saving.as_ref().is_none_or(|saving| saving.number != number) {
            return;
        }
        if let Err(failure) = result {
            return self.supervise(ctx, |cell, ctx| cell.begin_outage(failure, ctx));
        }
        let Some(saving) = self.saving.take() else { return };
        let Saving { mut covered, later, cut_off, .. } = *saving;
        if later.needs_save() {
            // What is saved in the background would be what the next save makes durable.
            covered.discard_unhurried_saves();
        }
        self.note_host_watch(ctx);
        self.supervise(ctx, |cell, ctx| {
            cell.with_turn(ctx, |cell, ctx| {
                ctx.outbox = covered;
                cell.send_outputs(ctx);
                if cell.is_silent() {
                    return;
                }
                ctx.outbox = later;
                for to in cut_off {
                    cell.neuron.handle_with(Input::Undelivered { to }, ctx.now, &mut ctx.outbox);
                }
            });
        });
    }
}
