//! What the clock has to show before neurons come back from a store.
//!
//! Why: docs/decisions/0051-a-clock-that-is-set-forward-is-followed.md

use std::time::Duration;

use super::follow_clock::note_change;
use crate::{
    actor::{error::HostError, scheduler::HostContext, store_thread::guarded},
    id::NeuronId,
    neuron::{Saved, is_far_ahead},
    store::Store,
    tag::{Tag, Time},
};

/// How long the start waits for a clock that is behind, unless told otherwise: a machine without a
/// clock of its own usually has the time from the network by then.
const WAIT: Duration = Duration::from_secs(20);

/// How often the clock is looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What becomes of neurons whose saved tags are far ahead of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartClock {
    /// How long to wait for the clock to be set.
    pub(super) wait: Duration,
    /// The saved tags are given up then; else the host does not start.
    pub(super) forgets_future: bool,
}

impl Default for StartClock {
    fn default() -> Self {
        Self { wait: WAIT, forgets_future: false }
    }
}

/// What was saved of the neurons that a host is to run.
pub(super) struct Found {
    /// No neuron has spoken about a later tag, unless its own ceiling is later.
    pub(super) ceiling: Tag,
    /// Neurons, each with what was saved of it; `None` means that it starts from the network.
    pub(super) neurons: Vec<(NeuronId, Option<Box<Saved>>)>,
}

impl Found {
    /// Returns the last tag that a neuron may have spoken about, and which neuron.
    fn last_spoken(&self) -> Option<(Tag, &NeuronId)> {
        let saved = self.neurons.iter().filter_map(|(id, saved)| Some((saved.as_ref()?.ceiling, id)));
        saved.max().map(|(ceiling, id)| (ceiling.max(self.ceiling), id))
    }

    fn is_far_ahead(&self, now: Time) -> bool {
        self.last_spoken().is_some_and(|(tag, _)| is_far_ahead(tag, now))
    }

    /// Waits until the clock is near enough to the saved tags. If it is not in time, gives the tags
    /// up, or fails.
    ///
    /// # Errors
    /// [`HostError::AheadOfClock`], or [`HostError::Save`] if the store does not take in what is
    /// given up.
    pub(super) async fn wait_for_clock(
        &mut self,
        start_clock: StartClock,
        context: &HostContext,
        store: &dyn Store,
    ) -> Result<(), HostError> {
        let clock = &context.clock;
        let begin = clock.steady();
        if let Some((tag, neuron)) = self.last_spoken().filter(|_| self.is_far_ahead(clock.now())) {
            let (up_to, clock, at_most) = (tag.to_utc(), clock.now().to_utc(), start_clock.wait);
            tracing::warn!(%neuron, up_to, clock, ?at_most, "has spoken of times far ahead of the clock; waits for it");
        }
        while self.is_far_ahead(clock.now()) && clock.steady().since(begin) < start_clock.wait {
            tokio::time::sleep(LOOK_INTERVAL).await;
            if let Some(change) = clock.follow() {
                note_change(change, context);
            }
        }
        let now = clock.now();
        match self.last_spoken().filter(|(tag, _)| is_far_ahead(*tag, now)) {
            None => {
                if is_far_ahead(self.ceiling, now) {
                    // It is left over from neurons that are not here any more.
                    self.ceiling = Tag::at(now);
                }
                Ok(())
            }
            Some(_) if start_clock.forgets_future => self.forget_future(now, store),
            Some((tag, neuron)) => {
                Err(HostError::AheadOfClock { neuron: neuron.clone(), saved: tag.time(), clock: now })
            }
        }
    }

    /// Gives up what was promised of tags that are far ahead of the clock.
    fn forget_future(&mut self, now: Time, store: &dyn Store) -> Result<(), HostError> {
        let present = Tag::at(now);
        for (neuron, saved) in &mut self.neurons {
            let Some(saved) = saved else { continue };
            let spoken = saved.ceiling.max(self.ceiling);
            if is_far_ahead(spoken, now) {
                tracing::warn!(%neuron, up_to = spoken.to_utc(), "gives up what it has promised of the future");
                saved.ceiling = present;
                let save = guarded(|| store.save(neuron, saved));
                save.map_err(|source| HostError::Save { neuron: neuron.clone(), source })?;
            }
        }
        if is_far_ahead(self.ceiling, now) {
            self.ceiling = present;
        }
        Ok(())
    }
}
