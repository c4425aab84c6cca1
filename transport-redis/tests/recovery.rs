//! Servers that die, hang, move and come back, on both modes.

use std::sync::Arc;

use neuron_core::{NetworkId, transport::Transport};
use tokio::sync::watch;
use transport_conformance::{Broker, recovery::Remote};
use transport_redis::{ConnectError, RedisTransport, State};

macro_rules! on_mode {
    ($module:ident, $mode:literal) => {
        mod $module {
            use super::*;

            struct Redis(RedisTransport);

            impl Remote for Redis {
                fn broker() -> Option<Broker> {
                    Broker::redis("")
                }

                async fn connect(port: u16) -> Result<Self, ConnectError> {
                    let network: NetworkId = "recovery".parse().expect("a name");
                    let address = format!("redis://127.0.0.1:{port}?mode={}", $mode);
                    RedisTransport::connect(&address, &network).await.map(Self)
                }

                fn transport(&self) -> Arc<dyn Transport> {
                    Arc::new(self.0.clone())
                }

                fn state(&self) -> watch::Receiver<State> {
                    self.0.state()
                }
            }

            transport_conformance::recovery_tests!(Redis);
        }
    };
}

on_mode!(pubsub, "pubsub");
on_mode!(streams, "streams");
