//! What is particular to mode JetStream: the broker keeps messages.

use std::time::Duration;

use futures_util::StreamExt as _;
use neuron_core::{
    NetworkId,
    command::{Command, Request},
    transport::{Address, Envelope, Inbox, Transport as _},
};
use tokio::time::{Instant, timeout};
use transport_conformance::{Broker, NetworkCondition, Proxy, run};
use transport_nats::{ConnectError, ConnectionState, NatsConfig, NatsMode, NatsTransport};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

fn network() -> NetworkId {
    "kept".parse().expect("a name")
}

async fn connect(port: u16, lifetime: Duration, capacity: usize) -> NatsTransport {
    let config = NatsConfig::parse(&format!("nats://127.0.0.1:{port}")).expect("an address");
    let config = config.mode(NatsMode::JetStream).local_first(false).lifetime(lifetime).capacity(capacity);
    NatsTransport::connect_with(config, &network()).await.expect("a connection")
}

async fn subscribe(transport: &NatsTransport) -> Inbox {
    transport.subscribe(&Address::Neuron("z".parse().expect("a name"))).await.expect("an inbox")
}

async fn send(transport: &NatsTransport, numbers: std::ops::Range<u64>) {
    for id in numbers {
        let request = Box::new(Request::new(id, Command::Output { after: neuron_core::Tag::ORIGIN }));
        let (from, to) = ("a".parse().expect("a name"), "z".parse().expect("a name"));
        transport.send(Envelope::Request { from, to, request }).await.expect("it is handed over");
    }
}

async fn next(inbox: &mut Inbox) -> u64 {
    match timeout(Duration::from_secs(10), inbox.next()).await.expect("another one arrives") {
        Some(Envelope::Request { request, .. }) => request.id,
        other => panic!("a request is expected, not {other:?}"),
    }
}

async fn expect(inbox: &mut Inbox, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(next(inbox).await, number);
    }
}

async fn becomes(transport: &NatsTransport, wanted: impl Fn(&ConnectionState) -> bool) {
    let mut state = transport.state();
    let waited = timeout(Duration::from_secs(5), state.wait_for(|state| wanted(state))).await;
    assert!(waited.is_ok_and(|state| state.is_ok()), "the state is not as wanted");
}

#[test]
fn what_is_sent_while_its_receiver_is_away_arrives_later() {
    run(|| async {
        let Some(broker) = Broker::nats("") else { return };
        let sender = connect(broker.port(), LONG, 100).await;
        let receiver = connect(broker.port(), LONG, 100).await;
        let mut inbox = subscribe(&receiver).await;
        send(&sender, 0..10).await;
        expect(&mut inbox, 0..10).await;
        drop(receiver);
        drop(inbox);
        send(&sender, 10..20).await;
        let receiver = connect(broker.port(), LONG, 100).await;
        let mut inbox = subscribe(&receiver).await;
        let first = next(&mut inbox).await;
        // Messages that were not acknowledged before it went away may come again.
        expect(&mut inbox, first + 1..20).await;
        assert!(first <= 10, "those between 10 and {first} are lost");
        // The same with an orderly end.
        drop(inbox);
        drop(receiver);
        send(&sender, 20..30).await;
        let receiver = connect(broker.port(), LONG, 100).await;
        let mut inbox = subscribe(&receiver).await;
        let first = next(&mut inbox).await;
        expect(&mut inbox, first + 1..30).await;
        assert!(first <= 20, "those between 20 and {first} are lost");
    });
}

#[test]
fn what_is_on_the_disk_of_the_broker_survives_it() {
    run(|| async {
        let Some(mut broker) = Broker::nats("") else { return };
        let config =
            NatsConfig::parse(&format!("{}?mode=jetstream&storage=file&lifetime=10m&local_first=false", broker.url()));
        let config = config.expect("an address");
        let connect = || async { NatsTransport::connect_with(config.clone(), &network()).await.expect("a connection") };
        let receiver = connect().await;
        drop(subscribe(&receiver).await);
        drop(receiver);
        let sender = connect().await;
        send(&sender, 0..10).await;
        // When the broker writes to its disk cannot be observed from here.
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(sender);
        broker.kill();
        broker.start_again();
        let receiver = connect().await;
        let mut inbox = subscribe(&receiver).await;
        expect(&mut inbox, 0..10).await;
    });
}

#[test]
fn what_has_waited_for_longer_than_it_lasts_is_skipped() {
    run(|| async {
        let Some(broker) = Broker::nats("") else { return };
        let lifetime = Duration::from_millis(250);
        let sender = connect(broker.port(), lifetime, 100).await;
        drop(subscribe(&sender).await);
        send(&sender, 0..10).await;
        // The test is about elapsed time, so it has to wait.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let receiver = connect(broker.port(), lifetime, 100).await;
        let mut inbox = subscribe(&receiver).await;
        send(&sender, 10..20).await;
        expect(&mut inbox, 10..20).await;
        // The broker has removed the others, or this process has skipped them.
        assert!(receiver.counts().expired <= 10);
    });
}

#[test]
fn a_flood_waits_outside_a_small_inbox() {
    run(|| async {
        const FLOOD: u64 = 5000;
        let Some(broker) = Broker::nats("") else { return };
        let transport = connect(broker.port(), LONG, 4).await;
        let mut inbox = subscribe(&transport).await;
        send(&transport, 0..FLOOD).await;
        expect(&mut inbox, 0..FLOOD).await;
    });
}

