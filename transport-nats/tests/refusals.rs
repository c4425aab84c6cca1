//! Brokers that refuse messages or subscriptions: what is told, where and how often.

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use neuron_core::{
    Network, NetworkId,
    actor::{ControlError, Controller, Host, HostError},
    command::Refusal,
    transport::{Address, Transport as _, TransportErrorKind},
};
use tokio::time::timeout;
use transport_conformance::{Broker, numbered, run, until};
use transport_nats::{ConnectionState, NatsTransport};

/// How soon each change is noticed.
const SOON: Duration = Duration::from_secs(10);

/// Sooner than a call gives up.
const AT_ONCE: Duration = Duration::from_secs(3);

fn network_id() -> NetworkId {
    "refusals".parse().expect("a name")
}

fn neuron(name: &str) -> Address {
    Address::Neuron(name.parse().expect("a name"))
}

fn network() -> Network {
    Network::builder("refusals").neuron("y", |y| y.threshold(0.5)).build().expect("it is right")
}

/// Connects in a mode, with messages within this process over the broker as well.
async fn connect(broker: &Broker, login: &str, parameters: &str) -> NatsTransport {
    let address = format!("nats://{login}127.0.0.1:{}?local_first=false&{parameters}", broker.port());
    NatsTransport::connect(&address, &network_id()).await.expect("the broker is there")
}

async fn becomes(transport: &NatsTransport, wanted: impl FnMut(&ConnectionState) -> bool) {
    let mut state = transport.state();
    let reached = timeout(SOON, state.wait_for(wanted)).await.is_ok_and(|reached| reached.is_ok());
    assert!(reached, "it is still {:?}", *transport.state().borrow());
}

#[test]
fn a_train_above_the_largest_message_fails_at_once_and_names_the_sizes() {
    run(|| async {
        for mode in ["core", "jetstream"] {
            let Some(broker) = Broker::nats("max_payload: 4096") else { return };
            let near = connect(&broker, "", &format!("mode={mode}")).await;
            let host = Host::start(network(), Arc::new(near)).await.expect("it starts");
            let far = connect(&broker, "", &format!("mode={mode}")).await;
            let controller = Controller::join(network(), Arc::new(far.clone())).await.expect("it joins");
            let begin = Instant::now();
            let error = controller.stimulate_train("y", &[1.0; 1000]).await.expect_err("it is too long");
            assert!(begin.elapsed() < AT_ONCE, "{mode}: it took {:?}", begin.elapsed());
            let ControlError::Send { source, .. } = &error else { panic!("{mode}: {error:?}") };
            assert_eq!(source.kind(), TransportErrorKind::Unsendable, "{mode}: {error:?}");
            let told = source.source().expect("it says why").to_string();
            assert!(told.contains("80") && told.contains("at most 4096"), "{mode}: {told}");
            assert!(far.counts().refused >= 1, "{mode}: {:?}", far.counts());
            controller.stimulate_train("y", &[1.0, 0.0, 1.0]).await.expect("a short one passes");
            host.stop().await;
        }
    });
}

#[test]
fn an_answer_above_the_largest_message_is_refused_at_once() {
    run(|| async {
        let Some(broker) = Broker::nats("max_payload: 4096") else { return };
        let network = Network::builder("refusals").neuron("y", |y| {
            (0..400).fold(y.threshold(0.5), |y, number| y.sensor(&format!("sensor-{number:05}"), 1.0))
        });
        let network = network.build().expect("it is right");
        let near = connect(&broker, "", "mode=core").await;
        let host = Host::start(network.clone(), Arc::new(near)).await.expect("it starts");
        let far = connect(&broker, "", "mode=core").await;
        let controller = Controller::join(network, Arc::new(far)).await.expect("it joins");
        let begin = Instant::now();
        let error = controller.config("y").await.expect_err("it is too long");
        assert!(matches!(error, ControlError::Refused { refusal: Refusal::TooLarge, .. }), "{error:?}");
        assert!(begin.elapsed() < AT_ONCE, "it took {:?}", begin.elapsed());
        host.stop().await;
    });
}

