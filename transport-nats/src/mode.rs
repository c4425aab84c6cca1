//! What both modes do, each in its way.

use std::{sync::Arc, time::Duration};

use async_nats::client::PublishErrorKind;
use neuron_core::transport::{Address, Inbox, TransportError};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use transport_broker::{Job, Jobs, State};

use crate::{connection::Connection, core::Core, jetstream::JetStream};

/// How long what was sent last may take to leave.
const ENDING: Duration = Duration::from_millis(500);

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

    fn subscribe(&self, at: Address, done: oneshot::Sender<Result<Inbox, TransportError>>) {
        match self {
            Self::Core(core) => core.subscribe(at, done),
            Self::JetStream(stream) => stream.subscribe(at, done),
        }
    }

    fn dropped(&self, at: &Address) {
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

    /// Whether what the mode has at the broker is still there.
    pub(crate) async fn is_there(&self) -> bool {
        match self {
            Self::Core(_) => true,
            Self::JetStream(stream) => stream.is_there().await,
        }
    }
}

/// Tells that the connection has ended, in whatever way this task ends.
struct Closing(Arc<Connection>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.status.set(State::Closed);
    }
}

/// Does the jobs in order, until nobody can give any more.
pub(crate) async fn work(carrier: Carrier, mut jobs: Jobs, mut closed: mpsc::UnboundedReceiver<Address>) {
    let connection = carrier.connection().clone();
    let _closing = Closing(connection.clone());
    loop {
        tokio::select! {
            biased;
            Some(at) = closed.recv() => {
                if !connection.inboxes.has(&at) {
                    carrier.dropped(&at);
                }
            }
            job = jobs.recv() => match job {
                Some(Job::Send { subject, frame }) => send(&connection, subject, frame).await,
                Some(Job::Subscribe { at, done }) => carrier.subscribe(at, done),
                None => break,
            }
        }
    }
    // What has been handed over before is to leave the process.
    let _ = timeout(ENDING, connection.client.flush()).await;
}

/// Gives a message to the client, which writes it to the socket together with those before and after it.
async fn send(connection: &Connection, subject: String, frame: Vec<u8>) {
    let counters = &connection.counters;
    if !connection.status.is_connected() {
        counters.unsent(1);
        return;
    }
    tokio::select! {
        biased;
        result = connection.client.publish(subject, frame.into()) => match result {
            Ok(()) => counters.sent(1),
            Err(error) if error.kind() == PublishErrorKind::Send => counters.unsent(1),
            Err(error) => {
                tracing::debug!(broker = connection.status.broker(), %error, "a message cannot be published");
                counters.refused(1);
            }
        },
        // The client takes no more while it has no connection.
        () = connection.lost() => counters.unsent(1),
    }
}
