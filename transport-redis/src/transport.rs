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
    ConnectError, ConnectionCounters, ConnectionHandle, ConnectionState, ConnectionStatus, Counts, Inboxes, Subjects,
    WorkerThread,
};

use crate::{Config, Mode, connection::Dialer, error, task::Task};

/// Carries the envelopes of one network over a Redis server. Clones share one connection.
#[derive(Clone, Debug)]
pub struct RedisTransport {
    handle: ConnectionHandle,
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
        let worker = WorkerThread::start("neuron-redis")?;
        let subjects = Arc::new(Subjects::new(&config.prefix, network, ':'));
        let counters = Arc::new(ConnectionCounters::default());
        let (inboxes, closed) = Inboxes::new(config.capacity, counters.clone());
        let endpoint = config.endpoint();
        let mut task = Task::new(config, dialer, subjects.clone(), inboxes, counters.clone());
        let dialing = async move {
            let line = task.dial().await;
            (task, line)
        };
        let (task, line) = worker.run(dialing).await?;
        let line = line.map_err(|problem| error::connecting(endpoint.clone(), problem))?;
        let status = Arc::new(ConnectionStatus::connected(endpoint.to_string()));
        let (handle, cx) = ConnectionHandle::new(counters, status, worker, closed);
        cx.begin(task, line);
        Ok(Self { handle, mode })
    }

    /// Whether the connection stands, now and from now on.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.handle.state()
    }

    /// What has been counted.
    pub fn counts(&self) -> Counts {
        self.handle.counts()
    }
}

impl Transport for RedisTransport {
    fn send(&self, envelope: Envelope) -> Sending {
        self.handle.send(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.handle.subscribe(at)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees {
            ordered_per_sender: true,
            // Also with streams: a server may come back without its memory.
            delivery: Delivery::AtMostOnce,
            survives_restart: self.mode == Mode::Streams,
            full_inbox: match self.mode {
                Mode::PubSub => FullInbox::Dropped,
                Mode::Streams => FullInbox::CarrierKeeps,
            },
            // There and back through a server nearby takes a fraction of a millisecond.
            pace: Pace { grace: Duration::from_millis(2), retry: Duration::from_millis(25) },
        }
    }
}
