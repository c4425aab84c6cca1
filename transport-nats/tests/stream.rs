//! The stream of a network: who may create it, and what is refused.

use std::time::Duration;

use async_nats::{
    Client, ConnectOptions,
    jetstream::{self, stream},
};
use neuron_core::{Network, NetworkId, Time, hosts::Claim, transport::Transport as _, wire};
use tokio::time::{Instant, timeout};
use transport_conformance::{Broker, numbered, run};
use transport_nats::{ConnectError, ConnectionState, NatsConfig, NatsMode, NatsTransport, Permissions};

fn network() -> NetworkId {
    "home".parse().expect("a name")
}

/// Starts a broker with a user for each of two neurons and for `boss`, and one for the operator.
fn guarded() -> Option<Broker> {
    let network = Network::builder("home").neuron("x", |x| x).neuron("z", |z| z.weight("x", 1.0)).build();
    let permissions = Permissions::new(&network.expect("it is right"), "nn", NatsMode::JetStream);
    let config = permissions.controller(&"boss".parse().expect("a name")).config(|_| "secret".to_owned());
    let config = config.expect("it is plain").replace("users: [", "users: [\n { user: operator, password: secret }");
    Broker::nats(&config)
}

fn address(broker: &Broker, user: &str) -> String {
    format!("nats://{user}:secret@127.0.0.1:{}?mode=jetstream&local_first=false", broker.port())
}

/// Connects a plain client as a user.
async fn plain_client(broker: &Broker, user: &str) -> Client {
    let options = ConnectOptions::with_user_and_password(user.to_owned(), "secret".to_owned());
    let options = options.custom_inbox_prefix(format!("_INBOX.{user}"));
    options.connect(format!("127.0.0.1:{}", broker.port())).await.expect("the user is admitted")
}

/// Returns the configuration that the transports expect.
fn expected() -> stream::Config {
    let config = NatsConfig::parse("nats://localhost?mode=jetstream").expect("an address");
    serde_json::from_str(&config.stream_definition(&network())).expect("it is the definition of a stream")
}

async fn becomes(transport: &NatsTransport, wanted: impl Fn(&ConnectionState) -> bool) {
    let mut state = transport.state();
    let waited = timeout(Duration::from_secs(10), state.wait_for(|state| wanted(state))).await;
    assert!(waited.is_ok_and(|state| state.is_ok()), "it is {:?}", transport.state().borrow());
}

#[test]
fn a_device_may_not_create_the_stream_and_waits_for_it_if_it_is_told_to() {
    run(|| async {
        let Some(broker) = guarded() else { return };
        let begin = Instant::now();
        let error = NatsTransport::connect(&address(&broker, "x"), &network()).await.expect_err("there is no stream");
        assert!(matches!(error, ConnectError::NotPrepared { .. }), "{error:?}");
        assert!(error.to_string().contains("NN_home") && begin.elapsed() < Duration::from_secs(5), "{error}");
        let waiting = NatsTransport::connect(&(address(&broker, "x") + "&wait=true"), &network()).await;
        let waiting = waiting.expect("it waits");
        becomes(&waiting, |state| matches!(state, ConnectionState::Reconnecting { .. })).await;
        let boss = NatsTransport::connect(&address(&broker, "boss"), &network()).await.expect("it creates the stream");
        becomes(&waiting, |state| *state == ConnectionState::Connected).await;
        // The broker has lost its memory. The device waits for the boss again.
        let operator = jetstream::new(plain_client(&broker, "operator").await);
        drop(boss);
        operator.delete_stream("NN_home").await.expect("it is there");
        becomes(&waiting, |state| matches!(state, ConnectionState::Reconnecting { .. })).await;
        let _boss = NatsTransport::connect(&address(&broker, "boss"), &network()).await.expect("it creates the stream");
        becomes(&waiting, |state| *state == ConnectionState::Connected).await;
    });
}

