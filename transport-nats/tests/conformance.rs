//! The conformance suite in both modes over the broker, and within the process, each case with a
//! broker of its own.

use std::sync::Arc;

use neuron_core::transport::{FullInbox, Transport};
use transport_conformance::{Broker, Harness};
use transport_nats::{NatsConfig, NatsMode, NatsTransport};

/// A transport and the broker that it is connected to.
struct Nats {
    transport: NatsTransport,
    _broker: Broker,
}

impl Nats {
    async fn start(mode: NatsMode, local_first: bool, capacity: Option<usize>) -> Option<Self> {
        let broker = Broker::nats("")?;
        let mut config = NatsConfig::parse(&broker.url()).expect("an address").mode(mode).local_first(local_first);
        if let Some(capacity) = capacity {
            config = config.capacity(capacity);
        }
        let network = "conformance".parse().expect("a name");
        let transport = NatsTransport::connect_with(config, &network).await.expect("a connection");
        Some(Self { transport, _broker: broker })
    }
}

/// Defines the harness of a mode.
macro_rules! mode {
    ($harness:ident, $mode:expr, $local_first:literal) => {
        struct $harness(Nats);

        impl Harness for $harness {
            async fn open() -> Option<Self> {
                Nats::start($mode, $local_first, None).await.map(Self)
            }

            fn transport(&self) -> Arc<dyn Transport> {
                Arc::new(self.0.transport.clone())
            }

            async fn with_capacity(capacity: usize) -> Option<Self> {
                Nats::start($mode, $local_first, Some(capacity)).await.map(Self)
            }

            fn loses(&self) -> bool {
                // Only when the broker dies.
                false
            }

            fn dropped(&self) -> u64 {
                self.0.transport.counts().overflowed
            }

            fn full_inbox(&self) -> FullInbox {
                // Within this process, senders wait.
                if $local_first { FullInbox::SenderWaits } else { self.0.transport.guarantees().full_inbox }
            }
        }
    };
}

mod core {
    use super::*;

    mode!(NatsCore, NatsMode::Core, false);

    transport_conformance::tests!(NatsCore);
}

mod jetstream {
    use super::*;

    mode!(NatsJetStream, NatsMode::JetStream, false);

    transport_conformance::tests!(NatsJetStream);
}

mod local_first {
    use super::*;

    mode!(LocalFirst, NatsMode::JetStream, true);

    transport_conformance::tests!(LocalFirst);
}
