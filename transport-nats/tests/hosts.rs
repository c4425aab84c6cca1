//! One user for each host: its credentials, and permissions that change while the network runs.

use std::time::Duration;

use async_nats::{ConnectOptions, Event};
use neuron_core::{Network, transport::Transport as _};
use tokio::{sync::mpsc, time::timeout};
use transport_conformance::{Broker, least_privilege, numbered, run};
use transport_nats::{ConnectError, ConnectionState, Credential, NatsMode, NatsTransport, Permissions};

const XOR: &str = include_str!("../../examples/xor.toml");

/// A bcrypt of `abc`.
const HASH: &str = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";

fn name<T: std::str::FromStr<Err = neuron_core::NameError>>(text: &str) -> T {
    text.parse().expect("a name")
}

/// Returns XOR on two hosts, with `y` on this one.
fn network(host_of_y: &str) -> Network {
    let hosts = [("x", "pi1"), ("y", host_of_y), ("h1", "pi1"), ("h2", "pi2"), ("h3", "pi2"), ("z", "pi2")];
    let with_host = |text: String, (neuron, host): &(&str, &str)| {
        let table = format!("[neurons.{neuron}]\n");
        text.replace(&table, &format!("{table}host = \"{host}\"\n"))
    };
    Network::from_toml(&hosts.iter().fold(XOR.to_owned(), with_host)).expect("the file is right")
}

/// Returns the configuration for a network, and the seed of the key of `pi2`.
fn config(network: &Network, mode: NatsMode, key: &nkeys::KeyPair) -> String {
    let permissions = Permissions::for_hosts(network, "nn", mode).controller(&name("boss"));
    let config = permissions.config(|user| match user {
        "pi1" => Credential::Hash(HASH.to_owned()),
        "pi2" => Credential::PublicKey(key.public_key()),
        other => Credential::Password(format!("secret-of-{other}")),
    });
    config.expect("they can be used")
}

/// Connects as a user, each with the credential that it has.
async fn as_user(broker: &Broker, user: &str, mode: &str) -> Result<NatsTransport, ConnectError> {
    let seed = broker.folder().join("pi2.nk");
    let (login, parameter) = match user {
        "pi1" => ("pi1:abc".to_owned(), String::new()),
        "pi2" => ("pi2".to_owned(), format!("&nkey={}", seed.display())),
        other => (format!("{other}:secret-of-{other}"), String::new()),
    };
    let address = format!("nats://{login}@127.0.0.1:{}?mode={mode}&local_first=false{parameter}", broker.port());
    NatsTransport::connect(&address, &name("xor")).await
}

fn guarded(mode: NatsMode) -> Option<(Broker, nkeys::KeyPair)> {
    let key = nkeys::KeyPair::new_user();
    let broker = Broker::nats(&config(&network("pi1"), mode, &key))?;
    std::fs::write(broker.folder().join("pi2.nk"), key.seed().expect("it has a seed")).expect("a file");
    Some((broker, key))
}

#[test]
fn xor_runs_with_a_user_for_each_host() {
    run(|| async {
        for (mode, text) in [(NatsMode::Core, "core"), (NatsMode::JetStream, "jetstream")] {
            let Some((broker, _)) = guarded(mode) else { return };
            let _boss = as_user(&broker, "boss", text).await.expect("it is admitted, and creates the stream");
            let connect = async |user: String| as_user(&broker, &user, text).await.expect("the user is admitted");
            least_privilege::xor_runs_with_a_user_for_each_host(network("pi1"), connect).await;
            let wrong = format!("nats://pi1:abd@127.0.0.1:{}", broker.port());
            let error = NatsTransport::connect(&wrong, &name("xor")).await.expect_err("the password is wrong");
            assert!(matches!(error, ConnectError::Unauthorized { .. }), "{error:?}");
        }
    });
}