#[test]
fn a_stream_that_differs_in_any_field_is_refused_with_the_name_of_the_field() {
    run(|| async {
        let Some(broker) = guarded() else { return };
        let operator = jetstream::new(plain_client(&broker, "operator").await);
        let other = stream::Config { name: "OTHER".to_owned(), subjects: vec!["other".to_owned()], ..expected() };
        operator.create_stream(other).await.expect("another stream");
        let source = || stream::Source { name: "OTHER".to_owned(), ..stream::Source::default() };
        let republish = stream::Republish { source: ">".into(), destination: "spy.>".into(), headers_only: false };
        let is = expected;
        for (field, config) in [
            ("republish", stream::Config { republish: Some(republish), ..is() }),
            ("sources", stream::Config { sources: Some(vec![source()]), ..is() }),
            ("mirror", stream::Config { mirror: Some(source()), subjects: Vec::new(), ..is() }),
            ("retention", stream::Config { retention: stream::RetentionPolicy::Interest, ..is() }),
            ("discard", stream::Config { discard: stream::DiscardPolicy::New, ..is() }),
            ("storage", stream::Config { storage: stream::StorageType::File, ..is() }),
            ("max_age", stream::Config { max_age: Duration::from_secs(9), ..is() }),
            ("max_msgs", stream::Config { max_messages: 1, ..is() }),
            ("max_bytes", stream::Config { max_bytes: 100, ..is() }),
            ("max_msg_size", stream::Config { max_message_size: 1, ..is() }),
            ("max_consumers", stream::Config { max_consumers: 1, ..is() }),
            ("no_ack", stream::Config { no_ack: true, ..is() }),
            ("allow_direct", stream::Config { allow_direct: true, ..is() }),
            ("allow_rollup_hdrs", stream::Config { allow_rollup: true, deny_purge: false, ..is() }),
            ("deny_delete", stream::Config { deny_delete: false, ..is() }),
            ("deny_purge", stream::Config { deny_purge: false, ..is() }),
            ("duplicate_window", stream::Config { duplicate_window: Duration::from_secs(1), ..is() }),
            ("subjects", stream::Config { subjects: vec!["nn.v1.home.>".into(), "spy".into()], ..is() }),
        ] {
            operator.create_stream(config).await.unwrap_or_else(|error| panic!("{field}: {error}"));
            for user in ["x", "boss"] {
                let error = NatsTransport::connect(&address(&broker, user), &network()).await.expect_err(field);
                assert!(matches!(error, ConnectError::Unsupported { .. }), "{field}: {error:?}");
                let first = if field == "allow_rollup_hdrs" || field == "mirror" { "" } else { field };
                assert!(error.to_string().contains(&format!("`{first}")), "{field}: {error}");
            }
            operator.delete_stream("NN_home").await.expect("it is there");
        }
        // The address asks for another one than the one that exists.
        operator.create_stream(expected()).await.expect("the stream");
        for (parameter, field) in [("storage=file", "storage"), ("lifetime=3s", "max_age")] {
            let address = format!("{}&{parameter}", address(&broker, "x"));
            let error = NatsTransport::connect(&address, &network()).await.expect_err(parameter).to_string();
            assert!(error.contains(&format!("`{field}` is")) && error.contains("and should be"), "{error}");
        }
        NatsTransport::connect(&address(&broker, "x"), &network()).await.expect("the operator's stream is right");
    });
}

#[test]
fn a_stream_that_is_changed_while_it_is_used_is_noticed() {
    run(|| async {
        let Some(broker) = guarded() else { return };
        let boss = NatsTransport::connect(&address(&broker, "boss"), &network()).await.expect("it creates the stream");
        let operator = jetstream::new(plain_client(&broker, "operator").await);
        operator.update_stream(stream::Config { max_messages: 7, ..expected() }).await.expect("it may");
        let named = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { why, .. } if why.contains("`max_msgs` is 7"));
        becomes(&boss, named).await;
        operator.update_stream(expected()).await.expect("it may");
        becomes(&boss, |state| *state == ConnectionState::Connected).await;
    });
}

/// The broker sends the acknowledgement of a message to the subject that its sender names, without
/// asking what that user may send to.
#[test]
fn an_acknowledgement_that_is_sent_to_the_broker_itself_removes_nothing() {
    run(|| async {
        let Some(broker) = guarded() else { return };
        let boss = NatsTransport::connect(&address(&broker, "boss"), &network()).await.expect("it creates the stream");
        let x = plain_client(&broker, "x").await;
        for _ in 0..3 {
            x.publish("nn.v1.home.sig.z.x", "?".into()).await.expect("it is sent");
        }
        for what in ["PURGE.NN_home", "MSG.DELETE.NN_home", "DELETE.NN_home", "UPDATE.NN_home", "CREATE.SPY"] {
            let reply = format!("$JS.API.STREAM.{what}");
            x.publish_with_reply("nn.v1.home.sig.z.x", reply, "?".into()).await.expect("it is sent");
        }
        x.flush().await.expect("the broker is there");
        let operator = jetstream::new(plain_client(&broker, "operator").await);
        let count = async || operator.get_stream("NN_home").await.expect("it is there").cached_info().state.messages;
        assert_eq!(count().await, 8);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(count().await, 8);
        operator.get_stream("SPY").await.expect_err("it was not created");
        assert_eq!(*boss.state().borrow(), ConnectionState::Connected);
    });
}

