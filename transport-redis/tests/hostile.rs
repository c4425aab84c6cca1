//! What a device that owns its login can do to the server and to others.

use std::{fs, time::Duration};

use futures_util::StreamExt as _;
use neuron_core::{
    Network, NetworkId,
    transport::{Address, Inbox, Transport as _},
};
use redis::{aio::MultiplexedConnection, streams::StreamReadReply};
use tokio::time::{Instant, timeout};
use transport_conformance::{Broker, numbered, run};
use transport_redis::{Acl, ConnectionState, RedisMode, RedisTransport};

/// How long each step may take.
const SOON: Duration = Duration::from_secs(10);

/// Starts a server with a user for each of three neurons, and `admin`.
fn guarded(mode: RedisMode) -> Option<Broker> {
    let network = Network::builder("home").neuron("a", |a| a).neuron("x", |x| x).neuron("z", |z| z.weight("a", 1.0));
    let acl = Acl::new(&network.build().expect("it is right"), "nn", mode)
        .file(|_| "secret".to_owned())
        .expect("it is plain");
    let file = std::env::temp_dir().join(format!("neuron-hostile-{}-{}.acl", std::process::id(), fastrand::u64(..)));
    fs::write(&file, acl + "user admin on >secret ~* &* +@all\n").expect("the list can be written");
    let broker = Broker::redis(&format!("aclfile {}\n{}", file.display(), Acl::SERVER_SETTINGS));
    fs::remove_file(&file).expect("it has been read");
    broker
}

async fn connect(broker: &Broker, user: &str, mode: &str) -> RedisTransport {
    let address =
        format!("redis://{user}:secret@127.0.0.1:{}?mode={mode}&lifetime=60s&local_first=false", broker.port());
    let network: NetworkId = "home".parse().expect("a name");
    RedisTransport::connect(&address, &network).await.expect("the user is admitted")
}

async fn plain_client(broker: &Broker, user: &str) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://{user}:secret@127.0.0.1:{}", broker.port())).expect("an address");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    client.get_multiplexed_async_connection_with_config(&config).await.expect("the user is admitted")
}

async fn subscribe(transport: &RedisTransport) -> Inbox {
    transport.subscribe(&Address::Neuron("z".parse().expect("a name"))).await.expect("an inbox")
}

async fn expect(inbox: &mut Inbox, number: u64) {
    let received = timeout(SOON, inbox.next()).await.expect("it arrives");
    assert_eq!(received, Some(numbered("a", "z", number)));
}

/// Connects `a` and `z`. Returns both and the inbox of `z`, which has heard `a` once.
async fn connected(broker: &Broker, mode: &str) -> (RedisTransport, RedisTransport, Inbox) {
    let a = connect(broker, "a", mode).await;
    let z = connect(broker, "z", mode).await;
    let mut inbox = subscribe(&z).await;
    a.send(numbered("a", "z", 1)).await.expect("it is handed over");
    expect(&mut inbox, 1).await;
    (a, z, inbox)
}

#[test]
fn a_message_of_40_mib_is_refused_and_the_others_go_on() {
    run(|| async {
        for (mode, text) in [(RedisMode::PubSub, "pubsub"), (RedisMode::Streams, "streams")] {
            let Some(broker) = guarded(mode) else { return };
            let (a, z, mut inbox) = connected(&broker, text).await;
            let publish = async |length: usize| {
                let mut x = plain_client(&broker, "x").await;
                redis::cmd("PUBLISH").arg("nn:v1:home:sig:z:x").arg(vec![b'?'; length]).exec_async(&mut x).await
            };
            publish(40 << 20).await.expect_err("it is too large");
            publish(neuron_core::wire::MAX_FRAME + 1).await.expect_err("it is too large");
            publish(neuron_core::wire::MAX_FRAME).await.expect("the largest frame fits");
            a.send(numbered("a", "z", 2)).await.expect("it is handed over");
            expect(&mut inbox, 2).await;
            for transport in [&a, &z] {
                assert_eq!(transport.counts().reconnects, 0, "{text}");
                assert_eq!(*transport.state().borrow(), ConnectionState::Connected);
            }
        }
    });
}

