//! One user for each neuron: what the broker permits each, and what it refuses.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{Client, ConnectOptions, Event, jetstream};
use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::{
    Network,
    actor::{Host, HostError},
    transport::Transport as _,
};
use tokio::{sync::mpsc, time::timeout};
use transport_conformance::{Broker, least_privilege, numbered, run, until};
use transport_nats::{NatsMode, NatsTransport, Permissions};

const XOR: &str = include_str!("../../examples/xor.toml");

fn name<T: std::str::FromStr<Err = neuron_core::NameError>>(text: &str) -> T {
    text.parse().expect("a name")
}

fn secret(user: &str) -> String {
    format!("secret-of-{user}")
}

/// Starts a broker with a user for each neuron of XOR, and one for the controller `boss`.
fn guarded(mode: NatsMode) -> Option<(Network, Broker)> {
    let network = Network::from_toml(XOR).expect("the file is right");
    let config = Permissions::new(&network, "nn", mode)
        .controller(&name("boss"))
        .config(secret)
        .expect("the passwords are plain");
    Some((network, Broker::nats(&config)?))
}

async fn as_user(broker: &Broker, user: &str, mode: &str) -> NatsTransport {
    let address = format!("nats://{user}:{}@127.0.0.1:{}?mode={mode}&local_first=false", secret(user), broker.port());
    NatsTransport::connect(&address, &name("xor")).await.expect("the user is admitted")
}

/// Runs XOR with a user for each neuron.
async fn xor_with_a_user_for_each_neuron(mode: NatsMode, mode_name: &str) {
    let Some((network, broker)) = guarded(mode) else { return };
    // Its transport creates the stream. The others may not.
    let _boss = as_user(&broker, "boss", mode_name).await;
    let as_user = async |user: String| as_user(&broker, &user, mode_name).await;
    least_privilege::xor_runs_with_a_user_for_each_neuron(network, as_user).await;
}

#[test]
fn xor_runs_with_a_user_for_each_neuron() {
    run(|| xor_with_a_user_for_each_neuron(NatsMode::Core, "core"));
}

#[test]
fn xor_runs_over_jetstream_with_a_user_for_each_neuron() {
    run(|| xor_with_a_user_for_each_neuron(NatsMode::JetStream, "jetstream"));
}

/// Connects a plain client as a user. Returns it with the errors that the broker reports to it.
async fn plain_client(broker: &Broker, user: &str) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (errors, received) = mpsc::unbounded_channel();
    let options = ConnectOptions::new()
        .user_and_password(user.to_owned(), secret(user))
        .custom_inbox_prefix(format!("_INBOX.{user}"))
        .event_callback(move |event| {
            if let Event::ServerError(error) = event {
                // The receiver may be gone.
                let _ = errors.send(error.to_string());
            }
            std::future::ready(())
        });
    let client = options.connect(format!("127.0.0.1:{}", broker.port())).await.expect("the user is admitted");
    (client, received)
}

#[test]
fn the_broker_refuses_what_a_user_may_not_do() {
    run(|| async {
        let Some((_, broker)) = guarded(NatsMode::JetStream) else { return };
        // The first transport creates the stream.
        let _boss = as_user(&broker, "boss", "jetstream").await;
        let refusal = async |user: &str, subject: &str, listen: bool| {
            let (client, mut errors) = plain_client(&broker, user).await;
            if listen {
                let _subscription = client.subscribe(subject.to_owned()).await.expect("it is sent");
                client.flush().await.expect("the broker is there");
                timeout(Duration::from_secs(5), errors.recv()).await
            } else {
                client.publish(subject.to_owned(), "?".into()).await.expect("it is sent");
                client.flush().await.expect("the broker is there");
                timeout(Duration::from_secs(5), errors.recv()).await
            }
        };
        for (user, subject, listen) in [
            ("x", "nn.v1.xor.sig.h1.y", false),                                 // speak as another
            ("x", "nn.v1.xor.ctl.z.x", false),                                  // make a request
            ("x", "nn.v1.xor.ctl.z.boss", false),                               // make a request as a controller
            ("x", "nn.v1.and.sig.h1.x", false),                                 // speak in another network
            ("x", "nn.v1.xor.sig.z.*", true),                                   // read another's inbox
            ("x", "nn.v1.xor.>", true),                                         // read everything
            ("x", "_INBOX.>", true),                                            // read others' answers
            ("x", "_INBOX.z.1", false),                                         // answer others
            ("x", "_INBOX.z.nn.v1.xor.claim", false),                           // claim the neuron of another
            ("x", "_INBOX.z.nn.v1.xor.claim", true),                            // read what another claims
            ("x", "$JS.API.STREAM.CREATE.NN_xor", false),                       // decide who reads the stream
            ("x", "$JS.API.STREAM.CREATE.SPY", false),                          // copy the stream
            ("boss", "$JS.API.STREAM.UPDATE.NN_xor", false),                    // the same, later
            ("x", "$JS.API.STREAM.PURGE.NN_xor", false),                        // wipe the stream
            ("x", "$JS.API.STREAM.DELETE.NN_xor", false),                       // remove the stream
            ("x", "$JS.API.STREAM.UPDATE.NN_xor", false),                       // let it keep nothing
            ("x", "$JS.API.STREAM.MSG.GET.NN_xor", false),                      // read another's messages in the stream
            ("x", "$JS.API.CONSUMER.DELETE.NN_xor.n_z", false),                 // end another's inbox
            ("x", "$JS.API.CONSUMER.CREATE.NN_xor.n_x.nn.v1.xor.*.z.*", false), // read another's inbox under its own name
            ("x", "$JS.API.CONSUMER.CREATE.NN_xor", false),                     // a consumer without a name
            ("x", "$JS.API.CONSUMER.DURABLE.CREATE.NN_xor.n_x", false), // the old way, without a filter in the subject
            ("boss", "nn.v1.xor.sig.z.h1", false),                      // speak as a neuron
            ("boss", "nn.v1.xor.rep.boss.z", false),                    // answer as a neuron
        ] {
            let said = refusal(user, subject, listen).await.unwrap_or_else(|_| panic!("{user} may {subject}"));
            let said = said.expect("the connection stands");
            assert!(said.contains("Permissions Violation"), "{user} {subject}: {said}");
        }
        // The configuration does not simply forbid everything.
        let (client, mut errors) = plain_client(&broker, "x").await;
        let mut own = client.subscribe("_INBOX.x.test").await.expect("it is sent");
        client.publish("nn.v1.xor.sig.h1.x", "?".into()).await.expect("it is sent");
        let context = jetstream::new(client.clone());
        context.get_stream("NN_xor").await.expect("it may look at the stream");
        client.publish("nn.v1.xor.sig.x.x", "?".into()).await.expect("it is sent");
        client.flush().await.expect("the broker is there");
        assert!(errors.try_recv().is_err() && own.next().now_or_never().is_none());
        client.publish("_INBOX.x.test", "?".into()).await.expect("it is sent");
        timeout(Duration::from_secs(5), own.next()).await.expect("it hears itself").expect("the connection stands");
    });
}

