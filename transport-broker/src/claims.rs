//! Which neurons hosts claim, over a broker.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use neuron_core::{
    hosts::Claim,
    transport::{ClaimInbox, Sending, TransportError, TransportErrorKind},
};
use tokio::sync::{mpsc, watch};

use crate::{ConnectionCommand, ConnectionHandle, ConnectionState};

impl ConnectionHandle {
    /// Gives a claim to the broker, which passes it on to all hosts, those of this process included.
    /// Without a connection, it reaches those of this process.
    pub fn send_claim(&self, claim: Claim) -> Sending {
        let state = self.state();
        if !state.borrow().is_standing() {
            let others = self.inboxes().map_or(0, |inboxes| inboxes.claims().deliver(&claim).saturating_sub(1));
            return Sending::done(if others > 0 { Ok(()) } else { Err(TransportErrorKind::Unreachable.into()) });
        }
        match self.commands().try_send(ConnectionCommand::Claim(Box::new(claim))) {
            Ok(()) => Sending::done(Ok(())),
            Err(mpsc::error::TrySendError::Closed(_)) => Sending::done(Err(TransportErrorKind::Closed.into())),
            Err(mpsc::error::TrySendError::Full(command)) => {
                let commands = self.commands().clone();
                Sending::later(
                    async move { commands.send(command).await.map_err(|_| TransportErrorKind::Closed.into()) },
                )
            }
        }
    }

    /// Opens an inbox for the claims of all hosts. It ends when the connection is lost, or stands
    /// again: what others have claimed meanwhile has not been heard.
    ///
    /// # Errors
    /// `Closed` if the connection has ended.
    pub fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        let state = self.state();
        let inboxes = self.inboxes().ok_or(TransportErrorKind::Closed)?;
        let claims = inboxes.claims().open();
        Ok(ClaimInbox::new(UntilInterrupted { claims, interrupted: Box::pin(interrupted(state)) }))
    }
}

/// Waits until the connection is lost, or stands again. A broker that begins or ceases to refuse
/// messages is no loss.
async fn interrupted(mut state: watch::Receiver<ConnectionState>) {
    let mut last = state.borrow_and_update().clone();
    while state.changed().await.is_ok() {
        let now = state.borrow_and_update().clone();
        // A state that comes and goes in between counts as well. Failed attempts do not.
        let is_interrupted = last.is_standing() != now.is_standing() || now.is_standing() && last == now;
        if is_interrupted {
            return;
        }
        last = now;
    }
}

/// Claims until the connection is interrupted.
struct UntilInterrupted {
    claims: ClaimInbox,
    interrupted: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stream for UntilInterrupted {
    type Item = Claim;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Claim>> {
        if self.interrupted.as_mut().poll(context).is_ready() {
            // It is not polled again: the inbox has ended.
            self.interrupted = Box::pin(std::future::ready(()));
            return Poll::Ready(None);
        }
        Pin::new(&mut self.claims).poll_next(context)
    }
}
