//! What both modes do, each in its way.

use std::{sync::Arc, time::Duration};

use neuron_core::transport::Address;
use tokio::{sync::mpsc, time::timeout};
use transport_broker::SubscribeReply;

use crate::{
    connection::Connection,
    core::Core,
    jetstream::JetStream,
    reader::{Asking, Readers},
};

/// How long all inboxes together may take to be read again over a new connection. Those that take longer do so by themselves.
pub(crate) const RESTORING: Duration = Duration::from_secs(3);

/// A connection in its mode.
#[derive(Clone, Debug)]
pub(crate) enum Carrier {
    Core(Arc<Core>),
    JetStream(Arc<JetStream>),
}

impl Carrier {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        match self {
            Self::Core(core) => core.connection(),
            Self::JetStream(stream) => stream.connection(),
        }
    }

    fn readers(&self) -> &Readers {
        match self {
            Self::Core(core) => core.readers(),
            Self::JetStream(stream) => stream.readers(),
        }
    }

    /// Opens an inbox without holding up what is sent meanwhile.
    pub(crate) fn subscribe(&self, at: Address, done: SubscribeReply) {
        let asking = Asking::new(at, done, self.connection().again.clone());
        match self {
            Self::Core(core) => self.readers().open(core.clone().subscribe(asking)),
            Self::JetStream(stream) => self.readers().open(stream.clone().subscribe(asking)),
        }
    }

    /// Goes on with the inboxes that are open. Done when they get their messages, or that takes too long; then they do so by
    /// themselves.
    pub(crate) async fn take_over(&self) {
        let (waiting, mut done) = mpsc::channel::<()>(1);
        for at in self.connection().inboxes.addresses() {
            let (carrier, waiting) = (self.clone(), waiting.clone());
            self.readers().open(async move {
                let _waiting = waiting;
                match carrier {
                    Self::Core(core) => core.take_over(at).await,
                    Self::JetStream(stream) => stream.take_over(at).await,
                }
            });
        }
        drop(waiting);
        let _ = timeout(RESTORING, done.recv()).await;
    }

    /// The connection is left. Inboxes stay open, without anybody who brings them anything.
    pub(crate) fn leave(&self) {
        self.readers().end_all();
    }

    pub(crate) fn dropped(&self, at: &Address) {
        match self {
            Self::Core(core) => core.dropped(at),
            Self::JetStream(stream) => stream.dropped(at),
        }
    }

    /// Puts right what was lost with the connection, now that it stands again. Done when all inboxes get their messages.
    pub(crate) async fn restore(&self) {
        match self {
            Self::Core(core) => core.restore().await,
            Self::JetStream(stream) => stream.restore().await,
        }
    }

    /// Whether what the mode has at the broker is still there. Nothing if the broker does not say.
    pub(crate) async fn is_there(&self) -> Option<bool> {
        match self {
            Self::Core(_) => Some(true),
            Self::JetStream(stream) => stream.is_there().await,
        }
    }
}
