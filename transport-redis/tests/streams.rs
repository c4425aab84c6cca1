//! What is particular to mode streams: the server keeps messages.

use std::time::Duration;

use futures_util::StreamExt as _;
use neuron_core::{
    NetworkId,
    transport::{Address, Inbox, Transport as _},
};
use redis::aio::MultiplexedConnection;
use tokio::time::timeout;
use transport_conformance::{Broker, numbered, run};
use transport_redis::{RedisConfig, RedisTransport};

/// How long each step may take.
const SOON: Duration = Duration::from_secs(5);

async fn connect(broker: &Broker) -> RedisTransport {
    let network: NetworkId = "kept".parse().expect("a name");
    let address = format!("{}?mode=streams&lifetime=30s&local_first=false", broker.url());
    RedisTransport::connect(&address, &network).await.expect("the server is there")
}

async fn subscribe(transport: &RedisTransport) -> Inbox {
    transport.subscribe(&Address::Neuron("z".parse().expect("a name"))).await.expect("an inbox")
}

/// Connects a plain client.
async fn bare(broker: &Broker) -> MultiplexedConnection {
    let client = redis::Client::open(broker.url()).expect("an address");
    client.get_multiplexed_async_connection().await.expect("the server is there")
}

async fn send(transport: &RedisTransport, number: u64) {
    transport.send(numbered("a", "z", number)).await.expect("it is handed over");
}

/// Checks that the envelope with this number arrives next.
async fn expect(inbox: &mut Inbox, number: u64) {
    let received = timeout(SOON, inbox.next()).await.expect("another one arrives");
    assert_eq!(received, Some(numbered("a", "z", number)));
}

/// Waits until the cursor of z is saved at the server.
async fn saved(bare: &mut MultiplexedConnection) {
    let mut exists = redis::cmd("EXISTS");
    exists.arg("nn:v1:kept:read:n:z");
    let saved = async { while !exists.query_async::<bool>(bare).await.expect("an answer") {} };
    timeout(SOON, saved).await.expect("it is saved");
}

#[test]
fn what_is_sent_to_a_process_that_was_killed_arrives_later() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let sender = connect(&broker).await;
        let killed = connect(&broker).await;
        let inbox = subscribe(&killed).await;
        saved(&mut bare(&broker).await).await;
        // The process neither closes its inbox nor reads it any more.
        std::mem::forget((killed, inbox));
        send(&sender, 7).await;
        let later = connect(&broker).await;
        expect(&mut subscribe(&later).await, 7).await;
    });
}

#[test]
fn what_is_sent_between_an_orderly_end_and_the_next_start_arrives() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let sender = connect(&broker).await;
        let first = connect(&broker).await;
        let mut inbox = subscribe(&first).await;
        send(&sender, 1).await;
        expect(&mut inbox, 1).await;
        drop(inbox);
        drop(first);
        send(&sender, 2).await;
        let later = connect(&broker).await;
        let mut inbox = subscribe(&later).await;
        expect(&mut inbox, 2).await;
        send(&sender, 3).await;
        expect(&mut inbox, 3).await;
    });
}

/// An inbox asks which sources there are, and a source writes for the first time meanwhile.
#[test]
fn the_first_message_of_a_source_arrives_while_an_inbox_catches_up() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let mut bare = bare(&broker).await;
        for number in 0..50 {
            let transport = connect(&broker).await;
            let mut inbox = subscribe(&transport).await;
            let first = numbered(&format!("a{number}"), "z", number);
            transport.send(first.clone()).await.expect("it is handed over");
            assert_eq!(timeout(SOON, inbox.next()).await.expect("it arrives"), Some(first));
            saved(&mut bare).await;
        }
    });
}

/// The server's clock was ahead and has been set back since. The ids of the streams that began anew
/// lie before the saved cursors.
#[test]
fn a_clock_that_was_set_back_hides_no_message() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let mut bare = bare(&broker).await;
        let mut ahead = redis::cmd("HSET");
        ahead.arg("nn:v1:kept:read:n:z").arg("ctl:a").arg("32503680000000-0").arg("").arg("0-0");
        ahead.exec_async(&mut bare).await.expect("it is set");
        let transport = connect(&broker).await;
        // One message to catch up with, and one that comes while the inbox is open.
        send(&transport, 1).await;
        let mut inbox = subscribe(&transport).await;
        expect(&mut inbox, 1).await;
        send(&transport, 2).await;
        expect(&mut inbox, 2).await;
    });
}

#[test]
fn the_longest_lifetime_is_accepted() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let config =
            RedisConfig::parse(&format!("{}?mode=streams&local_first=false", broker.url())).expect("an address");
        let network: NetworkId = "kept".parse().expect("a name");
        let transport = RedisTransport::connect_with(config.lifetime(Duration::MAX), &network).await;
        let transport = transport.expect("the server is there");
        let mut inbox = subscribe(&transport).await;
        send(&transport, 1).await;
        expect(&mut inbox, 1).await;
        assert_eq!(transport.counts().refused, 0);
    });
}
