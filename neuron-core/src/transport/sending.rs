//! The future that [`Transport::send`](super::Transport::send) returns.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::TransportError;

/// An envelope that is being handed over: a future that has often completed before it is polled,
/// and then costs no allocation.
///
/// Dropping it before it has completed may drop the envelope.
#[must_use = "what is being sent may be waiting for room"]
pub struct Sending(Progress);

enum Progress {
    Done(Option<Result<(), TransportError>>),
    Later(Pin<Box<dyn Future<Output = Result<(), TransportError>> + Send>>),
}

impl Sending {
    /// Returns a future that has completed with `result`.
    pub fn done(result: Result<(), TransportError>) -> Self {
        Self(Progress::Done(Some(result)))
    }

    /// Returns a future that completes when `future` does, for an envelope that waits for room.
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
