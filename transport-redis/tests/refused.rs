//! Servers that answer, and do not serve this client.

use std::time::Duration;

use neuron_core::NetworkId;
use transport_conformance::{Broker, run, tls_only_server};
use transport_redis::{ConnectError, ConnectionState, RedisConfig, RedisTransport};

fn network() -> NetworkId {
    "refused".parse().expect("a name")
}

#[test]
fn a_database_that_the_server_does_not_have_is_told() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let error = RedisTransport::connect(&format!("{}/99", broker.url()), &network()).await.expect_err("it has 16");
        assert!(matches!(error, ConnectError::BadUrl { .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.contains("DB index is out of range") && told.contains("`databases`"), "{told}");
        RedisTransport::connect(&format!("{}/15", broker.url()), &network()).await.expect("it has this one");
    });
}

#[test]
fn a_server_with_too_many_clients_is_told_and_can_be_waited_for() {
    run(|| async {
        let Some(broker) = Broker::redis("maxclients 1") else { return };
        let first = RedisTransport::connect(&broker.url(), &network()).await.expect("there is room for one");
        let error = RedisTransport::connect(&broker.url(), &network()).await.expect_err("there is no more room");
        assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
        let told = format!("{error:?}");
        assert!(told.contains("max number of clients reached") && told.contains("`maxclients`"), "{told}");
        let config = RedisConfig::parse(&broker.url()).expect("an address").wait_for_broker(true);
        let second = RedisTransport::connect_with(config, &network()).await.expect("it waits");
        drop(first);
        let mut state = second.state();
        let connected = state.wait_for(|state| *state == ConnectionState::Connected);
        tokio::time::timeout(Duration::from_secs(20), connected).await.expect("in time").expect("there is room again");
    });
}

#[test]
fn a_server_that_expects_tls_is_told() {
    run(|| async {
        let address = format!("redis://127.0.0.1:{}", tls_only_server());
        for wait in [false, true] {
            let config = RedisConfig::parse(&address).expect("an address").wait_for_broker(wait);
            let error = RedisTransport::connect_with(config, &network()).await.expect_err("it expects TLS");
            assert!(matches!(error, ConnectError::NotABroker { .. }), "{error:?}");
            assert!(error.to_string().contains("the address begins with rediss://"), "{error}");
        }
    });
}
