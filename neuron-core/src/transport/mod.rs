//! The seam between neurons and whatever carries their messages.
//!
//! A [`Transport`] carries the envelopes of one network. It never looks inside; one that leaves the process is encoded
//! by [`wire`](crate::wire).

mod envelope;
mod error;
mod guarantees;
mod queue;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

pub use envelope::{Address, Envelope};
pub use error::{TransportError, TransportErrorKind};
use futures_core::Stream;
pub use guarantees::{Delivery, FullInbox, Guarantees, Pace};
pub use queue::{BoundedQueue, PushError, QueueClosed, QueueReceiver};

/// A future in a box, that can move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Moves envelopes between the addresses of one network.
///
/// # Contract
/// - `send` is done once the envelope is handed over, not once it has arrived.
/// - An envelope arrives whole or not at all. How often and in which order: see [`Guarantees`].
/// - Every inbox is bounded. What happens when it is full: see [`FullInbox`]; nothing that is in it is dropped to make room.
/// - An envelope to an address without an inbox is not delivered. A transport that can tell says so with
///   [`TransportErrorKind::NoInbox`].
/// - There is one inbox for each address. Subscribing again takes its place: the old one ends.
/// - Dropping the [`Inbox`] ends the subscription; nothing is delivered after that.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Hands an envelope over.
    fn send(&self, envelope: Envelope) -> Sending;

    /// Opens the inbox of an address. Once it is there, everything sent to that address from then on arrives in it.
    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>>;

    /// What can be relied on.
    fn guarantees(&self) -> Guarantees;

    /// Tells the transport that the calling thread runs neurons, within a tokio runtime that lasts as
    /// long as they do. A host calls it on its thread before it opens an inbox.
    ///
    /// A connection that does its work on that thread saves each message two changes of threads. This
    /// is a hint, which the default ignores: results do not depend on it, and neither do promises. A
    /// wrapper forwards it. It takes no runtime as an argument, so that the trait needs no tokio: a
    /// transport that uses tokio finds the runtime with `Handle::try_current`.
    fn attach_to_current_thread(&self) {}
}

/// An envelope being handed over: a future that is often done before it is polled, and then costs no allocation.
#[must_use = "what is being sent may be waiting for room"]
pub struct Sending(Progress);

enum Progress {
    Done(Option<Result<(), TransportError>>),
    Later(BoxFuture<Result<(), TransportError>>),
}

impl Sending {
    /// It is done.
    pub fn done(result: Result<(), TransportError>) -> Self {
        Self(Progress::Done(Some(result)))
    }

    /// It will be done when the future is.
    pub fn later(future: impl Future<Output = Result<(), TransportError>> + Send + 'static) -> Self {
        Self(Progress::Later(Box::pin(future)))
    }
}

impl Future for Sending {
    type Output = Result<(), TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Progress::Done(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            Progress::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Progress::Done(_) => "Sending(done)",
            Progress::Later(_) => "Sending(later)",
        })
    }
}

/// What has been sent to one address: a stream of envelopes. Dropping it ends the subscription.
pub struct Inbox(Pin<Box<dyn Stream<Item = Envelope> + Send>>);

impl Inbox {
    /// An inbox that yields what the stream yields, and ends the subscription when the stream is dropped.
    pub fn new(stream: impl Stream<Item = Envelope> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl Stream for Inbox {
    type Item = Envelope;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}
