//! The conformance suite in both modes over the server, and within the process, each case with a
//! server of its own.

use std::sync::Arc;

use neuron_core::{
    NetworkId,
    transport::{FullInbox, Transport},
};
use transport_conformance::{Broker, Harness};
use transport_redis::{RedisConfig, RedisTransport};

/// A transport and the server that it is connected to.
struct Redis {
    transport: RedisTransport,
    _broker: Broker,
}

async fn open(parameters: &str, capacity: Option<usize>) -> Option<Redis> {
    let broker = Broker::redis("")?;
    let network: NetworkId = "conformance".parse().expect("a name");
    let config = RedisConfig::parse(&format!("{}?{parameters}", broker.url())).expect("an address");
    let config = match capacity {
        Some(capacity) => config.capacity(capacity),
        None => config,
    };
    let transport = RedisTransport::connect_with(config, &network).await.expect("the server is there");
    Some(Redis { transport, _broker: broker })
}

macro_rules! on_mode {
    ($module:ident, $harness:ident, $parameters:literal) => {
        mod $module {
            use super::*;

            struct $harness(Redis);

            impl Harness for $harness {
                async fn open() -> Option<Self> {
                    open($parameters, None).await.map(Self)
                }

                fn transport(&self) -> Arc<dyn Transport> {
                    Arc::new(self.0.transport.clone())
                }

                async fn with_capacity(capacity: usize) -> Option<Self> {
                    open($parameters, Some(capacity)).await.map(Self)
                }

                fn loses(&self) -> bool {
                    // Only when the server dies.
                    false
                }

                fn dropped(&self) -> u64 {
                    self.0.transport.counts().overflowed
                }

                fn full_inbox(&self) -> FullInbox {
                    // Within this process, senders wait.
                    if $parameters.contains("local_first=false") {
                        self.0.transport.guarantees().full_inbox
                    } else {
                        FullInbox::SenderWaits
                    }
                }
            }

            transport_conformance::tests!($harness);
        }
    };
}

on_mode!(pubsub, PubSub, "mode=pubsub&local_first=false");
on_mode!(streams, Streams, "mode=streams&local_first=false");
on_mode!(local_first, LocalFirst, "mode=pubsub");
