//! The transport.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    NetworkId,
    transport::{
        Address, BoxFuture, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport, TransportError,
    },
};
use tokio::sync::watch;
use transport_broker::{ConnectError, Counters, Counts, Inboxes, Link, Routes, State, Status, Worker};

use crate::{Config, Mode, connection::Dialer, error, task::Task};

/// Carries the envelopes of one network over a Redis server. Clones share one connection.
#[derive(Clone, Debug)]
pub struct RedisTransport {
    link: Link,
    mode: Mode,
}

impl RedisTransport {
    /// Connects to the server at an address, which [`Config::parse`] describes.
    ///
    /// # Errors
    /// When the address is none, or no connection is made at the first attempt. A connection that was made once is made again
    /// whenever it is lost.
    pub async fn connect(address: &str, network: &NetworkId) -> Result<Self, ConnectError> {
        Self::connect_with(Config::parse(address)?, network).await
    }

    /// Connects with more choices than fit into an address.
    ///
    /// # Errors
    /// As for [`RedisTransport::connect`].
    pub async fn connect_with(config: Config, network: &NetworkId) -> Result<Self, ConnectError> {
        let mode = config.mode;
        let dialer = Dialer::new(&config)?;
        let worker = Worker::start("neuron-redis")?;
        let routes = Arc::new(Routes::new(&config.prefix, network, ':'));
        let counters = Arc::new(Counters::default());
        let (inboxes, closed) = Inboxes::new(config.capacity, counters.clone());
        let endpoint = config.endpoint();
        let mut task = Task::new(config, dialer, routes.clone(), inboxes, counters.clone());
        let dialing = async move {
            let line = task.dial().await;
            (task, line)
        };
        let (task, line) = worker.run(dialing).await?;
        let line = line.map_err(|problem| error::connecting(endpoint.clone(), problem))?;
        let status = Arc::new(Status::connected(endpoint.to_string()));
        let (link, desk) = Link::new(counters, status, worker, closed);
        desk.begin(task, line);
        Ok(Self { link, mode })
    }

    /// Whether the connection stands, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.link.state()
    }

    /// What has been counted.
    pub fn counts(&self) -> Counts {
        self.link.counts()
    }
}

impl Transport for RedisTransport {
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
        Guarantees {
            ordered_per_sender: true,
            // Also with streams: a server may come back without its memory.
            delivery: Delivery::AtMostOnce,
            full_inbox: match self.mode {
                Mode::PubSub => FullInbox::Dropped,
                Mode::Streams => FullInbox::CarrierKeeps,
            },
            // There and back through a server nearby takes a fraction of a millisecond.
            pace: Pace { grace: Duration::from_millis(2), retry: Duration::from_millis(25) },
            local_bypass: false,
        }
    }
}
