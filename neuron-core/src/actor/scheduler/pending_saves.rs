//! Saves of neurons that are under way.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::oneshot;

use crate::store::StoreError;

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
    pub(super) result: Result<(), StoreError>,
}

impl PendingSaves {
    /// Adds a save of the neuron in this slot, and returns its number.
    pub(super) fn push(&self, slot: u32, is_done: oneshot::Receiver<Result<(), StoreError>>) -> u64 {
        let number = self.count.get() + 1;
        self.count.set(number);
        self.futures.push(Box::pin(async move {
            let result = is_done.await.unwrap_or_else(|_| Err(StoreError::other("the thread of the store has ended")));
            SaveCompletion { slot, number, result }
        }));
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