/// One of them is longer than a name may be, one has the form of another subject.
const NAMES: &str = "for i = 1, 1000 do
    local names = {}
    for j = 1, 1000 do names[j] = 'sig:invented-' .. i .. '-' .. j end
    redis.call('SADD', KEYS[1], unpack(names))
end
redis.call('SADD', KEYS[1], 'sig:' .. string.rep('n', 1000000), 'sig:a:b', 'ctl', '')
return redis.call('XADD', KEYS[2], '*', 'f', '?')";

#[test]
fn a_million_invented_names_hold_up_neither_the_server_nor_the_start_of_an_inbox() {
    run(|| async {
        let Some(broker) = guarded(RedisMode::Streams) else { return };
        let (a, z, inbox) = connected(&broker, "streams").await;
        // Its cursor is saved when it ends.
        drop(inbox);
        drop(z);
        a.send(numbered("a", "z", 2)).await.expect("it is handed over");
        let mut x = plain_client(&broker, "x").await;
        let mut script = redis::cmd("EVAL");
        script.arg(NAMES).arg(2).arg("nn:v1:home:from:n:z").arg("nn:v1:home:sig:z:x");
        script.exec_async(&mut x).await.expect("it is permitted");
        let mut admin = plain_client(&broker, "admin").await;
        let mut command = async |words: &[&str]| {
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]).query_async::<redis::Value>(&mut admin).await.expect("an admin may do that")
        };
        command(&["CONFIG", "SET", "slowlog-log-slower-than", "100000"]).await;
        command(&["SLOWLOG", "RESET"]).await;
        let begin = Instant::now();
        let z = connect(&broker, "z", "streams").await;
        let mut inbox = subscribe(&z).await;
        // What waits comes from a source that z has heard before.
        expect(&mut inbox, 2).await;
        a.send(numbered("a", "z", 3)).await.expect("it is handed over");
        expect(&mut inbox, 3).await;
        println!("z has caught up after {:?}", begin.elapsed());
        let slow = command(&["SLOWLOG", "GET", "10"]).await;
        assert_eq!(slow, redis::Value::Array(Vec::new()), "the server was held up for 0.1 s");
        let count = command(&["SCARD", "nn:v1:home:from:n:z"]).await;
        assert!(matches!(count, redis::Value::Int(1_000_000..)), "{count:?}");
    });
}

#[test]
fn a_device_reads_and_removes_only_what_is_its_own() {
    run(|| async {
        let Some(broker) = guarded(RedisMode::Streams) else { return };
        let (_a, _z, _inbox) = connected(&broker, "streams").await;
        let mut x = plain_client(&broker, "x").await;
        for words in [
            &["SSCAN", "nn:v1:home:from:n:z", "0"][..],
            &["SCARD", "nn:v1:home:from:n:z"],
            &["SREM", "nn:v1:home:from:n:z", "sig:a"],
            &["HSET", "nn:v1:home:read:n:z", "sig:a", "9-9"],
            &["EVAL", "return redis.call('DEL', KEYS[1])", "1", "nn:v1:home:from:n:z"],
            &["EVAL", "return redis.call('XADD', KEYS[1], '*', 'f', '?')", "1", "nn:v1:home:sig:z:a"],
            &["EVAL", "return redis.call('PUBLISH', 'nn:v1:home:sig:z:a', '?')", "0"],
        ] {
            let mut command = redis::cmd(words[0]);
            let error = command.arg(&words[1..]).exec_async(&mut x).await.expect_err(words[0]);
            let text = error.to_string();
            assert!(["NOPERM", "permission", "can't"].iter().any(|word| text.contains(word)), "{words:?}: {text}");
        }
        let mut admin = plain_client(&broker, "admin").await;
        let mut read = redis::cmd("XREAD");
        let kept: StreamReadReply =
            read.arg(&["STREAMS", "nn:v1:home:sig:z:a", "0"]).query_async(&mut admin).await.expect("an answer");
        assert_eq!(kept.keys[0].ids.len(), 1);
    });
}
