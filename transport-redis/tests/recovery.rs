//! Servers that die, hang, move and come back, in both modes.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use neuron_core::{
    NetworkId,
    transport::{Address, Transport},
};
use tokio::{sync::watch, time::timeout};
use transport_conformance::{Broker, numbered, recovery::Remote, run};
use transport_redis::{ConnectError, ConnectionState, RedisConfig, RedisTransport};

/// How soon each change is announced.
const SOON: Duration = Duration::from_secs(5);

macro_rules! on_mode {
    ($module:ident, $mode:literal) => {
        mod $module {
            use super::*;

            struct Redis(RedisTransport);

            impl Redis {
                async fn connect_as(port: u16, parameter: &str) -> Result<Self, ConnectError> {
                    let network: NetworkId = "recovery".parse().expect("a name");
                    let address = format!("redis://127.0.0.1:{port}?mode={}&{parameter}", $mode);
                    RedisTransport::connect(&address, &network).await.map(Self)
                }
            }

            impl Remote for Redis {
                fn broker() -> Option<Broker> {
                    Broker::redis("")
                }

                async fn connect(port: u16) -> Result<Self, ConnectError> {
                    Self::connect_as(port, "local_first=false").await
                }

                async fn connect_local_first(port: u16) -> Result<Self, ConnectError> {
                    Self::connect_as(port, "wait=true").await
                }

                fn transport(&self) -> Arc<dyn Transport> {
                    Arc::new(self.0.clone())
                }

                fn state(&self) -> watch::Receiver<ConnectionState> {
                    self.0.state()
                }
            }

            transport_conformance::recovery_tests!(Redis);
        }
    };
}

on_mode!(pubsub, "pubsub");
on_mode!(streams, "streams");

/// The state becomes `Closed`, and the inboxes end, even those that are catching up.
#[test]
fn a_transport_that_gives_up_closes_for_good() {
    run(|| async {
        for mode in ["pubsub", "streams"] {
            let Some(mut broker) = Broker::redis("") else { return };
            let config = RedisConfig::parse(&format!("{}?mode={mode}", broker.url())).expect("an address");
            let config = config.give_up_after(Duration::from_millis(500)).capacity(1).local_first(false);
            let network: NetworkId = "patient".parse().expect("a name");
            let transport = RedisTransport::connect_with(config, &network).await.expect("a connection");
            let mut inbox =
                transport.subscribe(&Address::Neuron("z".parse().expect("a name"))).await.expect("an inbox");
            let mut state = transport.state();
            for number in 0..10 {
                transport.send(numbered("a", "z", number)).await.expect("it is handed over");
            }
            // The other envelopes wait for room.
            timeout(SOON, inbox.next()).await.expect("one arrives").expect("the inbox is open");
            broker.kill();
            let closed = state.wait_for(|state| *state == ConnectionState::Closed);
            timeout(SOON, closed).await.expect("it gives up").expect("it is told");
            let end = async { while inbox.next().await.is_some() {} };
            timeout(SOON, end).await.expect("it ends");
        }
    });
}
