//! The transport over Redis.
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
    ConnectError, ConnectionCounters, ConnectionHandle, ConnectionState, ConnectionStatus, Counts, Inboxes, Refusals,
    Subjects, WorkerThread, start_driver,
};

use crate::{
    config::{RedisConfig, RedisMode},
    connection::Connector,
    driver::RedisDriver,
};

/// Carries the envelopes of one network over a Redis server.
///
/// Clones are cheap, and share one connection and its inboxes. The connection ends with the last
/// clone. It works on a thread of its own until a host starts with it, and on that host's thread
/// from then on; so a transport can be used on any runtime, or on none.
#[derive(Clone, Debug)]
pub struct RedisTransport {
    connection: ConnectionHandle,
    mode: RedisMode,
}

impl RedisTransport {
    /// Connects to the server at an address, which [`RedisConfig::parse`] describes.
    ///
    /// # Errors
    /// When the address is invalid, or the first attempt to connect fails; it is repeated only with
    /// [`RedisConfig::wait_for_broker`]. A connection that is lost later is made again, for as long
    /// as it takes unless [`RedisConfig::give_up_after`] is set.
    pub async fn connect(address: &str, network: &NetworkId) -> Result<Self, ConnectError> {
        Self::connect_with(RedisConfig::parse(address)?, network).await
    }

    /// Connects with settings that an address cannot express.
    ///
    /// # Errors
    /// As for [`RedisTransport::connect`].
    pub async fn connect_with(config: RedisConfig, network: &NetworkId) -> Result<Self, ConnectError> {
        let connector = Connector::new(&config)?;
        let worker = WorkerThread::start("neuron-redis")?;
        let counters = Arc::new(ConnectionCounters::default());
        let subjects = Arc::new(Subjects::new(&config.prefix, network, ':'));
        let inboxes = Inboxes::new(config.capacity, counters.clone());
        let broker = config.endpoint().to_string();
        let refusals = Arc::new(Refusals::new(broker.clone()));
        let open = inboxes.0.clone();
        let mut driver = RedisDriver::new(&config, connector, subjects, open, counters.clone(), refusals.clone());
        let RedisConfig { mode, options, wait, .. } = config;
        let connecting = async move {
            let session = driver.connect_first().await;
            (driver, session)
        };
        let (driver, session) = worker.run(connecting).await?;
        let (session, status) = match session {
            Ok(session) => (Some(session), ConnectionStatus::connected(broker)),
            Err(error) => match error.transient_reason() {
                Some(why) if wait => (None, ConnectionStatus::waiting(broker, why)),
                _ => return Err(error),
            },
        };
        let status = Arc::new(status.with_refusals(refusals));
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
impl Transport for RedisTransport {
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
        Guarantees {
            ordered_per_sender: true,
            // Also with streams: a server may come back without its memory.
            delivery: Delivery::AtMostOnce,
            full_inbox: match self.mode {
                RedisMode::PubSub => FullInbox::Dropped,
                RedisMode::Streams => FullInbox::TransportQueues,
            },
            // A round trip through a server nearby takes a fraction of a millisecond.
            pace: Pace { grace: Duration::from_millis(2), retry: Duration::from_millis(25) },
            local_bypass: self.connection.is_local_first(),
        }
    }
}
