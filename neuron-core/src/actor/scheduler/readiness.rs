//! Backlog for neurons to be ready.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::actor::HostError;

/// Neurons that were started together, and somebody who waits until all are ready, or one cannot be.
#[derive(Debug)]
pub(in crate::actor) struct ReadinessBarrier {
    unready: AtomicUsize,
    failed: Mutex<Option<HostError>>,
    news: Notify,
}

impl ReadinessBarrier {
    pub(in crate::actor) fn of(neurons: usize) -> Arc<Self> {
        Arc::new(Self { unready: neurons.into(), failed: Mutex::default(), news: Notify::new() })
    }

    fn failed(&self) -> MutexGuard<'_, Option<HostError>> {
        // Nothing that can panic happens while it is held.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::actor) fn mark_ready(&self) {
        if self.unready.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.news.notify_one();
        }
    }

    /// One never will be. The first reason counts.
    pub(in crate::actor) fn fail(&self, error: HostError) {
        self.failed().get_or_insert(error);
        self.news.notify_one();
    }

    pub(in crate::actor) async fn wait_ready(&self) -> Result<(), HostError> {
        loop {
            if let Some(error) = self.failed().take() {
                return Err(error);
            }
            if self.unready.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            self.news.notified().await;
        }
    }
}
