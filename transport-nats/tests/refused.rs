//! Servers that answer, and do not serve this client.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    time::Duration,
};

use neuron_core::NetworkId;
use transport_conformance::{Broker, run};
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

/// A server that waits for a TLS greeting, as one with `handshake_first` does, without a
/// certificate.
fn server_that_begins_with_tls() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it has an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.expect("a client");
            // The client's own connection waits as well, until its end of it is closed.
            std::thread::spawn(move || {
                let mut greeting = [0; 5];
                if client.read_exact(&mut greeting).is_ok() && greeting[0] == 22 {
                    client.write_all(&[21, 3, 3, 0, 2, 2, 50]).expect("the client listens");
                }
            });
        }
    });
    port
}

#[test]
fn a_server_that_begins_with_tls_is_told() {
    run(|| async {
        let address = format!("nats://127.0.0.1:{}", server_that_begins_with_tls());
        let error = NatsTransport::connect(&address, &network()).await.expect_err("it expects TLS");
        assert!(matches!(error, ConnectError::NotABroker { .. }), "{error:?}");
        assert!(format!("{error:?}").contains("handshake_first"), "{error:?}");
    });
}
