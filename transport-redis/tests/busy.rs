//! Servers that are held up by a script that does not end.

use std::time::Duration;

use futures_util::StreamExt as _;
use neuron_core::{
    NetworkId,
    transport::{Address, Inbox, Transport as _},
};
use redis::aio::MultiplexedConnection;
use tokio::time::{sleep, timeout};
use transport_conformance::{Broker, NetworkCondition, Proxy, numbered, run};
use transport_redis::{ConnectionState, RedisTransport};

/// How long each step may take.
const SOON: Duration = Duration::from_secs(5);

fn neuron(name: &str) -> Address {
    Address::Neuron(name.parse().expect("a name"))
}

async fn connect(port: u16, mode: &str) -> RedisTransport {
    let network: NetworkId = "busy".parse().expect("a name");
    let address = format!("redis://127.0.0.1:{port}?mode={mode}&local_first=false");
    RedisTransport::connect(&address, &network).await.expect("the server is there")
}

/// Starts a server that reports to be busy once a script has taken 0.1 s.
fn impatient() -> Option<Broker> {
    Broker::redis("busy-reply-threshold 100")
}

/// Connects a plain client.
async fn bare(broker: &Broker) -> MultiplexedConnection {
    let client = redis::Client::open(broker.url()).expect("an address");
    client.get_multiplexed_async_connection().await.expect("the server is there")
}

/// Runs a script that holds the server up, and waits until it does.
async fn hold_up(broker: &Broker) {
    let mut spinning = bare(broker).await;
    tokio::spawn(async move {
        // It ends with an error when it is killed.
        let _ = redis::cmd("EVAL").arg("while true do end").arg(0).exec_async(&mut spinning).await;
    });
    let mut asking = bare(broker).await;
    let busy = async {
        while redis::cmd("GET").arg("x").exec_async(&mut asking).await.map_err(|error| error.code() == Some("BUSY"))
            != Err(true)
        {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, busy).await.expect("it is held up");
}

/// Kills the script.
async fn let_go(broker: &Broker) {
    redis::cmd("SCRIPT").arg("KILL").exec_async(&mut bare(broker).await).await.expect("a script runs");
}

async fn becomes(transport: &RedisTransport, wanted: impl Fn(&ConnectionState) -> bool) {
    let mut state = transport.state();
    let waited = timeout(SOON, state.wait_for(|state| wanted(state))).await;
    assert!(waited.is_ok_and(|state| state.is_ok()), "the state is not as wanted");
}

/// Sends an envelope, and checks that it arrives.
async fn receives(transport: &RedisTransport, inbox: &mut Inbox, name: &str) {
    transport.send(numbered("a", name, 7)).await.expect("it is handed over");
    let received = timeout(SOON, inbox.next()).await.expect("it arrives");
    assert_eq!(received, Some(numbered("a", name, 7)));
}

#[test]
fn a_server_that_is_held_up_at_a_reconnect_ends_no_inbox() {
    run(|| async {
        for mode in ["pubsub", "streams"] {
            let Some(broker) = impatient() else { return };
            let proxy = Proxy::start(broker.port()).await;
            let transport = connect(proxy.port(), mode).await;
            let mut inbox = transport.subscribe(&neuron("z")).await.expect("an inbox");
            hold_up(&broker).await;
            proxy.set(NetworkCondition::Reset);
            becomes(&transport, |state| *state != ConnectionState::Connected).await;
            proxy.set(NetworkCondition::Fair);
            becomes(
                &transport,
                |state| matches!(state, ConnectionState::Reconnecting { why, .. } if why.contains("BUSY")),
            )
            .await;
            let_go(&broker).await;
            becomes(&transport, |state| *state == ConnectionState::Connected).await;
            receives(&transport, &mut inbox, "z").await;
        }
    });
}

#[test]
fn an_inbox_that_is_requested_while_the_server_is_held_up_is_opened_later() {
    run(|| async {
        for mode in ["pubsub", "streams"] {
            let Some(broker) = impatient() else { return };
            let transport = connect(broker.port(), mode).await;
            hold_up(&broker).await;
            let letting_go = async {
                // Long enough for several attempts.
                sleep(Duration::from_millis(300)).await;
                let_go(&broker).await;
            };
            let z = neuron("z");
            let (inbox, ()) = tokio::join!(transport.subscribe(&z), letting_go);
            receives(&transport, &mut inbox.expect("it is opened"), "z").await;
            assert_eq!(transport.counts().reconnects, 0);
        }
    });
}
