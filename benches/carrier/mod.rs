//! A connection over one mode of a broker, for benches that run each mode in turn.

use std::sync::Arc;

use neuron_core::{Network, actor::block_on, transport::Transport};
use transport_conformance::Broker;
use transport_nats::{NatsConfig, NatsTransport};
use transport_redis::{RedisConfig, RedisTransport};

/// One connection of a transport, and how to count what it sends.
pub(crate) struct Carrier {
    /// The transport.
    pub(crate) transport: Arc<dyn Transport>,
    sent: Box<dyn Fn() -> u64>,
}

impl Carrier {
    /// Starts the broker of a mode: `pubsub`, `streams`, `core` or `jetstream`. Returns `None` if it
    /// is not installed.
    pub(crate) fn broker(mode: &str) -> Option<Broker> {
        if is_redis(mode) { Broker::redis("") } else { Broker::nats("") }
    }

    /// Connects in a mode. `local_first` is the parameter of the address.
    ///
    /// # Panics
    /// When the broker does not admit the connection.
    pub(crate) fn connect(mode: &str, broker: &Broker, network: &Network, local_first: bool) -> Self {
        let url = format!("{}?mode={mode}&local_first={local_first}", broker.url());
        if is_redis(mode) {
            let config = RedisConfig::parse(&url).expect("an address");
            let connecting = RedisTransport::connect_with(config, network.name());
            let transport = block_on(connecting).expect("the server is there");
            let counted = transport.clone();
            Self { transport: Arc::new(transport), sent: Box::new(move || counted.counts().sent) }
        } else {
            let config = NatsConfig::parse(&url).expect("an address");
            let connecting = NatsTransport::connect_with(config, network.name());
            let transport = block_on(connecting).expect("the server is there");
            let counted = transport.clone();
            Self { transport: Arc::new(transport), sent: Box::new(move || counted.counts().sent) }
        }
    }

    /// Returns how many envelopes the broker has received over it.
    pub(crate) fn sent(&self) -> u64 {
        (self.sent)()
    }
}

fn is_redis(mode: &str) -> bool {
    matches!(mode, "pubsub" | "streams")
}
