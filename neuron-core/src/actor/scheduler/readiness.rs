//! Waiting until neurons are ready.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::actor::error::HostError;

/// A barrier for neurons that start together: one task waits until all are ready, or one has
/// failed.
#[derive(Debug)]
pub(in crate::actor) struct ReadinessBarrier {
    /// How many neurons are not ready yet.
    unready: AtomicUsize,
    /// Why a neuron will never be ready; the first reason counts.
    failure: Mutex<Option<HostError>>,
    changed: Notify,
}

impl ReadinessBarrier {
    /// Returns a barrier for this many neurons.
    pub(in crate::actor) fn new(neurons: usize) -> Arc<Self> {
        Arc::new(Self { unready: neurons.into(), failure: Mutex::default(), changed: Notify::new() })
    }

    /// Notes that one more neuron is ready. Each neuron does this at most once.
    pub(super) fn mark_ready(&self) {
        if self.unready.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.changed.notify_one();
        }
    }

    /// Notes that a neuron will never be ready.
    pub(super) fn fail(&self, error: HostError) {
        self.failure().get_or_insert(error);
        self.changed.notify_one();
    }

    /// Waits until all neurons are ready. Only one task may wait.
    ///
    /// # Errors
    /// As soon as one neuron has failed.
    pub(in crate::actor) async fn wait_ready(&self) -> Result<(), HostError> {
        loop {
            if let Some(error) = self.failure().take() {
                return Err(error);
            }
            if self.unready.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            self.changed.notified().await;
        }
    }

    fn failure(&self) -> MutexGuard<'_, Option<HostError>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
