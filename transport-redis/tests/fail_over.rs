//! Masters that become replicas, and addresses that name several servers.

use std::time::Duration;

use futures_util::StreamExt as _;
use neuron_core::{
    NetworkId,
    transport::{Address, Transport as _},
};
use redis::aio::MultiplexedConnection;
use tokio::time::timeout;
use transport_conformance::{Broker, numbered, run};
use transport_redis::{ConnectError, ConnectionState, RedisConfig, RedisTransport};

/// How soon each change is noticed.
const SOON: Duration = Duration::from_secs(10);

fn network() -> NetworkId {
    "failover".parse().expect("a name")
}

fn neuron(name: &str) -> Address {
    Address::Neuron(name.parse().expect("a name"))
}

async fn admin(broker: &Broker) -> MultiplexedConnection {
    let client = redis::Client::open(broker.url()).expect("an address");
    client.get_multiplexed_async_connection().await.expect("the server is there")
}

async fn replicate(replica: &Broker, host: &str, port: &str) {
    redis::cmd("REPLICAOF").arg(host).arg(port).exec_async(&mut admin(replica).await).await.expect("it obeys");
}

/// Starts a master and a replica of it.
async fn pair() -> Option<(Broker, Broker)> {
    let (master, replica) = (Broker::redis("")?, Broker::redis("")?);
    replicate(&replica, "127.0.0.1", &master.port().to_string()).await;
    Some((master, replica))
}

/// Makes the replica the master, and the master its replica.
async fn fail_over(master: &Broker, replica: &Broker) {
    replicate(replica, "no", "one").await;
    replicate(master, "127.0.0.1", &replica.port().to_string()).await;
}

/// Returns an address that names both servers.
fn both(first: &Broker, second: &Broker, parameters: &str) -> String {
    format!("redis://127.0.0.1:{},127.0.0.1:{}/0?{parameters}", first.port(), second.port())
}

async fn connect(address: &str) -> RedisTransport {
    RedisTransport::connect(address, &network()).await.expect("one of the servers is a master")
}

/// Waits until the connection stands again.
async fn connected_again(transport: &RedisTransport, reconnects: u64) {
    let mut state = transport.state();
    let again =
        state.wait_for(|state| *state == ConnectionState::Connected && transport.counts().reconnects > reconnects);
    let result = timeout(SOON, again).await.map(drop);
    assert!(result.is_ok(), "it is still {:?}", *transport.state().borrow());
}

/// Sends until something arrives, because what was sent meanwhile may be lost.
async fn arrives(from: &RedisTransport, inbox: &mut neuron_core::transport::Inbox) {
    let mut number = 0;
    let arriving = async {
        loop {
            // An error means that the connection does not stand yet.
            let _ = from.send(numbered("a", "z", number)).await;
            number += 1;
            if let Ok(received) = timeout(Duration::from_millis(100), inbox.next()).await {
                break received;
            }
        }
    };
    assert!(timeout(SOON, arriving).await.expect("something arrives").is_some());
}

#[test]
fn a_replica_is_refused_and_the_next_server_is_tried() {
    run(|| async {
        let Some((master, replica)) = pair().await else { return };
        for mode in ["pubsub", "streams"] {
            let alone = format!("{}?mode={mode}", replica.url());
            let error = RedisTransport::connect(&alone, &network()).await.expect_err("it is a replica");
            assert!(matches!(error, ConnectError::Replica { .. }), "{mode}: {error:?}");
            let parameters = format!("mode={mode}&local_first=false");
            let here = connect(&both(&replica, &master, &parameters)).await;
            let there = connect(&both(&master, &replica, &parameters)).await;
            let mut inbox = here.subscribe(&neuron("z")).await.expect("an inbox");
            arrives(&there, &mut inbox).await;
        }
    });
}

#[test]
fn a_fail_over_is_followed() {
    run(|| async {
        for mode in ["pubsub", "streams"] {
            let Some((master, replica)) = pair().await else { return };
            let address = both(&master, &replica, &format!("mode={mode}&local_first=false"));
            let (sender, receiver) = (connect(&address).await, connect(&address).await);
            let mut inbox = receiver.subscribe(&neuron("z")).await.expect("an inbox");
            arrives(&sender, &mut inbox).await;
            fail_over(&master, &replica).await;
            // The connections stand. In mode pubsub not one message is refused.
            connected_again(&sender, 0).await;
            connected_again(&receiver, 0).await;
            arrives(&sender, &mut inbox).await;
            // A client that comes now finds the others.
            let late = connect(&both(&master, &replica, &format!("mode={mode}&local_first=false"))).await;
            arrives(&late, &mut inbox).await;
            fail_over(&replica, &master).await;
            connected_again(&sender, 1).await;
            connected_again(&receiver, 1).await;
            arrives(&sender, &mut inbox).await;
        }
    });
}

/// A write tells sooner than the regular question.
#[test]
fn a_write_to_a_master_that_has_become_a_replica_ends_the_connection() {
    run(|| async {
        let Some((master, replica)) = pair().await else { return };
        let transport = connect(&format!("{}?mode=streams&local_first=false", master.url())).await;
        fail_over(&master, &replica).await;
        let mut state = transport.state();
        let lost = state.wait_for(|state| {
            matches!(state, ConnectionState::Reconnecting { why, .. } if why.contains("replica") || why.contains("READONLY"))
        });
        transport.send(numbered("a", "z", 1)).await.expect("it is handed over");
        timeout(SOON, lost).await.expect("it is noticed").expect("it is told");
        // The only server of the address is a replica, and that is said until it is a master again.
        let named = state.wait_for(
            |state| matches!(state, ConnectionState::Reconnecting { attempts: 1.., why } if why.contains("is a replica")),
        );
        timeout(SOON, named).await.expect("it is tried").expect("it is told");
        fail_over(&replica, &master).await;
        connected_again(&transport, 0).await;
    });
}

#[test]
fn a_server_that_is_gone_is_passed_over_and_all_are_named_if_none_can_be_used() {
    run(|| async {
        let Some((mut master, replica)) = pair().await else { return };
        let address = both(&master, &replica, "mode=streams");
        let transport = connect(&address).await;
        master.kill();
        let error = RedisTransport::connect(&address, &network()).await.expect_err("there is no master");
        assert!(matches!(error, ConnectError::NoneUsable { .. }), "{error:?}");
        let told = error.to_string();
        for word in [&master.port().to_string(), &replica.port().to_string(), "refused", "is a replica"] {
            assert!(told.contains(word), "{word}: {told}");
        }
        let config = RedisConfig::parse(&address).expect("an address").wait_for_broker(true);
        let waiting = RedisTransport::connect_with(config, &network()).await.expect("it waits");
        replicate(&replica, "no", "one").await;
        connected_again(&transport, 0).await;
        let mut state = waiting.state();
        let connected = state.wait_for(|state| *state == ConnectionState::Connected);
        timeout(SOON, connected).await.expect("it is a master now").expect("it is told");
    });
}
