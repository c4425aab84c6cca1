//! Servers that answer, and do not serve this client.

use std::time::Duration;

use neuron_core::NetworkId;
use transport_conformance::{Broker, run, tls_only_server};
use transport_nats::{ConnectError, ConnectionState, NatsConfig, NatsTransport};

fn network() -> NetworkId {
    "refused".parse().expect("a name")
}

#[test]
fn a_server_with_too_many_connections_is_told_and_can_be_waited_for() {
    run(|| async {
        let Some(broker) = Broker::nats("max_connections: 1") else { return };
        let first = NatsTransport::connect(&broker.url(), &network()).await.expect("there is room for one");
        let error = NatsTransport::connect(&broker.url(), &network()).await.expect_err("there is no more room");
        assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
        let told = format!("{error:?}");
        assert!(told.contains("maximum connections exceeded") && told.contains("`max_connections`"), "{told}");
        let config = NatsConfig::parse(&broker.url()).expect("an address").wait_for_broker(true);
        let second = NatsTransport::connect_with(config, &network()).await.expect("it waits");
        drop(first);
        let mut state = second.state();
        let connected = state.wait_for(|state| *state == ConnectionState::Connected);
        tokio::time::timeout(Duration::from_secs(20), connected).await.expect("in time").expect("there is room again");
    });
}

#[test]
fn a_server_that_begins_with_tls_is_told() {
    run(|| async {
        let address = format!("nats://127.0.0.1:{}", tls_only_server());
        let error = NatsTransport::connect(&address, &network()).await.expect_err("it expects TLS");
        assert!(matches!(error, ConnectError::NotABroker { .. }), "{error:?}");
        assert!(format!("{error:?}").contains("handshake_first"), "{error:?}");
    });
}