/// `y` moves from one host to another, and a third one is new.
#[test]
fn permissions_change_while_the_network_runs() {
    run(|| async {
        let Some((mut broker, key)) = guarded(NatsMode::Core) else { return };
        let pi1 = as_user(&broker, "pi1", "core").await.expect("the user is admitted");
        let pi2 = as_user(&broker, "pi2", "core").await.expect("the user is admitted");
        let mut inbox = pi2.subscribe(&neuron_core::transport::Address::Neuron(name("h3"))).await.expect("an inbox");
        let mut arrives = async |from: &str, number: u64| {
            let received = timeout(Duration::from_secs(5), futures_util::StreamExt::next(&mut inbox)).await;
            assert_eq!(received.expect("it arrives"), Some(numbered(from, "h3", number)));
        };
        for (from, number) in [("x", 1), ("y", 2)] {
            pi1.send(numbered(from, "h3", number)).await.expect("it is handed over");
            arrives(from, number).await;
        }
        as_user(&broker, "pi3", "core").await.expect_err("there is no such user yet");
        broker.reconfigure(&config(&network("pi3"), NatsMode::Core, &key));
        let pi3 = async {
            loop {
                match as_user(&broker, "pi3", "core").await {
                    Ok(pi3) => break pi3,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let pi3 = timeout(Duration::from_secs(10), pi3).await.expect("the broker has read the file");
        pi3.send(numbered("y", "h3", 3)).await.expect("it is handed over");
        arrives("y", 3).await;
        // The broker admits new users a moment before it looks at those that are connected.
        let refused = async {
            while pi1.counts().refused == 0 {
                pi1.send(numbered("y", "h3", 4)).await.expect("it is handed over");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let refused = timeout(Duration::from_secs(5), refused).await;
        assert!(refused.is_ok(), "the broker refuses it: {:?} {:?}", pi1.counts(), pi1.state().borrow());
        pi1.send(numbered("x", "h3", 5)).await.expect("it is handed over");
        let arrives = async {
            while futures_util::StreamExt::next(&mut inbox).await.expect("it is open") != numbered("x", "h3", 5) {}
        };
        timeout(Duration::from_secs(5), arrives).await.expect("it arrives");
        assert_eq!((pi1.counts().reconnects, pi2.counts().reconnects), (0, 0), "their connections stand");
        assert_eq!(*pi2.state().borrow(), ConnectionState::Connected);
    });
}

#[test]
fn a_host_may_send_and_listen_as_its_own_neurons_only() {
    run(|| async {
        let Some((broker, _)) = guarded(NatsMode::JetStream) else { return };
        let _boss = as_user(&broker, "boss", "jetstream").await.expect("it is admitted, and creates the stream");
        let (errors, mut received) = mpsc::unbounded_channel();
        let options = ConnectOptions::with_user_and_password("pi1".to_owned(), "abc".to_owned());
        let options = options.custom_inbox_prefix("_INBOX.pi1").event_callback(move |event| {
            if let Event::ServerError(error) = event {
                // The receiver may be gone.
                let _ = errors.send(error.to_string());
            }
            std::future::ready(())
        });
        let client = options.connect(format!("127.0.0.1:{}", broker.port())).await.expect("the user is admitted");
        for subject in ["nn.v1.xor.sig.z.h3", "nn.v1.xor.hst.pi2.pi2", "nn.v1.xor.ctl.z.pi1", "nn.v1.xor.ctl.x.x"] {
            client.publish(subject, "?".into()).await.expect("it is sent");
            let text = timeout(Duration::from_secs(5), received.recv()).await.expect(subject).expect("an error");
            assert!(text.contains("Permissions Violation"), "{text}");
        }
        let _subscription = client.subscribe("nn.v1.xor.sig.z.*").await.expect("it is sent");
        let text = timeout(Duration::from_secs(5), received.recv()).await.expect("it is refused").expect("an error");
        assert!(text.contains("Permissions Violation"), "{text}");
        for subject in ["nn.v1.xor.sig.z.h1", "nn.v1.xor.sig.h1.x", "nn.v1.xor.rep.boss.y", "nn.v1.xor.hst.pi2.pi1"] {
            client.publish(subject, "?".into()).await.expect("it is sent");
        }
        client.flush().await.expect("the broker is there");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(received.try_recv().is_err());
    });
}
