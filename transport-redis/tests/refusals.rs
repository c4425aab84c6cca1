//! Servers that refuse, from the first connection on or later: what is told, where and how often.

use std::{error::Error as _, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use neuron_core::{
    Network, NetworkId,
    actor::{ControlError, Controller, Host},
    transport::{Address, BrokerRefusal, Transport as _},
};
use redis::aio::MultiplexedConnection;
use tokio::time::timeout;
use transport_conformance::{Broker, numbered, run, until};
use transport_redis::{Acl, ConnectError, ConnectionState, RedisConfig, RedisMode, RedisTransport};

/// How soon each change is noticed.
const SOON: Duration = Duration::from_secs(10);

/// Memory that is never enough.
const NO_MEMORY: &str = "1";

fn network() -> NetworkId {
    "refusals".parse().expect("a name")
}

fn neuron(name: &str) -> Address {
    Address::Neuron(name.parse().expect("a name"))
}

async fn connect(address: &str) -> Result<RedisTransport, ConnectError> {
    RedisTransport::connect(address, &network()).await
}

/// Connects in a mode, with messages within this process over the server as well.
async fn connect_remote(broker: &Broker, mode: &str) -> RedisTransport {
    connect(&format!("{}?mode={mode}&local_first=false", broker.url())).await.expect("the server is there")
}

async fn admin(broker: &Broker) -> MultiplexedConnection {
    let client = redis::Client::open(broker.url()).expect("an address");
    client.get_multiplexed_async_connection().await.expect("the server is there")
}

async fn command(admin: &mut MultiplexedConnection, words: &str) {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    command.arg(words.collect::<Vec<_>>()).exec_async(admin).await.expect("an admin may do that");
}

async fn becomes(transport: &RedisTransport, wanted: impl FnMut(&ConnectionState) -> bool) {
    let mut state = transport.state();
    let reached = timeout(SOON, state.wait_for(wanted)).await.is_ok_and(|reached| reached.is_ok());
    assert!(reached, "it is still {:?}", *transport.state().borrow());
}

#[test]
fn a_node_of_a_cluster_is_told_at_connect() {
    run(|| async {
        let Some(broker) = Broker::redis("cluster-enabled yes") else { return };
        for mode in ["pubsub", "streams"] {
            let error = connect(&format!("{}?mode={mode}&wait=true", broker.url())).await.expect_err("it is a cluster");
            assert!(matches!(error, ConnectError::Unsupported { .. }), "{mode}: {error:?}");
            assert!(error.to_string().contains("Redis Cluster"), "{mode}: {error}");
        }
    });
}

#[test]
fn a_command_that_was_removed_is_told_at_connect() {
    run(|| async {
        for (removed, mode) in [("EVAL", "streams"), ("PUBLISH", "pubsub")] {
            let Some(broker) = Broker::redis(&format!("rename-command {removed} \"\"")) else { return };
            let error = connect(&format!("{}?mode={mode}", broker.url())).await.expect_err("it lacks a command");
            assert!(matches!(error, ConnectError::Unsupported { .. }), "{removed}: {error:?}");
            let told = error.to_string();
            assert!(told.contains(removed) && told.contains("unknown command"), "{told}");
        }
        // Scripts are for streams only.
        let Some(broker) = Broker::redis("rename-command EVAL \"\"") else { return };
        connect(&broker.url()).await.expect("it can publish");
    });
}

#[test]
fn a_user_that_may_not_publish_or_run_scripts_is_told_at_connect() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let mut admin = admin(&broker).await;
        command(&mut admin, "ACL SETUSER mute on >secret ~* &* +@all -publish").await;
        command(&mut admin, "ACL SETUSER plain on >secret ~* &* +@all -@scripting").await;
        command(&mut admin, "ACL SETUSER unkept on >secret ~* &* +@all -@stream").await;
        command(&mut admin, "ACL SETUSER endless on >secret ~* &* +@all -pexpire").await;
        command(&mut admin, "ACL SETUSER deaf on >secret ~* &* +@all -psubscribe").await;
        let as_user = |user: &str, mode: &str| format!("redis://{user}:secret@127.0.0.1:{}?mode={mode}", broker.port());
        for (user, mode, words) in [
            ("mute", "pubsub", ["PUBLISH", "'publish'"]),
            ("mute", "streams", ["PUBLISH", "'publish'"]),
            ("plain", "streams", ["EVAL", "'eval'"]),
            // What the server says of a command in a script differs from version to version.
            ("unkept", "streams", ["XADD", "command"]),
            ("endless", "streams", ["PEXPIRE", "command"]),
            ("deaf", "pubsub", ["mode", "'psubscribe'"]),
        ] {
            let error = connect(&as_user(user, mode)).await.expect_err("it lacks a permission");
            assert!(matches!(error, ConnectError::Forbidden { .. }), "{user}, {mode}: {error:?}");
            let told = format!("{error:?}");
            assert!(words.iter().all(|word| told.contains(word)), "{user}, {mode}: {told}");
            assert!(told.contains("docs/brokers.md") && !told.contains("secret"), "{told}");
        }
        connect(&as_user("plain", "pubsub")).await.expect("scripts are for streams only");
        // The user of a network has all permissions that are tried.
        let network = Network::builder("refusals").neuron("y", |y| y.host("pi1")).build().expect("it is right");
        let acl = Acl::for_hosts(&network, "nn", RedisMode::Streams).controller(&"boss".parse().expect("a name"));
        for line in acl.commands(|_| "secret").expect("it is plain") {
            command(&mut admin, &line).await;
        }
        command(&mut admin, "ACL LOG RESET").await;
        for user in ["pi1", "boss"] {
            connect(&as_user(user, "streams")).await.expect("it may do all");
        }
        let denied: Vec<redis::Value> = redis::cmd("ACL").arg("LOG").query_async(&mut admin).await.expect("an admin");
        assert!(denied.is_empty(), "{denied:?}");
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut admin).await.expect("an admin");
        assert!(keys.is_empty(), "{keys:?}");
    });
}

