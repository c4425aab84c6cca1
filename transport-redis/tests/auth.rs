//! Passwords, and one user for each neuron.

use std::{fs, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use neuron_core::{
    Network, NetworkId,
    actor::{Host, HostError},
    transport::{Address, Transport as _, TransportErrorKind},
};
use redis::RedisResult;
use transport_conformance::{Broker, least_privilege, run};
use transport_redis::{Acl, ConnectError, ConnectionState, RedisMode, RedisTransport};

const XOR: &str = include_str!("../../examples/xor.toml");

fn name<T: std::str::FromStr<Err = neuron_core::NameError>>(text: &str) -> T {
    text.parse().expect("a name")
}

fn secret(user: &str) -> String {
    format!("secret-of-{user}")
}

/// Starts a server that admits the users of an access control list.
fn guarded(acl: &str) -> Option<Broker> {
    let file = std::env::temp_dir().join(format!("neuron-acl-{}-{}.acl", std::process::id(), fastrand::u64(..)));
    fs::write(&file, acl).expect("the list can be written");
    let broker = Broker::redis(&format!("aclfile {}", file.display()));
    fs::remove_file(&file).expect("it has been read");
    broker
}

async fn as_user(broker: &Broker, user: &str, mode: &str) -> Result<RedisTransport, ConnectError> {
    let address = format!("redis://{user}:{}@127.0.0.1:{}?mode={mode}&local_first=false", secret(user), broker.port());
    RedisTransport::connect(&address, &name::<NetworkId>("xor")).await
}

/// Runs XOR with a user for each neuron.
async fn xor_with_a_user_for_each_neuron(mode: RedisMode, mode_name: &str) {
    let network = Network::from_toml(XOR).expect("the file is right");
    let Some(broker) = guarded(&acl(&network, mode)) else { return };
    let as_user = async |user: String| as_user(&broker, &user, mode_name).await.expect("the user is admitted");
    least_privilege::xor_runs_with_a_user_for_each_neuron(network, as_user).await;
}

fn acl(network: &Network, mode: RedisMode) -> String {
    Acl::new(network, "nn", mode).controller(&name("boss")).file(secret).expect("the passwords are plain")
}

#[test]
fn xor_runs_with_a_user_for_each_neuron() {
    run(|| xor_with_a_user_for_each_neuron(RedisMode::PubSub, "pubsub"));
}

#[test]
fn xor_runs_over_streams_with_a_user_for_each_neuron() {
    run(|| xor_with_a_user_for_each_neuron(RedisMode::Streams, "streams"));
}

/// Sends a command as a user of the list, with a plain client.
async fn attempt(broker: &Broker, user: &str, command: &[&str]) -> RedisResult<redis::Value> {
    let address = format!("redis://{user}:{}@127.0.0.1:{}", secret(user), broker.port());
    let mut connection = redis::Client::open(address)?.get_multiplexed_async_connection().await?;
    redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
}

#[test]
fn the_server_refuses_what_a_user_may_not_do() {
    run(|| async {
        let network = Network::from_toml(XOR).expect("the file is right");
        let acl = acl(&network, RedisMode::Streams);
        let Some(broker) = guarded(&acl) else { return };
        for (user, what, command) in [
            ("x", "speak as another", &["PUBLISH", "nn:v1:xor:sig:h1:y", "?"][..]),
            ("x", "write another's stream", &["XADD", "nn:v1:xor:sig:h1:y", "*", "f", "?"]),
            ("x", "make a request", &["PUBLISH", "nn:v1:xor:ctl:z:x", "?"]),
            ("x", "make a request as a controller", &["PUBLISH", "nn:v1:xor:ctl:z:boss", "?"]),
            ("x", "read another's inbox", &["PSUBSCRIBE", "nn:v1:xor:sig:z:*"]),
            ("x", "read everything", &["PSUBSCRIBE", "*"]),
            ("x", "read another's stream", &["XREAD", "STREAMS", "nn:v1:xor:sig:z:h1", "0"]),
            ("x", "wipe a stream it reads", &["DEL", "nn:v1:xor:ctl:x:boss"]),
            ("x", "wipe a stream it writes", &["DEL", "nn:v1:xor:sig:h1:x"]),
            ("x", "forget who writes to another", &["PEXPIRE", "nn:v1:xor:from:n:z", "1"]),
            ("x", "trim a stream", &["XTRIM", "nn:v1:xor:sig:h1:x", "MAXLEN", "0"]),
            ("x", "wipe the server", &["FLUSHALL"]),
            ("x", "reconfigure the server", &["CONFIG", "SET", "maxmemory", "1"]),
            ("x", "speak in another network", &["PUBLISH", "nn:v1:and:sig:h1:x", "?"]),
            ("boss", "speak as a neuron", &["PUBLISH", "nn:v1:xor:sig:z:h1", "?"]),
            ("boss", "answer as a neuron", &["PUBLISH", "nn:v1:xor:rep:boss:z", "?"]),
        ] {
            let error = attempt(&broker, user, command).await.expect_err(what);
            assert_eq!(error.code(), Some("NOPERM"), "{user} tries to {what}: {error}");
        }
        // The list does not simply forbid everything.
        for (user, command) in [
            ("x", &["PUBLISH", "nn:v1:xor:sig:h1:x", "?"][..]),
            ("x", &["XADD", "nn:v1:xor:sig:h1:x", "*", "f", "?"]),
            ("x", &["XREAD", "STREAMS", "nn:v1:xor:ctl:x:boss", "0"]),
            ("boss", &["PUBLISH", "nn:v1:xor:ctl:z:boss", "?"]),
        ] {
            attempt(&broker, user, command).await.expect("it is permitted");
        }
    });
}

#[test]
fn a_user_that_may_not_read_an_inbox_gets_an_error() {
    run(|| async {
        let network = Network::from_toml(XOR).expect("the file is right");
        let Some(broker) = guarded(&acl(&network, RedisMode::PubSub)) else { return };
        let transport = as_user(&broker, "x", "pubsub").await.expect("the user is admitted");
        let error = transport.subscribe(&Address::Neuron(name("z"))).await.expect_err("z is not x");
        assert_eq!(error.kind(), TransportErrorKind::Refused);
        let host = Host::builder(network, Arc::new(transport)).only(["z"]).controller(name("x")).start().await;
        assert!(matches!(host, Err(HostError::Subscribe { .. })), "{host:?}");
    });
}

#[test]
fn a_wrong_password_is_reported_and_never_shown() {
    run(|| async {
        let Some(broker) = Broker::redis("requirepass right") else { return };
        let network: NetworkId = name("xor");
        for address in ["redis://127.0.0.1:PORT", "redis://:wrong@127.0.0.1:PORT", "redis://me:wrong@127.0.0.1:PORT"] {
            let address = address.replace("PORT", &broker.port().to_string());
            let error = RedisTransport::connect(&address, &network).await.expect_err("the password is wrong");
            assert!(matches!(error, ConnectError::Unauthorized { .. }), "{address}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
        }
        let address = format!("redis://:right@127.0.0.1:{}/3", broker.port());
        RedisTransport::connect(&address, &network).await.expect("the password is right");
    });
}

/// Waits until the connection stands again, and returns how often it has been made again.
async fn connected_again(transport: &RedisTransport) -> u64 {
    let mut state = transport.state();
    // It is counted before it is announced.
    let again = state.wait_for(|state| *state == ConnectionState::Connected && transport.counts().reconnects > 0);
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("in time").expect("it is told");
    transport.counts().reconnects
}

/// The permissions of a user are narrowed while it is connected.
#[test]
fn an_inbox_that_may_not_be_read_any_more_ends_and_the_others_go_on() {
    run(|| async {
        for mode in ["pubsub", "streams"] {
            let Some(broker) = Broker::redis("") else { return };
            let admin = redis::Client::open(broker.url()).expect("an address");
            let mut admin = admin.get_multiplexed_async_connection().await.expect("the server is there");
            let mut command = async |words: &str| {
                let mut words = words.split(' ');
                let mut command = redis::cmd(words.next().expect("a command"));
                command.arg(words.collect::<Vec<_>>()).exec_async(&mut admin).await.expect("an admin may do that");
            };
            command("ACL SETUSER x on >secret-of-x ~* &* +@all").await;
            let transport = as_user(&broker, "x", mode).await.expect("the user is admitted");
            let mut kept = transport.subscribe(&Address::Neuron(name("kept"))).await.expect("an inbox");
            let mut lost = transport.subscribe(&Address::Neuron(name("lost"))).await.expect("an inbox");
            let (own, request) = ("nn:v1:xor:sig:kept:*", "nn:v1:xor:ctl:kept:*");
            command(&format!("ACL SETUSER x resetchannels &{own} &{request} &nn:v1:xor:note:* &nn:v1:xor:ctl:lost:a"))
                .await;
            // The server itself closes the connection of a user whose subscriptions are not
            // permitted any more.
            let ended = tokio::time::timeout(Duration::from_secs(10), lost.next()).await.expect("it ends");
            assert_eq!(ended, None);
            let envelope = transport_conformance::numbered("a", "kept", 7);
            let received = loop {
                let connections = connected_again(&transport).await;
                transport.send(envelope.clone()).await.expect("it is handed over");
                match tokio::time::timeout(Duration::from_secs(5), kept.next()).await {
                    Ok(received) => break received,
                    // On a machine that stalls for seconds, it may be lost with another connection.
                    Err(_) => assert!(transport.counts().reconnects > connections, "{mode}: {:?}", transport.counts()),
                }
            };
            assert_eq!(received, Some(envelope));
        }
    });
}
