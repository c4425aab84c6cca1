//! A caller's request for an inbox.

use neuron_core::transport::{Address, Inbox, TransportError};
use tokio::sync::mpsc;
use transport_broker::SubscribeReply;

/// Where inboxes are requested again, over the next connection.
pub(crate) type ReopenQueue = mpsc::UnboundedSender<(Address, SubscribeReply)>;

/// A caller's request for an inbox.
///
/// If it is dropped before it is answered, because its connection is left, it goes to the
/// [`ReopenQueue`].
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) at: Address,
    /// `None` once it is answered.
    reply: Option<SubscribeReply>,
    reopen: ReopenQueue,
}

impl OpenRequest {
    pub(crate) fn new(at: Address, reply: SubscribeReply, reopen: ReopenQueue) -> Self {
        Self { at, reply: Some(reply), reopen }
    }

    /// Waits until the caller has given up.
    pub(crate) async fn given_up(&mut self) {
        if let Some(reply) = &mut self.reply {
            reply.closed().await;
        }
    }

    /// Answers the caller with the inbox that `open` returns; `None` if the caller has given up.
    pub(crate) fn answer_with(mut self, open: impl FnOnce(&SubscribeReply) -> Option<Inbox>) {
        if let Some(reply) = self.reply.take()
            && let Some(inbox) = open(&reply)
        {
            let _ = reply.send(Ok(inbox));
        }
    }

    /// Answers the caller. If it has given up, an inbox in the answer is dropped, and closes.
    pub(crate) fn answer(mut self, result: Result<Inbox, TransportError>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(result);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            // Without a driver there is no next connection.
            let _ = self.reopen.send((self.at.clone(), reply));
        }
    }
}