#[test]
fn what_waits_for_one_receiver_is_split_so_that_the_broker_takes_it() {
    run(|| async {
        for mode in ["core", "jetstream"] {
            let Some(broker) = Broker::nats("max_payload: 1024") else { return };
            let transport = connect(&broker, "", &format!("mode={mode}")).await;
            let mut inbox = transport.subscribe(&neuron("z")).await.expect("an inbox");
            for number in 0..1000 {
                transport.send(numbered("a", "z", number)).await.expect("it is handed over");
            }
            for number in 0..1000 {
                let received = timeout(SOON, inbox.next()).await.expect("it arrives");
                assert_eq!(received, Some(numbered("a", "z", number)), "{mode}");
            }
            until(|| transport.counts().sent == 1000).await;
            assert_eq!(transport.counts().refused, 0, "{mode}");
        }
    });
}

#[test]
fn one_subscription_too_many_is_told_to_the_caller() {
    run(|| async {
        for (mode, limit) in [("core", 3), ("jetstream", 4)] {
            let Some(broker) = Broker::nats(&format!("max_subscriptions: {limit}")) else { return };
            let transport = connect(&broker, "", &format!("mode={mode}")).await;
            let mut inboxes = Vec::new();
            let error = loop {
                let at = neuron(&format!("n{}", inboxes.len()));
                match timeout(SOON, transport.subscribe(&at)).await.expect("it answers") {
                    Ok(inbox) => inboxes.push(inbox),
                    Err(error) => break error,
                }
                assert!(inboxes.len() < 10, "{mode}: the broker takes them all");
            };
            assert!(!inboxes.is_empty(), "{mode}: {error:?}");
            assert_eq!(error.kind(), TransportErrorKind::Refused, "{mode}: {error:?}");
            assert!(
                format!("{error:?}").to_lowercase().contains("maximum subscriptions exceeded"),
                "{mode}: {error:?}"
            );
            let many = Network::builder("refusals")
                .neuron("a", |a| a.threshold(0.5))
                .neuron("b", |b| b.threshold(0.5))
                .neuron("c", |c| c.threshold(0.5))
                .build()
                .expect("it is right");
            let host = Host::start(many, Arc::new(transport.clone())).await;
            assert!(matches!(host, Err(HostError::Subscribe { .. })), "{mode}: {host:?}");
            // What was opened before goes on, as soon as the connection has left the host's thread.
            becomes(&transport, |state| *state == ConnectionState::Connected).await;
            let handed_over = transport.send(numbered("a", "n0", 7)).await;
            assert!(handed_over.is_ok(), "{mode}: {handed_over:?}");
            let received = timeout(SOON, inboxes[0].next()).await.expect("it arrives");
            assert_eq!(received, Some(numbered("a", "n0", 7)), "{mode}");
        }
    });
}

/// The limit is lowered while the broker is away.
#[test]
fn inboxes_that_are_not_subscribed_again_keep_the_connection_from_being_announced() {
    run(|| async {
        for (mode, limit) in [("core", 3), ("jetstream", 3)] {
            let Some(mut broker) = Broker::nats("") else { return };
            let transport = connect(&broker, "", &format!("mode={mode}")).await;
            let mut inboxes = Vec::new();
            for name in ["n0", "n1"] {
                inboxes.push(transport.subscribe(&neuron(name)).await.expect("an inbox"));
            }
            broker.kill();
            broker.configure(&format!("max_subscriptions: {limit}"));
            broker.start_again();
            let names_it = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { why, .. } if why.contains("maximum subscriptions"));
            becomes(&transport, names_it).await;
            broker.kill();
            broker.configure("");
            broker.start_again();
            becomes(&transport, |state| *state == ConnectionState::Connected).await;
            for (name, inbox) in ["n0", "n1"].into_iter().zip(&mut inboxes) {
                transport.send(numbered("a", name, 7)).await.expect("it is handed over");
                let received = timeout(SOON, inbox.next()).await.expect("it arrives");
                assert_eq!(received, Some(numbered("a", name, 7)), "{mode}");
            }
        }
    });
}

