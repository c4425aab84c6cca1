//! Sends that wait for capacity at their receivers.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};

use crate::transport::{Address, Sending, TransportError, TransportErrorKind};

/// The sends of a host that wait for capacity: at most one for each sender and receiver.
#[derive(Default)]
pub(super) struct PendingSends {
    futures: FuturesUnordered<Pin<Box<dyn Future<Output = SendCompletion>>>>,
}

/// A send that has waited for capacity, and is over.
pub(super) struct SendCompletion {
    /// The slot of the sender.
    pub(super) slot: u32,
    pub(super) to: Address,
    /// The envelope holds a statement.
    pub(super) is_statement: bool,
    pub(super) result: Result<(), TransportError>,
}

impl PendingSends {
    /// Adds a send that has returned `Pending`.
    pub(super) fn push(&self, slot: u32, to: Address, is_statement: bool, sending: Sending) {
        self.futures.push(Box::pin(async move {
            // A transport that panics has not sent anything.
            let result = AssertUnwindSafe(sending).catch_unwind().await;
            let result = result.unwrap_or_else(|_| Err(TransportErrorKind::Closed.into()));
            SendCompletion { slot, to, is_statement, result }
        }));
    }

    /// Takes a send that is over. `None` means that there is none; then the task is woken when
    /// there is one.
    pub(super) fn poll_completed(&mut self, task: &mut TaskContext<'_>) -> Option<SendCompletion> {
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
