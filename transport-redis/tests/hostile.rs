//! What a device that owns its login can do to the server and to others.

use std::{fs, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::{
    Network, NetworkId, Time,
    actor::{Host, HostError},
    hosts::Claim,
    transport::{Address, Inbox, Transport as _},
    wire,
};
use redis::{aio::MultiplexedConnection, streams::StreamReadReply};
use tokio::time::timeout;
use transport_conformance::{Broker, numbered, run, until};
use transport_redis::{Acl, ConnectionState, RedisMode, RedisTransport};

/// How long each step may take.
const SOON: Duration = Duration::from_secs(10);

fn network() -> Network {
    let network = Network::builder("home").neuron("a", |a| a).neuron("x", |x| x).neuron("z", |z| z.weight("a", 1.0));
    network.build().expect("it is right")
}

/// Starts a server with a user for each of three neurons, and `admin`.
fn guarded(mode: RedisMode) -> Option<Broker> {
    let acl = Acl::new(&network(), "nn", mode).file(|_| "secret".to_owned()).expect("it is plain");
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
            publish(wire::MAX_FRAME + 1).await.expect_err("it is too large");
            publish(wire::MAX_FRAME).await.expect("the largest frame fits");
            a.send(numbered("a", "z", 2)).await.expect("it is handed over");
            expect(&mut inbox, 2).await;
            for transport in [&a, &z] {
                assert_eq!(transport.counts().reconnects, 0, "{text}");
                assert_eq!(*transport.state().borrow(), ConnectionState::Connected);
            }
        }
    });
}

/// A device knows what another one has claimed, and says that it runs the neurons of that one. The
/// server refuses that in the name of the other, and nothing believes it in its own. A second
/// process of the other one is noticed.
#[test]
fn a_device_claims_no_neuron_of_another_one() {
    run(|| async {
        for (mode, text) in [(RedisMode::PubSub, "pubsub"), (RedisMode::Streams, "streams")] {
            let Some(broker) = guarded(mode) else { return };
            let device = connect(&broker, "x", text).await;
            let mut heard = device.subscribe_claims().await.expect("claims can be heard");
            let (first, second) = (connect(&broker, "a", text).await, connect(&broker, "a", text).await);
            let start = |transport: &RedisTransport| {
                let builder = Host::builder(network(), Arc::new(transport.clone())).only(["a"]);
                builder.controller("a".parse().expect("a name")).start()
            };
            let host = start(&first).await.expect("it may do what it has to");
            let claim = timeout(SOON, heard.next()).await.expect("it is heard").expect("the server is there");
            let forged = Claim { id: 1, since: Time::ZERO, is_established: true, answers: Some(claim.id), ..claim };
            let frame = wire::encode_claim(&forged).expect("it fits");
            let note: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut x = plain_client(&broker, "x").await;
            let publish = |from: &str| {
                let mut publish = redis::cmd("PUBLISH");
                publish.arg(format!("nn:v1:home:note:{from}")).arg(format!("claim {note}"));
                publish
            };
            publish("a").exec_async(&mut x).await.expect_err("it is the name of another one");
            publish("x").exec_async(&mut x).await.expect("it may write notes of its own");
            timeout(SOON, until(|| first.counts().unreadable > 0)).await.expect("it is counted");
            assert!(host.ended().now_or_never().is_none(), "{text}: it has given way");
            let refused = start(&second).await;
            assert!(matches!(refused, Err(HostError::RunsElsewhere { .. })), "{text}: {refused:?}");
            assert!(host.ended().now_or_never().is_none(), "{text}: it has given way");
            host.stop().await;
            // A host that starts is not held up either.
            let mut flood = redis::Pipeline::new();
            for _ in 0..1000 {
                flood.add_command(publish("x")).ignore();
            }
            let (flooded, started) = tokio::join!(flood.exec_async(&mut x), timeout(SOON, start(&second)));
            flooded.expect("it may write notes of its own");
            started.expect("it is not held up").expect("the neuron is free").stop().await;
        }
    });
}

/// A device calls all others as often as it can, and calls names that it invents.
#[test]
fn invented_notes_cost_one_channel_and_change_nothing() {
    run(|| async {
        for (mode, text) in [(RedisMode::PubSub, "pubsub"), (RedisMode::Streams, "streams")] {
            let Some(broker) = guarded(mode) else { return };
            let (a, z, mut inbox) = connected(&broker, text).await;
            let mut x = plain_client(&broker, "x").await;
            let lines = |line: &str| (0..1000).map(|number| format!("{line}{number}\n")).collect::<String>();
            let mut notes = redis::Pipeline::new();
            for _ in 0..100 {
                for text in [
                    lines("call sig invented-"),
                    lines("ready sig invented-"),
                    "call sig z\ncall sig z\nready sig a\nready sig z\nopen n\nopen c\nopen h".to_owned(),
                ] {
                    notes.cmd("PUBLISH").arg("nn:v1:home:note:x").arg(text).ignore();
                }
            }
            // What is no note is counted: a line of another form, another encoding, and what is too long.
            let bad: [&[u8]; 4] = [b"call sig", b"call ctl z more", &[0xff, 0xfe], &vec![b'?'; 65_537]];
            for text in bad {
                notes.cmd("PUBLISH").arg("nn:v1:home:note:x").arg(text).ignore();
            }
            notes.exec_async(&mut x).await.expect("it is permitted");
            for other in ["a", "z", "x:y"] {
                let mut forged = redis::cmd("PUBLISH");
                forged.arg(format!("nn:v1:home:note:{other}")).arg("call sig z");
                forged.exec_async(&mut x).await.expect_err("it is the name of another one");
            }
            a.send(numbered("a", "z", 2)).await.expect("it is handed over");
            expect(&mut inbox, 2).await;
            let mut admin = plain_client(&broker, "admin").await;
            let mut channels = redis::cmd("PUBSUB");
            let mut channels: Vec<String> =
                channels.arg("CHANNELS").arg("nn:v1:home:*").query_async(&mut admin).await.expect("an answer");
            channels.sort_unstable();
            assert_eq!(channels, ["a", "x", "z"].map(|source| format!("nn:v1:home:sig:z:{source}")), "{text}");
            for transport in [&a, &z] {
                let all_read = async {
                    while transport.counts().unreadable < bad.len() as u64 {
                        tokio::task::yield_now().await;
                    }
                };
                timeout(SOON, all_read).await.expect("what is no note is counted");
                let counts = transport.counts();
                assert_eq!((counts.unreadable, counts.reconnects), (bad.len() as u64, 0), "{text}: {counts:?}");
            }
        }
    });
}

#[test]
fn a_device_reads_and_removes_only_what_is_its_own() {
    run(|| async {
        let Some(broker) = guarded(RedisMode::Streams) else { return };
        let (_a, _z, _inbox) = connected(&broker, "streams").await;
        let mut x = plain_client(&broker, "x").await;
        for words in [
            &["HGETALL", "nn:v1:home:read:n:z"][..],
            &["HSET", "nn:v1:home:read:n:z", "sig:a", "9-9"],
            &["PEXPIRE", "nn:v1:home:read:n:z", "1"],
            &["DEL", "nn:v1:home:read:n:z"],
            &["PEXPIRE", "nn:v1:home:sig:z:a", "1"],
            &["XREAD", "STREAMS", "nn:v1:home:sig:z:a", "0"],
            &["SUBSCRIBE", "nn:v1:home:sig:z:a"],
            &["PSUBSCRIBE", "nn:v1:home:sig:*"],
            &["EVAL", "return redis.call('DEL', KEYS[1])", "1", "nn:v1:home:sig:z:a"],
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