#[test]
fn a_full_inbox_loses_nothing_and_doubles_nothing_when_the_connection_breaks() {
    run(|| async {
        const FLOOD: u64 = 3000;
        let Some(broker) = Broker::nats("") else { return };
        let proxy = Proxy::start(broker.port()).await;
        let (sender, receiver) = (connect(broker.port(), LONG, 4).await, connect(proxy.port(), LONG, 4).await);
        let mut inbox = subscribe(&receiver).await;
        send(&sender, 0..FLOOD).await;
        for round in 0..3 {
            expect(&mut inbox, round * 1000..round * 1000 + 500).await;
            proxy.set(NetworkCondition::Reset);
            becomes(&receiver, |state| *state != ConnectionState::Connected).await;
            proxy.set(NetworkCondition::Fair);
            expect(&mut inbox, round * 1000 + 500..(round + 1) * 1000).await;
            becomes(&receiver, |state| *state == ConnectionState::Connected).await;
        }
        assert_eq!(receiver.counts().reconnects, 3);
    });
}

#[test]
fn a_stream_that_is_removed_is_made_again() {
    run(|| async {
        let Some(broker) = Broker::nats("") else { return };
        let transport = connect(broker.port(), LONG, 100).await;
        let mut inbox = subscribe(&transport).await;
        let client = async_nats::connect(broker.url()).await.expect("the broker is there");
        let removed = async_nats::jetstream::new(client).delete_stream("NN_kept").await.expect("the stream is there");
        assert!(removed.success);
        let begin = Instant::now();
        becomes(&transport, |state| *state != ConnectionState::Connected).await;
        becomes(&transport, |state| *state == ConnectionState::Connected).await;
        assert!(begin.elapsed() < Duration::from_secs(3), "it took {:?}", begin.elapsed());
        send(&transport, 0..10).await;
        expect(&mut inbox, 0..10).await;
    });
}

#[test]
fn a_consumer_that_is_removed_is_made_again() {
    run(|| async {
        let Some(broker) = Broker::nats("") else { return };
        let transport = connect(broker.port(), LONG, 100).await;
        let mut inbox = subscribe(&transport).await;
        send(&transport, 0..10).await;
        expect(&mut inbox, 0..10).await;
        let client = async_nats::connect(broker.url()).await.expect("the broker is there");
        let context = async_nats::jetstream::new(client);
        let removed = context.delete_consumer_from_stream("n_z", "NN_kept").await.expect("the consumer is there");
        assert!(removed.success);
        send(&transport, 10..20).await;
        expect(&mut inbox, 10..20).await;
        assert_eq!(*transport.state().borrow(), ConnectionState::Connected);
    });
}

#[test]
fn a_process_that_takes_an_inbox_over_keeps_it() {
    run(|| async {
        let Some(broker) = Broker::nats("") else { return };
        let (first, second) = (connect(broker.port(), LONG, 100).await, connect(broker.port(), LONG, 100).await);
        let mut old = subscribe(&first).await;
        let mut new = subscribe(&second).await;
        // The old process notices after a while.
        let ended = timeout(Duration::from_secs(10), old.next()).await.expect("it ends");
        assert_eq!(ended, None);
        send(&second, 0..10).await;
        expect(&mut new, 0..10).await;
    });
}

#[test]
fn a_server_without_jetstream_says_so_at_once() {
    run(|| async {
        let Some(broker) = Broker::nats("jetstream: disabled") else { return };
        let begin = Instant::now();
        let error = NatsTransport::connect(&format!("{}?mode=jetstream", broker.url()), &network()).await;
        let error = error.expect_err("it has none");
        assert!(matches!(error, ConnectError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("mode=core"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(3), "it took {:?}", begin.elapsed());
    });
}

/// The connection stands and the broker answers, but JetStream does not: here because the user may
/// not use it any more.
#[test]
fn a_jetstream_that_stops_answering_is_noticed() {
    run(|| async {
        let config = |asks: &str| {
            format!(
                r#"authorization {{ users: [ {{ user: z, password: secret, permissions: {{
                    publish: ["nn.v1.kept.>", "$JS.ACK.>", {asks}], subscribe: ["_INBOX.>"]
                }} }} ] }}"#
            )
        };
        let may = config(r#""$JS.API.>""#);
        let Some(mut broker) = Broker::nats(&may) else { return };
        let address = format!("nats://z:secret@127.0.0.1:{}?mode=jetstream&lifetime=1h", broker.port());
        let transport = NatsTransport::connect(&address, &network()).await.expect("a connection");
        let mut inbox = subscribe(&transport).await;
        broker.reconfigure(&config(r#""$JS.API.INFO""#));
        let mut state = transport.state();
        let lost = state
            .wait_for(|state| matches!(state, ConnectionState::Reconnecting { why, .. } if why.contains("JetStream")));
        timeout(Duration::from_secs(20), lost).await.expect("it is noticed").expect("it is announced");
        broker.reconfigure(&may);
        becomes(&transport, |state| *state == ConnectionState::Connected).await;
        send(&transport, 0..10).await;
        expect(&mut inbox, 0..10).await;
    });
}
