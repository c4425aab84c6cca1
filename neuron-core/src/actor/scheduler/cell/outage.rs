//! A neuron that could not be saved: it is silent until it can be.
//!
//! Why: docs/decisions/0049-a-neuron-that-cannot-be-saved-is-silent.md

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
};

use super::{NeuronCell, saving::Saving};
use crate::{
    actor::{
        error::HostError,
        scheduler::cell_context::CellContext,
        store_thread::{Restore, SaveFailure, retry_pause},
    },
    command::{Refusal, Report, Request, TransactionId},
    id::ControllerId,
    neuron::{Neuron, Outbox, Output, Saved},
    store::StoreError,
};

/// How many refused requests are remembered, as many as a neuron remembers answers.
const MAX_REFUSED: usize = 256;

/// What a silent neuron waits for: the state that it goes on from is saved again and again.
#[derive(Debug)]
pub(super) struct Outage {
    /// What requests are answered with: why the last save failed.
    refusal: Refusal,
    /// What was saved before; `None` if the store still holds it.
    previous: Option<Box<Saved>>,
    /// How many saves have failed.
    failures: u32,
    /// Which save is under way; `None` before the first.
    attempt: Option<u64>,
    /// The last requests that were refused. They must not be carried out if they arrive again later.
    refused: VecDeque<TransactionId>,
    /// The neuron in its next incarnation; `None` until it is saved.
    restored: Option<Box<Neuron>>,
}

impl NeuronCell {
    /// Returns whether the neuron says nothing and hears nothing: it has stopped, or cannot be
    /// saved.
    #[inline]
    pub(super) fn is_silent(&self) -> bool {
        self.is_stopped || self.outage.is_some()
    }

    /// Silences a neuron that could not be saved: what it wants to say must not be said. A neuron
    /// that has just started stops instead, and its start fails.
    ///
    /// All that the neuron wants done is dropped, and all that it was asked to is refused: it will go
    /// on from what was saved before.
    pub(super) fn begin_outage(&mut self, failure: SaveFailure, ctx: &mut CellContext) {
        let SaveFailure { error, previous } = failure;
        if self.neuron.fenced_by().is_some() {
            return self.refuse_withheld(&refusal_of(&error), ctx);
        }
        ctx.host.counters.count_unsaved();
        let neuron = self.neuron.id().clone();
        let source = &error as &dyn std::error::Error;
        if let Some(startup) = self.startup.take() {
            tracing::error!(%neuron, error = source, "cannot be saved, so it must not speak; it has stopped");
            startup.fail(HostError::Save { neuron, source: error });
            return self.stop(ctx);
        }
        tracing::error!(%neuron, error = source, "cannot be saved, so it must not speak; it is silent until it can be");
        let refusal = refusal_of(&error);
        self.egress.discard_signals();
        self.neuron.refuse_all(&refusal, ctx.now, &mut ctx.outbox);
        self.outage = Some(Box::new(Outage {
            refusal: refusal.clone(),
            previous,
            failures: 1,
            attempt: None,
            refused: VecDeque::new(),
            restored: None,
        }));
        self.refuse_withheld(&refusal, ctx);
        self.owes_down = true;
        self.set_retry(ctx);
    }

    /// Drops all that the neuron wants done, and refuses the requests that it has answered.
    fn refuse_withheld(&mut self, refusal: &Refusal, ctx: &mut CellContext) {
        let saving = self.saving.take().map(|saving| saving.into_withheld());
        let withheld = saving.into_iter().flatten().chain([std::mem::take(&mut ctx.outbox)]);
        let unanswered: Vec<TransactionId> = withheld.flat_map(unanswered).collect();
        for id in unanswered {
            self.refuse(id, refusal.clone(), ctx);
        }
    }

    /// Refuses a request, because the neuron cannot be saved.
    pub(super) fn refuse_unsaved(&mut self, controller: ControllerId, request: &Request, ctx: &mut CellContext) {
        let Some(outage) = &self.outage else { return };
        let refusal = outage.refusal.clone();
        let id = TransactionId { controller, request: request.id };
        self.supervise(ctx, |cell, ctx| cell.refuse(id, refusal, ctx));
    }