/// A claim to z of a host that has drawn this number.
fn claim(id: u64) -> Claim {
    let (neuron, host) = ("z".parse().expect("a name"), "pi1".parse().expect("a name"));
    Claim { neuron, host, id, since: Time::from_micros(1), is_established: true, answers: None }
}

/// The broker delivers to the subject that a consumer names, without asking what its user may send
/// to.
#[test]
fn what_a_consumer_delivers_reaches_neither_an_inbox_nor_the_broker_itself() {
    run(|| async {
        let Some(broker) = guarded() else { return };
        let _boss = NatsTransport::connect(&address(&broker, "boss"), &network()).await.expect("it creates the stream");
        // Another network on the same broker, whose messages are not kept.
        let neighbour = format!("nats://operator:secret@127.0.0.1:{}?local_first=false", broker.port());
        let neighbour = NatsTransport::connect(&neighbour, &"next".parse().expect("a name")).await;
        let neighbour = neighbour.expect("a connection");
        let at = neuron_core::transport::Address::Neuron("z".parse().expect("a name"));
        let mut inbox = neighbour.subscribe(&at).await.expect("an inbox");
        let mut claims = neighbour.subscribe_claims().await.expect("claims can be heard");
        let x = plain_client(&broker, "x").await;
        let update = r#"{"name":"NN_home","subjects":["nn.v1.home.>"],"storage":"memory","max_age":1000000000}"#;
        let forged = wire::encode_claim(&claim(1)).expect("it can be written");
        for (subject, payload) in [
            ("nn.v1.home.sig.z.boss", b"?".as_slice()),
            ("nn.v1.next.sig.z.h1", b"?"),
            ("$JS.API.STREAM.UPDATE.NN_home", update.as_bytes()),
            ("$JS.API.STREAM.DELETE.NN_home", b""),
            ("_INBOX.boss.1", b"?"),
            ("_INBOX.operator.nn.v1.next.claim", forged.as_slice()),
        ] {
            let body = format!(
                r#"{{"stream_name":"NN_home","config":{{"durable_name":"n_x","name":"n_x","deliver_subject":"{subject}",
                "filter_subject":"nn.v1.home.*.x.*","ack_policy":"none","deliver_policy":"all"}}}}"#
            );
            let _ = x.request("$JS.API.CONSUMER.DELETE.NN_home.n_x", "".into()).await.expect("an answer");
            let asking = x.request("$JS.API.CONSUMER.CREATE.NN_home.n_x.nn.v1.home.*.x.*", body.into());
            asking.await.expect("an answer");
            x.publish("nn.v1.home.sig.x.x", payload.to_vec().into()).await.expect("it is sent");
            x.flush().await.expect("the broker is there");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // Only what its sender is permitted arrives.
        neighbour.send(numbered("a", "z", 1)).await.expect("it is handed over");
        let first = timeout(Duration::from_secs(5), futures_util::StreamExt::next(&mut inbox)).await;
        assert_eq!(first.expect("it arrives"), Some(numbered("a", "z", 1)));
        neighbour.send_claim(claim(2)).await.expect("it is handed over");
        let first = timeout(Duration::from_secs(5), futures_util::StreamExt::next(&mut claims)).await;
        assert_eq!(first.expect("it arrives"), Some(claim(2)));
        let counts = neighbour.counts();
        // The last consumer has delivered all six messages as claims, which were refused.
        assert_eq!((counts.received, counts.unreadable), (1, 6), "{counts:?}");
        let operator = jetstream::new(plain_client(&broker, "operator").await);
        let found = operator.get_stream("NN_home").await.expect("it is there").cached_info().config.max_age;
        assert_eq!(found, expected().max_age);
    });
}