/// An account with little memory for its streams.
const LITTLE_ROOM: &str = "accounts { little { jetstream { max_mem: 65536, max_file: 65536 }, users: [{ user: me, \
                           password: secret }] } }";

/// Sends envelopes that take some of the room, and waits until each is counted. Returns how many
/// there were.
async fn send_many(transport: &NatsTransport, first: u64) -> u64 {
    for number in first..first + 100 {
        transport.send(numbered("a", "z", number)).await.expect("it is handed over");
    }
    until(|| transport.counts().sent + transport.counts().refused == first + 100).await;
    100
}

#[test]
fn a_full_stream_counts_as_refused_until_it_has_room_again() {
    run(|| async {
        let Some(broker) = Broker::nats(LITTLE_ROOM) else { return };
        let transport = connect(&broker, "me:secret@", "mode=jetstream&lifetime=3s").await;
        let mut sent = 0;
        let refusing = async {
            while !matches!(&*transport.state().borrow(), ConnectionState::Refusing { why } if why.contains("exceeded"))
            {
                sent += send_many(&transport, sent).await;
            }
        };
        timeout(SOON, refusing).await.expect("it is told");
        let counts = transport.counts();
        assert!(counts.refused > 0 && counts.unsent == 0, "{counts:?}");
        let last = transport.last_refusal(&neuron("z")).expect("there is one");
        assert!(last.reason.contains("exceeded") && last.count == counts.refused, "{last:?}, {counts:?}");
        // What is too old makes room.
        let taken = async {
            while transport.counts().sent == counts.sent {
                sent += send_many(&transport, sent).await;
            }
        };
        timeout(SOON, taken).await.expect("it has room again");
        becomes(&transport, |state| *state == ConnectionState::Connected).await;
        assert_eq!(transport.counts().reconnects, 0);
    });
}

/// Two users: one may do everything, the other makes no requests.
fn users(deny: &str) -> String {
    format!(
        "authorization {{ users: [{{ user: all, password: secret }}, {{ user: some, password: secret, permissions: {{ \
         publish: {{ deny: [{deny}] }} }} }}] }}"
    )
}

#[test]
fn the_error_of_a_call_has_the_words_of_the_broker_and_the_state_says_that_all_is_refused() {
    run(|| async {
        for mode in ["core", "jetstream"] {
            let Some(mut broker) = Broker::nats(&users("\"nn.v1.refusals.ctl.>\"")) else { return };
            let near = connect(&broker, "all:secret@", &format!("mode={mode}")).await;
            let host = Host::start(network(), Arc::new(near)).await.expect("it starts");
            let far = connect(&broker, "some:secret@", &format!("mode={mode}")).await;
            let controller = Controller::join(network(), Arc::new(far.clone())).await.expect("it joins");
            let impatient = controller.timeout(Duration::from_secs(3));
            let error = impatient.stimulate("y", 1.0).await.expect_err("it may not make requests");
            let ControlError::NoAnswer { source: Some(source), .. } = &error else { panic!("{mode}: {error:?}") };
            let words = source.source().expect("the broker has said something").to_string();
            assert!(words.contains("Permissions Violation for Publish"), "{mode}: {error:?}");
            assert!(far.counts().refused > 0, "{mode}: {:?}", far.counts());
            becomes(&far, |state| matches!(state, ConnectionState::Refusing { why } if why.contains("Violation")))
                .await;
            broker.reconfigure(&users(""));
            controller.timeout(SOON).stimulate("y", 1.0).await.expect("it answers now");
            host.stop().await;
        }
    });
}
