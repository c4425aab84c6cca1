//! How hosts hear which neurons others claim.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{BoundedQueue, PushError};
use crate::hosts::Claim;

/// How many claims wait for a host; those beyond are dropped, and made up for by the next round.
const CAPACITY: usize = 16_384;

/// The claims of all hosts of a network, those of its own host included, as a stream. It ends when
/// claims may have been missed, as when the connection to a broker was lost; then another one is
/// opened. Dropping it ends the subscription.
pub struct ClaimInbox(Pin<Box<dyn Stream<Item = Claim> + Send>>);

impl ClaimInbox {
    /// Returns an inbox that yields what `stream` yields. Dropping the stream must end the
    /// subscription.
    pub fn new(stream: impl Stream<Item = Claim> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// Returns an inbox that nothing arrives in: that of a transport which does not carry claims.
    pub fn silent() -> Self {
        Self::new(Silent)
    }
}

impl Stream for ClaimInbox {
    type Item = Claim;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Claim>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for ClaimInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimInbox")
    }
}

struct Silent;

impl Stream for Silent {
    type Item = Claim;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Claim>> {
        Poll::Pending
    }
}

/// Passes claims on to all hosts of this process.
///
/// Unlike an inbox, which has one receiver, each host hears each claim.
#[derive(Debug, Default)]
pub struct ClaimHub(Mutex<Vec<Arc<BoundedQueue<Claim>>>>);

impl ClaimHub {
    /// Opens an inbox for all claims from now on. Dropping the inbox closes it.
    pub fn open(&self) -> ClaimInbox {
        let (queue, receiver) = BoundedQueue::new(CAPACITY, 0);
        self.queues().push(queue);
        ClaimInbox::new(receiver)
    }

    /// Passes a claim on, and returns how many inboxes are open. A full one does not get it.
    pub fn deliver(&self, claim: &Claim) -> usize {
        let mut queues = self.queues();
        queues.retain(|queue| !matches!(queue.push(claim.clone(), None), Err(PushError::Closed)));
        queues.len()
    }

    fn queues(&self) -> MutexGuard<'_, Vec<Arc<BoundedQueue<Claim>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