#[test]
fn a_server_without_memory_is_told_in_state_counts_and_the_last_refusal_until_it_is_over() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let mut admin = admin(&broker).await;
        let transport = connect_remote(&broker, "streams").await;
        let mut inbox = transport.subscribe(&neuron("z")).await.expect("an inbox");
        command(&mut admin, &format!("CONFIG SET maxmemory {NO_MEMORY}")).await;
        let mut sent = 0;
        let refusing = async {
            // For a second, each message is refused.
            while !matches!(&*transport.state().borrow(), ConnectionState::Refusing { why } if why.contains("maxmemory"))
            {
                transport.send(numbered("a", "z", sent)).await.expect("it is handed over");
                sent += 1;
                until(|| transport.counts().refused == sent).await;
            }
        };
        timeout(SOON, refusing).await.expect("it is told");
        let counts = transport.counts();
        assert_eq!((counts.refused, counts.sent, counts.unsent), (sent, 0, 0), "{counts:?}");
        let BrokerRefusal { reason, elapsed, count } = transport.last_refusal(&neuron("z")).expect("there is one");
        assert!(reason.contains("maxmemory") && elapsed < SOON && count == sent, "{reason}, {elapsed:?}, {count}");
        assert_eq!(transport.last_refusal(&neuron("y")), None);
        command(&mut admin, "CONFIG SET maxmemory 0").await;
        let envelope = numbered("a", "z", sent);
        transport.send(envelope.clone()).await.expect("it is handed over");
        assert_eq!(timeout(SOON, inbox.next()).await.expect("it arrives"), Some(envelope));
        becomes(&transport, |state| *state == ConnectionState::Connected).await;
        assert_eq!(transport.counts().reconnects, 0);
    });
}

/// Starts a host over one transport, and joins a controller over another one.
async fn host_and_controller(broker: &Broker, mode: &str) -> (Host, Controller, RedisTransport) {
    let network = Network::builder("refusals").neuron("y", |y| y.threshold(0.5)).build().expect("it is right");
    let near = connect_remote(broker, mode).await;
    let host = Host::start(network.clone(), Arc::new(near)).await.expect("it starts");
    let far = connect_remote(broker, mode).await;
    let controller = Controller::join(network, Arc::new(far.clone())).await.expect("it joins");
    (host, controller, far)
}

#[test]
fn the_error_of_a_call_has_the_words_of_the_broker() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let mut admin = admin(&broker).await;
        let (host, controller, transport) = host_and_controller(&broker, "streams").await;
        controller.stimulate("y", 1.0).await.expect("it answers");
        command(&mut admin, &format!("CONFIG SET maxmemory {NO_MEMORY}")).await;
        let controller = controller.timeout(Duration::from_millis(500));
        let error = controller.stimulate("y", 1.0).await.expect_err("the server takes nothing");
        let ControlError::NoAnswer { source: Some(source), .. } = &error else { panic!("{error:?}") };
        let words = source.source().expect("the broker has said something").to_string();
        assert!(words.contains("OOM") && words.contains("maxmemory"), "{error:?}");
        assert!(transport.counts().refused > 0);
        command(&mut admin, "CONFIG SET maxmemory 0").await;
        controller.timeout(SOON).stimulate("y", 1.0).await.expect("it answers again");
        host.stop().await;
    });
}

/// The permission to publish is taken away while the connection stands.
#[test]
fn a_permission_that_is_withdrawn_is_in_the_error_of_a_call() {
    run(|| async {
        let Some(broker) = Broker::redis("") else { return };
        let mut admin = admin(&broker).await;
        let (host, controller, _transport) = host_and_controller(&broker, "pubsub").await;
        controller.stimulate("y", 1.0).await.expect("it answers");
        command(&mut admin, "ACL SETUSER default -publish").await;
        let error =
            controller.timeout(Duration::from_millis(500)).stimulate("y", 1.0).await.expect_err("it is forbidden");
        let ControlError::NoAnswer { source: Some(source), .. } = &error else { panic!("{error:?}") };
        assert!(source.source().is_some_and(|words| words.to_string().contains("'publish'")), "{error:?}");
        command(&mut admin, "ACL SETUSER default +publish").await;
        controller.timeout(SOON).stimulate("y", 1.0).await.expect("it answers again");
        host.stop().await;
    });
}

#[test]
fn an_attempt_to_connect_again_checks_the_server_again() {
    run(|| async {
        let Some(mut broker) = Broker::redis("") else { return };
        let config = RedisConfig::parse(&format!("{}?mode=streams", broker.url())).expect("an address");
        let transport = RedisTransport::connect_with(config, &network()).await.expect("the server is there");
        broker.kill();
        broker.configure("rename-command EVAL \"\"");
        broker.start_again();
        let names_it = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { why, .. } if why.contains("EVAL"));
        becomes(&transport, names_it).await;
        broker.kill();
        broker.configure("");
        broker.start_again();
        becomes(&transport, |state| *state == ConnectionState::Connected).await;
    });
}
