//! Connections with TLS, and what a build without TLS says of servers that demand it.

use std::process::Command;

#[cfg(feature = "tls")]
use futures_util::StreamExt as _;
use neuron_core::NetworkId;
#[cfg(feature = "tls")]
use neuron_core::transport::{Address, Transport as _};
#[cfg(feature = "tls")]
use transport_conformance::numbered;
use transport_conformance::{Broker, run};
use transport_nats::{ConnectError, NatsTransport};
#[cfg(not(feature = "tls"))]
use transport_nats::{ConnectionState, NatsConfig};

fn network() -> NetworkId {
    "tls".parse().expect("a name")
}

/// Makes an authority, and a certificate of this machine by it. They are made for each run, because
/// certificates expire.
const CERTIFICATES: &str = r"set -e
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=ca -days 2
openssl req $key -keyout server.key -out server.csr -subj /CN=localhost
printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile extensions";

/// Starts a broker without TLS and one that demands it. The folder of the first has the
/// certificates.
fn brokers() -> Option<(Broker, Broker)> {
    let plain = Broker::nats("")?;
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(plain.folder()).output();
    let made = made.expect("there is a shell");
    assert!(made.status.success(), "openssl makes no certificates: {}", String::from_utf8_lossy(&made.stderr));
    let folder = plain.folder().display();
    let config = format!("tls {{ cert_file: \"{folder}/server.pem\", key_file: \"{folder}/server.key\" }}");
    Some((plain, Broker::nats(&config)?))
}

#[cfg(feature = "tls")]
#[test]
fn a_broker_with_a_certificate_is_trusted_if_its_authority_is() {
    run(|| async {
        let Some((plain, broker)) = brokers() else { return };
        let folder = plain.folder().display();
        let address = format!("tls://127.0.0.1:{}?ca={folder}/ca.pem&local_first=false", broker.port());
        let transport = NatsTransport::connect(&address, &network()).await.expect("the authority is trusted");
        let mut inbox = transport.subscribe(&Address::Neuron("z".parse().expect("a name"))).await.expect("an inbox");
        transport.send(numbered("a", "z", 7)).await.expect("it is handed over");
        assert_eq!(inbox.next().await, Some(numbered("a", "z", 7)));
        for port in [broker.port(), plain.port()] {
            let error = NatsTransport::connect(&format!("tls://127.0.0.1:{port}"), &network()).await;
            let error = error.expect_err("it is not trusted, or has no certificate");
            assert!(matches!(error, ConnectError::NotABroker { .. }), "{error:?}");
            assert!(error.to_string().contains("certificate"), "{error}");
            assert_eq!(error.to_string().contains("begins with nats://"), port == plain.port(), "{error}");
        }
        let missing =
            NatsTransport::connect(&format!("nats://127.0.0.1:{}?ca=/nowhere", broker.port()), &network()).await;
        assert!(
            matches!(&missing, Err(ConnectError::Local(error)) if error.to_string().contains("/nowhere")),
            "{missing:?}"
        );
    });
}

/// The address does not ask for TLS, but the broker does: at the first connection, and at a later
/// one.
#[cfg(not(feature = "tls"))]
#[test]
fn a_broker_that_demands_tls_is_reported_in_a_build_without_it() {
    run(|| async {
        let Some((mut plain, broker)) = brokers() else { return };
        let error = NatsTransport::connect(&broker.url(), &network()).await.expect_err("there is no TLS");
        assert!(matches!(error, ConnectError::WithoutTls { .. }), "{error:?}");
        assert!(error.to_string().contains("enable the feature `tls` of `transport-nats`"), "{error}");
        // With `wait=true` it is no broker that will come.
        let config = NatsConfig::parse(&broker.url()).expect("an address").wait_for_broker(true);
        let error = NatsTransport::connect_with(config, &network()).await.expect_err("there is no TLS");
        assert!(matches!(error, ConnectError::WithoutTls { .. }), "{error:?}");

        let transport = NatsTransport::connect(&plain.url(), &network()).await.expect("it needs no TLS");
        let folder = plain.folder().display();
        let config = format!("tls {{ cert_file: \"{folder}/server.pem\", key_file: \"{folder}/server.key\" }}");
        plain.kill();
        plain.configure(&config);
        plain.start_again();
        let fails = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { attempts: 3.., .. });
        let mut state = transport.state();
        let told = tokio::time::timeout(std::time::Duration::from_secs(20), state.wait_for(fails)).await;
        assert!(told.is_ok_and(|told| told.is_ok()), "{:?}", transport.state().borrow());
        // It goes on as soon as the broker is as before.
        plain.kill();
        plain.configure("");
        plain.start_again();
        let connected = state.wait_for(|state| *state == ConnectionState::Connected);
        let connected = tokio::time::timeout(std::time::Duration::from_secs(20), connected).await;
        assert!(connected.is_ok_and(|told| told.is_ok()), "{:?}", transport.state().borrow());
    });
}