    fn refuse(&mut self, id: TransactionId, refusal: Refusal, ctx: &mut CellContext) {
        let TransactionId { controller, request } = id.clone();
        if let Some(outage) = &mut self.outage {
            outage.remember(id);
        }
        self.send_report(controller, Report::Reply { request, result: Err(refusal) }, ctx);
    }

    /// Saves what the neuron is to go on from, because the pause after the last attempt is over.
    /// Returns whether the neuron is silent.
    pub(super) fn retry_save(&mut self, ctx: &CellContext) -> bool {
        let Some(outage) = &mut self.outage else { return false };
        if let Some(store) = &ctx.host.store {
            let restore = Restore {
                previous: outage.previous.clone(),
                incarnation: self.neuron.incarnation().number,
                spoken: self.neuron.stamp_bound(),
            };
            let is_done = store.restore(self.neuron.id().clone(), restore);
            outage.attempt = Some(ctx.pending_saves.push_restore(self.slot, is_done));
        }
        true
    }

    /// Ends the outage if the neuron is saved, else waits for the next attempt.
    pub(super) fn on_restored(&mut self, attempt: u64, result: Result<Box<Saved>, StoreError>, ctx: &mut CellContext) {
        let Some(outage) = self.outage.as_mut().filter(|outage| outage.attempt == Some(attempt)) else { return };
        let neuron = self.neuron.id();
        let resumed = result.and_then(|saved| {
            let nonce = RandomState::new().hash_one(neuron) as u32;
            let resumed = Neuron::resume(neuron.clone(), *saved, ctx.host.transport.guarantees(), nonce, ctx.now);
            if let Some(ceiling) = ctx.host.ceiling.get() {
                ceiling.cover(resumed.stamp_bound(), ctx.now)?;
            }
            Ok(resumed)
        });
        match resumed {
            Ok(mut resumed) => {
                if ctx.host.record.is_some() {
                    resumed.keep_record();
                }
                for request in outage.refused.drain(..) {
                    resumed.remember_refused(request, &outage.refusal);
                }
                let attempts = outage.failures + 1;
                tracing::warn!(%neuron, attempts, "is saved again; it goes on in its next incarnation");
                ctx.host.counters.count_saved_again();
                outage.restored = Some(Box::new(resumed));
            }
            Err(error) => {
                outage.failures = outage.failures.saturating_add(1);
                outage.refusal = refusal_of(&error);
                self.set_retry(ctx);
            }
        }
    }

    /// Returns the cell of the neuron's next incarnation, once the outage is over. It has the inbox of
    /// this one, and a slot of its own.
    pub(in crate::actor::scheduler) fn into_restored(self: Box<Self>, slot: u32) -> Option<Self> {
        let neuron = *self.outage?.restored?;
        Some(Self::with_neuron(slot, neuron, self.inbox))
    }

    /// Returns the neuron in its next incarnation, once the outage is over.
    pub(in crate::actor::scheduler) fn restored(&mut self) -> Option<&mut Neuron> {
        self.outage.as_mut()?.restored.as_deref_mut()
    }

    fn set_retry(&mut self, ctx: &mut CellContext) {
        let Some(outage) = &self.outage else { return };
        let deadline = ctx.now.after(retry_pause(outage.failures));
        ctx.timers.set(self.slot, self.deadline, deadline);
        self.deadline = Some(deadline);
    }
}

impl Outage {
    /// Remembers a request that was refused.
    fn remember(&mut self, id: TransactionId) {
        if !self.refused.contains(&id) {
            self.refused.push_back(id);
        }
        if self.refused.len() > MAX_REFUSED {
            self.refused.pop_front();
        }
    }
}

/// Returns what requests are answered with after a save has failed.
fn refusal_of(error: &StoreError) -> Refusal {
    // This form has the causes, such as what the system says.
    Refusal::Unsaved(format!("{error:?}"))
}

/// Returns the requests that an outbox has answers to.
fn unanswered(mut outbox: Outbox) -> Vec<TransactionId> {
    let outputs = std::iter::from_fn(|| outbox.pop());
    outputs
        .filter_map(|output| match output {
            Output::Report { to, report: Report::Reply { request, .. } } => {
                Some(TransactionId { controller: to, request })
            }
            _ => None,
        })
        .collect()
}

impl Saving {
    /// Returns what waits for the save.
    fn into_withheld(self) -> [Outbox; 2] {
        [self.covered, self.later]
    }
}
