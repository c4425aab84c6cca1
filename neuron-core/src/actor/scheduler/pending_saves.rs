//! Saves of neurons that are under way.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::oneshot;

use crate::{
    actor::store_thread::{SaveFailure, has_ended},
    neuron::Saved,
    store::StoreError,
};

/// The saves of a host's neurons that are under way: at most one for each neuron.
#[derive(Default)]
pub(super) struct PendingSaves {
    futures: FuturesUnordered<Pin<Box<dyn Future<Output = SaveCompletion>>>>,
    count: Cell<u64>,
}

/// A save that is over.
pub(super) struct SaveCompletion {
    /// The slot of the neuron.
    pub(super) slot: u32,
    /// Which save it is: the neuron may have been removed and added again meanwhile.
    pub(super) number: u64,
    pub(super) outcome: SaveOutcome,
}

/// What has become of a save.
pub(super) enum SaveOutcome {
    /// The state of a neuron that runs is durable, or is not.
    Saved(Result<(), SaveFailure>),
    /// A neuron that is silent can go on from this state, which is durable, or still cannot.
    Restored(Result<Box<Saved>, StoreError>),
}

impl PendingSaves {
    /// Adds a save of the neuron in this slot, and returns its number.
    pub(super) fn push(&self, slot: u32, is_done: oneshot::Receiver<Result<(), SaveFailure>>) -> u64 {
        self.add(slot, async { SaveOutcome::Saved(is_done.await.unwrap_or_else(|_| Err(has_ended().into()))) })
    }

    /// Adds an attempt to let the neuron in this slot go on, and returns its number.
    pub(super) fn push_restore(&self, slot: u32, is_done: oneshot::Receiver<Result<Box<Saved>, StoreError>>) -> u64 {
        self.add(slot, async { SaveOutcome::Restored(is_done.await.unwrap_or_else(|_| Err(has_ended()))) })
    }

    fn add(&self, slot: u32, ending: impl Future<Output = SaveOutcome> + 'static) -> u64 {
        let number = self.count.get() + 1;
        self.count.set(number);
        self.futures.push(Box::pin(async move { SaveCompletion { slot, number, outcome: ending.await } }));
        number
    }

    /// Takes a save that is over. `None` means that there is none; then the task is woken when
    /// there is one.
    pub(super) fn poll_completed(&mut self, task: &mut TaskContext<'_>) -> Option<SaveCompletion> {
        // Usual, and cheaper than registering the task.
        if self.futures.is_empty() {
            return None;
        }
        match self.futures.poll_next_unpin(task) {
            Poll::Ready(completion) => completion,
            Poll::Pending => None,
        }
    }
}
