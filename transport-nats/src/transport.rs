//! The transport over NATS.
//!
//! Why: docs/decisions/0034-all-broker-modes-may-lose.md

use std::{sync::Arc, time::Duration};

use neuron_core::{
    NetworkId,
    hosts::Claim,
    transport::{
        Address, BrokerRefusal, ClaimInbox, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport,
        TransportError, async_trait,
    },
};
use tokio::sync::watch;
use transport_broker::{
    ConnectError, ConnectionCounters, ConnectionHandle, ConnectionState, Counts, Inboxes, Subjects, WorkerThread,
    start_driver,
};

use crate::{
    config::{NatsConfig, NatsMode},
    driver::NatsDriver,
};

/// Carries the envelopes of one network over a NATS server.
///
/// Clones are cheap, and share one connection and its inboxes. The connection ends with the last
/// clone. It works on a thread of its own until a host starts with it, and on that host's thread
/// from then on; so a transport can be used on any runtime, or on none.
#[derive(Clone, Debug)]
pub struct NatsTransport {
    connection: ConnectionHandle,
    mode: NatsMode,
}

impl NatsTransport {
    /// Connects to the broker at an address, which [`NatsConfig::parse`] describes.
    ///
    /// # Errors
    /// When the address is invalid, or the first attempt to connect fails; it is repeated only with
    /// [`NatsConfig::wait_for_broker`]. A connection that is lost later is made again, for as long
    /// as it takes unless [`NatsConfig::give_up_after`] is set.
    pub async fn connect(address: &str, network: &NetworkId) -> Result<Self, ConnectError> {
        Self::connect_with(NatsConfig::parse(address)?, network).await
    }

    /// Connects with settings that an address cannot express.
    ///
    /// # Errors
    /// As for [`NatsTransport::connect`].
    pub async fn connect_with(config: NatsConfig, network: &NetworkId) -> Result<Self, ConnectError> {
        let mode = config.mode;
        let options = config.options;
        let worker = WorkerThread::start("transport-nats")?;
        let counters = Arc::new(ConnectionCounters::default());
        let subjects = Arc::new(Subjects::new(&config.prefix, network, '.'));
        let inboxes = Inboxes::new(config.capacity, counters.clone());
        let starting = NatsDriver::start(config, network.clone(), subjects, inboxes.0.clone(), counters.clone());
        let (driver, session) = worker.run(starting).await??;
        let status = driver.status();
        let (connection, cx) = ConnectionHandle::new(counters, status, worker, inboxes, options);
        start_driver(driver, session, cx);
        Ok(Self { connection, mode })
    }

    /// Returns a receiver of the present state of the connection and of every later one.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.connection.state()
    }

    /// Returns what has been counted since the first connection.
    pub fn counts(&self) -> Counts {
        self.connection.counts()
    }
}

#[async_trait]
impl Transport for NatsTransport {
    fn send(&self, envelope: Envelope) -> Sending {
        self.connection.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.connection.subscribe(at).await
    }

    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        self.connection.last_refusal(to)
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        self.connection.send_claim(claim)
    }

    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        self.connection.subscribe_claims()
    }

    fn attach_to_current_thread(&self) {
        self.connection.attach_to_current_thread();
    }

    async fn detach_from_current_thread(&self) {
        self.connection.detach_from_current_thread().await;
    }

    fn guarantees(&self) -> Guarantees {
        let (full_inbox, grace) = match self.mode {
            NatsMode::Core => (FullInbox::Dropped, Duration::from_millis(1)),
            NatsMode::JetStream => (FullInbox::TransportQueues, Duration::from_millis(2)),
        };
        Guarantees {
            ordered_per_sender: true,
            // Also with JetStream: a broker can lose its disk, and keeps nothing beyond the
            // lifetime.
            delivery: Delivery::AtMostOnce,
            full_inbox,
            pace: Pace { grace, retry: Duration::from_millis(25) },
            local_bypass: self.connection.is_local_first(),
        }
    }
}
