//! The transport.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    NetworkId,
    transport::{
        Address, BoxFuture, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport, TransportError,
    },
};
use tokio::sync::watch;
use transport_broker::{ConnectError, Counters, Counts, Inboxes, Link, Routes, State, Worker};

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
    link: Link,
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
        let worker = Worker::start("transport-nats")?;
        let counters = Arc::new(Counters::default());
        let routes = Arc::new(Routes::new(&config.prefix, network, '.'));
        let (inboxes, closed) = Inboxes::new(config.capacity, counters.clone());
        let beginning = Task::begin(config, network.clone(), routes.clone(), inboxes, counters.clone());
        let (task, session) = worker.run(beginning).await??;
        let (link, desk) = Link::new(counters, task.status(), worker, closed);
        desk.begin(task, session);
        Ok(Self { link, mode })
    }

    /// The state of the connection, and every change of it from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.link.state()
    }

    /// What has been counted since the first connection.
    pub fn counts(&self) -> Counts {
        self.link.counts()
    }
}

impl Transport for NatsTransport {
    fn send(&self, envelope: Envelope) -> Sending {
        self.link.send(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.link.subscribe(at)
    }

    fn attach_to_current_thread(&self) {
        self.link.attach_to_current_thread();
    }

    fn guarantees(&self) -> Guarantees {
        let (full_inbox, grace) = match self.mode {
            Mode::Core => (FullInbox::Dropped, Duration::from_millis(1)),
            Mode::JetStream => (FullInbox::CarrierKeeps, Duration::from_millis(2)),
        };
        Guarantees {
            ordered_per_sender: true,
            // With JetStream, too: a broker can lose its disk, and keeps nothing for longer than the lifetime.
            delivery: Delivery::AtMostOnce,
            full_inbox,
            pace: Pace { grace, retry: Duration::from_millis(25) },
            local_bypass: false,
        }
    }
}
