//! One user for each host, with permissions that change while the network runs.

use std::{fs, time::Duration};

use futures_util::StreamExt as _;
use neuron_core::{
    Network, NetworkId,
    transport::{Address, Transport as _},
};
use redis::aio::MultiplexedConnection;
use tokio::time::timeout;
use transport_conformance::{Broker, least_privilege, numbered, run, until};
use transport_redis::{Acl, ConnectError, ConnectionState, RedisMode, RedisTransport};

const XOR: &str = include_str!("../../examples/xor.toml");

fn name<T: std::str::FromStr<Err = neuron_core::NameError>>(text: &str) -> T {
    text.parse().expect("a name")
}

fn secret(user: &str) -> String {
    format!("secret-of-{user}")
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

/// Starts a server that admits the users of an access control list, and `admin`.
fn guarded(acl: &Acl) -> Option<Broker> {
    let acl = acl.file(secret).expect("they can be used") + "user admin on >secret-of-admin ~* &* +@all\n";
    let file = std::env::temp_dir().join(format!("neuron-hosts-{}-{}.acl", std::process::id(), fastrand::u64(..)));
    fs::write(&file, acl).expect("the list can be written");
    let broker = Broker::redis(&format!("aclfile {}\n{}", file.display(), Acl::SERVER_SETTINGS));
    fs::remove_file(&file).expect("it has been read");
    broker
}

async fn as_user(broker: &Broker, user: &str, mode: &str) -> Result<RedisTransport, ConnectError> {
    let address = format!("redis://{user}:{}@127.0.0.1:{}?mode={mode}&local_first=false", secret(user), broker.port());
    RedisTransport::connect(&address, &name::<NetworkId>("xor")).await
}

async fn plain_client(broker: &Broker, user: &str) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://{user}:{}@127.0.0.1:{}", secret(user), broker.port()));
    client.expect("an address").get_multiplexed_async_connection().await.expect("the user is admitted")
}

#[test]
fn xor_runs_with_a_user_for_each_host() {
    run(|| async {
        for (mode, text) in [(RedisMode::PubSub, "pubsub"), (RedisMode::Streams, "streams")] {
            let acl = Acl::for_hosts(&network("pi1"), "nn", mode).controller(&name("boss"));
            let Some(broker) = guarded(&acl) else { return };
            let connect = async |user: String| as_user(&broker, &user, text).await.expect("the user is admitted");
            least_privilege::xor_runs_with_a_user_for_each_host(network("pi1"), connect).await;
            let mut pi1 = plain_client(&broker, "pi1").await;
            for (channel, is_permitted) in [
                ("nn:v1:xor:sig:z:h1", true),
                ("nn:v1:xor:rep:boss:y", true),
                ("nn:v1:xor:hst:pi2:pi1", true),
                ("nn:v1:xor:sig:z:h3", false),
                ("nn:v1:xor:ctl:z:pi1", false),
                ("nn:v1:xor:hst:pi1:pi2", false),
            ] {
                let sent = redis::cmd("PUBLISH").arg(channel).arg("?").exec_async(&mut pi1).await;
                assert_eq!(sent.is_ok(), is_permitted, "{channel}: {sent:?}");
            }
        }
    });
}

/// `y` moves from one host to another, and a third one is new.
#[test]
fn permissions_change_while_the_network_runs() {
    run(|| async {
        let acl = Acl::for_hosts(&network("pi1"), "nn", RedisMode::Streams).controller(&name("boss"));
        let Some(broker) = guarded(&acl) else { return };
        let pi1 = as_user(&broker, "pi1", "streams").await.expect("the user is admitted");
        let pi2 = as_user(&broker, "pi2", "streams").await.expect("the user is admitted");
        let mut inbox = pi2.subscribe(&Address::Neuron(name("h3"))).await.expect("an inbox");
        let mut arrives = async |from: &str, number: u64| {
            let received = timeout(Duration::from_secs(5), inbox.next()).await;
            assert_eq!(received.expect("it arrives"), Some(numbered(from, "h3", number)));
        };
        for (from, number) in [("x", 1), ("y", 2)] {
            pi1.send(numbered(from, "h3", number)).await.expect("it is handed over");
            arrives(from, number).await;
        }
        as_user(&broker, "pi3", "streams").await.expect_err("there is no such user yet");
        let mut admin = plain_client(&broker, "admin").await;
        let later = Acl::for_hosts(&network("pi3"), "nn", RedisMode::Streams).controller(&name("boss"));
        for command in later.commands(secret).expect("they can be used") {
            let mut words = command.split(' ');
            let mut command = redis::cmd(words.next().expect("a command"));
            command.arg(words.collect::<Vec<_>>()).exec_async(&mut admin).await.expect("an admin may do that");
        }
        let pi3 = as_user(&broker, "pi3", "streams").await.expect("the user is admitted now");
        pi3.send(numbered("y", "h3", 3)).await.expect("it is handed over");
        arrives("y", 3).await;
        pi1.send(numbered("y", "h3", 4)).await.expect("it is handed over");
        timeout(Duration::from_secs(5), until(|| pi1.counts().refused == 1)).await.expect("the server refuses it");
        pi1.send(numbered("x", "h3", 5)).await.expect("it is handed over");
        arrives("x", 5).await;
        assert_eq!((pi1.counts().reconnects, pi2.counts().reconnects), (0, 0), "their connections stand");
        assert_eq!(*pi2.state().borrow(), ConnectionState::Connected);
        // What was taken away is not among the users any more.
        let before: Vec<&str> = acl.users().collect();
        assert_eq!(later.users().filter(|user| !before.contains(user)).collect::<Vec<_>>(), ["pi3"]);
    });
}
