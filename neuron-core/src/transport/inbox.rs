//! The receiving end of a subscription.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::Envelope;

/// The envelopes that were sent to one address, as a stream. It ends when another inbox takes the
/// place of this one, or when the transport ends. Dropping it ends the subscription.
pub struct Inbox(Pin<Box<dyn Stream<Item = Envelope> + Send>>);

impl Inbox {
    /// Returns an inbox that yields what `stream` yields. Dropping the stream must end the
    /// subscription.
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