/// A connection migrates to the host's thread. Its user may do what that takes.
#[test]
fn a_connection_that_migrates_is_refused_nothing() {
    run(|| async {
        for (mode, mode_name) in [(NatsMode::Core, "core"), (NatsMode::JetStream, "jetstream")] {
            let Some((network, broker)) = guarded(mode) else { return };
            let _boss = as_user(&broker, "boss", mode_name).await;
            let transport = as_user(&broker, "x", mode_name).await;
            transport.send(numbered("x", "h1", 1)).await.expect("it is handed over");
            let begin = Instant::now();
            let host =
                Host::builder(network, Arc::new(transport.clone())).only(["x"]).controller(name("x")).start().await;
            let host = host.expect("it may do what it has to");
            println!("{mode_name}: the host has started after {:?}", begin.elapsed());
            // It is counted once the broker has confirmed it.
            let counted = timeout(Duration::from_secs(5), until(|| transport.counts().sent > 0)).await;
            assert_eq!((transport.counts().refused, counted), (0, Ok(())));
            host.stop().await;
        }
    });
}

#[test]
fn a_consumer_that_asks_for_another_filter_than_it_may_is_refused() {
    run(|| async {
        let Some((_, broker)) = guarded(NatsMode::JetStream) else { return };
        let _boss = as_user(&broker, "boss", "jetstream").await;
        let (client, _errors) = plain_client(&broker, "x").await;
        // The subject is one that it may use, but the body asks for the inbox of z.
        let body = r#"{"stream_name":"NN_xor","config":{"durable_name":"n_x","name":"n_x","deliver_subject":"_INBOX.x.spy",
            "filter_subject":"nn.v1.xor.*.z.*","ack_policy":"none","deliver_policy":"all"}}"#;
        let asking = client.request("$JS.API.CONSUMER.CREATE.NN_xor.n_x.nn.v1.xor.*.x.*", body.into());
        let answer = timeout(Duration::from_secs(5), asking).await.expect("it is answered").expect("an answer");
        let answer = String::from_utf8_lossy(&answer.payload).into_owned();
        assert!(answer.contains("error"), "{answer}");
    });
}

/// Two processes log in as one user and run its neuron: its permissions let them notice that.
#[test]
fn a_second_process_of_a_user_is_refused() {
    run(|| async {
        for (mode, mode_name) in [(NatsMode::Core, "core"), (NatsMode::JetStream, "jetstream")] {
            let Some((network, broker)) = guarded(mode) else { return };
            let _boss = as_user(&broker, "boss", mode_name).await;
            let (first, second) = (as_user(&broker, "x", mode_name).await, as_user(&broker, "x", mode_name).await);
            let start = |transport: &NatsTransport| {
                let builder = Host::builder(network.clone(), Arc::new(transport.clone())).only(["x"]);
                builder.controller(name("x")).start()
            };
            let host = start(&first).await.expect("it may do what it has to");
            let refused = start(&second).await;
            assert!(matches!(refused, Err(HostError::RunsElsewhere { .. })), "{mode_name}: {refused:?}");
            assert!(host.ended().now_or_never().is_none(), "{mode_name}: the first one has given way");
            host.stop().await;
            start(&second).await.expect("the neuron is free").stop().await;
        }
    });
}
