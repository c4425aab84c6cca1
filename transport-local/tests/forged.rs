//! A neuron that sees which requests its controller sends cannot answer for another one.

use std::sync::{Arc, Mutex};

use neuron_core::{
    Missing, Network, Tag,
    actor::Host,
    command::{Answer, Command, Report, Sample, WatchPosition},
    signal::Incarnation,
    transport::{Address, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, async_trait},
};
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../examples/xor.toml");

/// Lets `y` answer each question to `z` before `z` does, and tell each of its watches of changes.
#[derive(Debug, Default)]
struct Liar {
    inner: LocalTransport,
    requests: Mutex<Vec<u64>>,
}

#[async_trait]
impl Transport for Liar {
    fn send(&self, envelope: Envelope) -> Sending {
        if let Envelope::Request { from, to, request } = &envelope {
            self.requests.lock().unwrap().push(request.id);
            let tell = |by: &str, report| {
                let lie = Envelope::Report { from: by.parse().unwrap(), to: from.clone(), report: Box::new(report) };
                drop(self.inner.send(lie));
            };
            let lie = |tag| Sample { level: 1.0, tag, missing: Missing::NONE };
            match &request.command {
                Command::OutputAt { tag } if to.as_str() == "z" => {
                    let reply = |tag| Report::Reply { request: request.id, result: Ok(Answer::Output(lie(tag))) };
                    tell("y", reply(*tag));
                    // z itself, but of another tag.
                    tell("z", reply(tag.prev()));
                }
                Command::Watch { watch } if to.as_str() == "z" => {
                    let position =
                        WatchPosition { incarnation: Incarnation { number: 9, nonce: 9 }, number: 1_000_000 };
                    tell("y", Report::Changed { watch: *watch, position, sample: lie(Tag::MAX.prev()) });
                    let result = Ok(Answer::Watched { watch: *watch, position, sample: lie(Tag::MAX.prev()) });
                    tell("y", Report::Reply { request: request.id, result });
                }
                _ => {}
            }
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }
}

#[tokio::test]
async fn no_neuron_answers_for_another_one_and_each_attempt_is_counted() {
    let transport = Arc::new(Liar::default());
    let host = Host::start(Network::from_toml(XOR).unwrap(), transport.clone()).await.unwrap();
    let controller = host.controller();
    for (x, y, z) in [(1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.0, 0.0)] {
        let wave = controller.present(&[("x", x), ("y", y)]).await.unwrap();
        let sample = controller.output_at("z", wave.tag).await.unwrap();
        assert_eq!((sample.level, sample.tag), (z, wave.tag));
    }
    assert_eq!(host.counters().forged, 8);
    let mut watch = controller.watch("z").await.unwrap();
    assert_eq!(watch.next().await.unwrap().level, 0.0);
    let wave = controller.present(&[("x", 1.0)]).await.unwrap();
    let change = watch.next().await.unwrap();
    assert_eq!((change.level, change.tag, change.missed), (1.0, wave.tag, 0));
    assert!(host.counters().forged >= 10, "{:?}", host.counters());
    host.stop().await;
}

#[tokio::test]
async fn the_numbers_of_requests_cannot_be_guessed_from_the_clock() {
    let transport = Arc::new(Liar::default());
    let network = || Network::from_toml(XOR).unwrap();
    let hosts = [Host::start(network(), transport.clone()).await.unwrap()];
    hosts[0].controller().output("z").await.unwrap();
    let first = transport.requests.lock().unwrap()[0];
    drop(hosts);
    let host = Host::start(network(), transport.clone()).await.unwrap();
    host.controller().output("z").await.unwrap();
    let second = *transport.requests.lock().unwrap().last().unwrap();
    assert!(first.abs_diff(second) > 1 << 32, "{first} and {second}: one chance in a thousand million");
}
