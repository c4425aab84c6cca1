//! The subscriptions of a connection, in either mode.

use std::{sync::Arc, time::Duration};

use neuron_core::transport::Address;
use tokio::{sync::mpsc, time::timeout};
use transport_broker::SubscribeReply;

use crate::{
    connection::Connection, core::CoreSubscriptions, inbox_tasks::InboxTasks, jetstream::JetStreamSubscriptions,
    open_request::OpenRequest,
};

/// How long it may take until all inboxes are read over a new connection. Those that take longer
/// finish in the background.
const TAKE_OVER_TIMEOUT: Duration = Duration::from_secs(3);

/// The subscriptions of a connection, in either mode. Clones share them.
#[derive(Clone, Debug)]
pub(crate) enum Subscriptions {
    Core(Arc<CoreSubscriptions>),
    JetStream(Arc<JetStreamSubscriptions>),
}

impl Subscriptions {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        match self {
            Self::Core(core) => core.connection(),
            Self::JetStream(jetstream) => jetstream.connection(),
        }
    }

    fn tasks(&self) -> &InboxTasks {
        match self {
            Self::Core(core) => core.tasks(),
            Self::JetStream(jetstream) => jetstream.tasks(),
        }
    }

    /// Opens an inbox in the background.
    pub(crate) fn open(&self, at: Address, reply: SubscribeReply) {
        let request = OpenRequest::new(at, reply, self.connection().reopen.clone());
        match self {
            Self::Core(core) => self.tasks().spawn_opening(core.clone().open(request)),
            Self::JetStream(jetstream) => self.tasks().spawn_opening(jetstream.clone().open(request)),
        }
    }

    /// Subscribes in the background for an inbox that is open already.
    pub(crate) fn attach(&self, at: Address) {
        self.tasks().spawn_opening(self.clone().take_over(at));
    }

    /// Subscribes for all open inboxes: those that another connection has served before, and those
    /// that were opened without one. Returns when all are read, or after [`TAKE_OVER_TIMEOUT`].
    pub(crate) async fn take_over_all(&self) {
        let (busy, mut all_done) = mpsc::channel::<()>(1);
        for at in self.connection().inboxes.addresses() {
            let taking_over = self.clone().take_over(at);
            let busy = busy.clone();
            self.tasks().spawn_opening(async move {
                let _busy = busy;
                taking_over.await;
            });
        }
        drop(busy);
        let _ = timeout(TAKE_OVER_TIMEOUT, all_done.recv()).await;
    }

    async fn take_over(self, at: Address) {
        match self {
            Self::Core(core) => core.take_over(at).await,
            Self::JetStream(jetstream) => jetstream.take_over(at).await,
        }
    }

    /// Stops reading, because the connection is left. The inboxes stay open.
    pub(crate) fn abort_all(&self) {
        self.tasks().abort_all();
    }

    /// Stops reading for an inbox that has been closed.
    ///
    /// In mode JetStream its consumer stays at the broker for a while: if this process ends now,
    /// the next one receives what is sent in between. An inbox that this process opens again begins
    /// empty.
    pub(crate) fn close(&self, at: &Address) {
        self.tasks().stop(at);
    }

    /// Restores what was lost with the connection, now that it stands again. Returns when all
    /// inboxes are read.
    pub(crate) async fn restore(&self) {
        match self {
            Self::Core(core) => core.restore().await,
            Self::JetStream(jetstream) => jetstream.restore().await,
        }
    }

    /// Returns whether what the mode keeps at the broker is still there. `None` means that the
    /// broker did not answer.
    pub(crate) async fn is_intact(&self) -> Option<bool> {
        match self {
            Self::Core(_) => Some(true),
            Self::JetStream(jetstream) => jetstream.is_intact().await,
        }
    }
}
