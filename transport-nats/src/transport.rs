//! The transport.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    NetworkId,
    transport::{
        Address, BoxFuture, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport, TransportError,
    },
};
use tokio::sync::watch;
use transport_broker::{
    ConnectError, ConnectionCounters, ConnectionHandle, ConnectionState, Counts, Inboxes, Subjects, WorkerThread,
};

use crate::{
    config::{Config, Mode},
    task::Task,
};

/// Carries the envelopes of one network over a NATS server. Cheap to clone; clones share their connection and their inboxes.
///
/// It may be used on any runtime, or on none: the work is done on a thread of its own, until a host opens an inbox, and then on that
/// of the host. It ends with the last clone.
#[derive(Clone, Debug)]
pub struct NatsTransport {
    handle: ConnectionHandle,
    mode: Mode,
}

impl NatsTransport {
    /// Connects to the broker at an address, as [`Config::parse`] reads it.
    ///
    /// # Errors
    /// When the address is wrong, or the first connection fails: it is not tried again. One that is lost later is made again for
    /// as long as it takes.
    pub async fn connect(url: &str, network: &NetworkId) -> Result<Self, ConnectError> {
        Self::connect_with(Config::parse(url)?, network).await
    }

    /// Connects as the configuration says.
    ///
    /// # Errors
    /// As for [`NatsTransport::connect`].
    pub async fn connect_with(config: Config, network: &NetworkId) -> Result<Self, ConnectError> {
        let mode = config.mode;
        let worker = WorkerThread::start("transport-nats")?;
        let counters = Arc::new(ConnectionCounters::default());
        let subjects = Arc::new(Subjects::new(&config.prefix, network, '.'));
        let (inboxes, closed) = Inboxes::new(config.capacity, counters.clone());
        let beginning = Task::begin(config, network.clone(), subjects.clone(), inboxes, counters.clone());
        let (task, session) = worker.run(beginning).await??;
        let (handle, cx) = ConnectionHandle::new(counters, task.status(), worker, closed);
        cx.begin(task, session);
        Ok(Self { handle, mode })
    }

    /// The state of the connection, and every change of it from now on.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.handle.state()
    }

    /// What has been counted since the first connection.
    pub fn counts(&self) -> Counts {
        self.handle.counts()
    }
}

impl Transport for NatsTransport {
    fn send(&self, envelope: Envelope) -> Sending {
        self.handle.send(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.handle.subscribe(at)
    }

    fn guarantees(&self) -> Guarantees {
        let (survives_restart, full_inbox, grace) = match self.mode {
            Mode::Core => (false, FullInbox::Dropped, Duration::from_millis(1)),
            Mode::JetStream => (true, FullInbox::CarrierKeeps, Duration::from_millis(2)),
        };
        Guarantees {
            ordered_per_sender: true,
            // With JetStream, too: a broker can lose its disk, and keeps nothing for longer than the lifetime.
            delivery: Delivery::AtMostOnce,
            survives_restart,
            full_inbox,
            pace: Pace { grace, retry: Duration::from_millis(25) },
        }
    }
}
