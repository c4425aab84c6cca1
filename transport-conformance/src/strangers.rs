//! Neurons that the network does not connect: nothing tells them anything, or believes them.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::{
    Missing, Network, NeuronId, Tag,
    actor::{Controller, Host},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    transport::{Address, Envelope, Inbox, Transport},
};
use tokio::time::timeout;

use crate::harness::Harness;

/// How soon something arrives that is sent once, with room for one that is lost.
const SOON: Duration = Duration::from_secs(10);

fn id(name: &str) -> NeuronId {
    name.parse().expect("a name")
}

/// A program that has a connection and a name of its own, and that the network does not know.
struct Stranger {
    transport: Arc<dyn Transport>,
    inbox: Inbox,
    incarnation: Incarnation,
}

impl Stranger {
    async fn new(transport: Arc<dyn Transport>) -> Self {
        let inbox = transport.subscribe(&Address::Neuron(id("stranger"))).await.expect("it may have an inbox");
        Self { transport, inbox, incarnation: Incarnation { number: 1, nonce: 0xbad } }
    }

    async fn say(&self, to: &str, body: SignalBody) {
        let signal = Signal { incarnation: self.incarnation, body };
        let sent = self.transport.send(Envelope::Signal { from: id("stranger"), to: id(to), signal }).await;
        sent.expect("nothing forbids it to send");
    }

    fn stream(&self) -> StreamId {
        StreamId { incarnation: self.incarnation, counter: 1 }
    }
}

/// Says something again and again until the neuron has counted so many messages of strangers.
async fn until_counted(
    stranger: &Stranger,
    controller: &Controller,
    of: &str,
    count: u64,
    body: impl Fn() -> SignalBody,
) {
    let counting = async {
        while controller.counters(of).await.expect("it answers").unknown < count {
            stranger.say(of, body()).await;
        }
    };
    timeout(SOON, counting).await.expect("what a stranger sends is counted");
}

/// A stranger that subscribes learns nothing, and cannot end a neuron's life; what it sends is
/// counted.
pub async fn a_stranger_learns_nothing_and_changes_nothing<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let network = Network::from_toml(include_str!("xor.toml")).expect("the file is right");
    let host = Host::start(network.clone(), harness.transport()).await.expect("it starts");
    let mut stranger = Stranger::new(harness.transport()).await;
    let controller = host.controller();
    let stream = stranger.stream();
    until_counted(&stranger, controller, "z", 1, || SignalBody::Subscribe { stream }).await;
    // It is no subscriber, so that not even the right answer would be believed.
    let count = controller.counters("z").await.expect("it answers").unknown;
    let later = Incarnation { number: 2, nonce: 0xbad };
    let fenced = || SignalBody::Fenced { answered: later, known: Incarnation { number: 3, nonce: 0xbad } };
    until_counted(&stranger, controller, "z", count + 1, fenced).await;
    for (x, y) in [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)] {
        let wave = controller.present(&[("x", x), ("y", y)]).await.expect("the wave enters");
        stranger.say("z", SignalBody::Probe { stream, upto: Tag::at(wave.tag.time().after(SOON)) }).await;
        let z = controller.output_at("z", wave.tag).await.expect("z answers");
        assert_eq!((z.level, z.missing), (if x == y { 0.0 } else { 1.0 }, Missing::NONE));
    }
    while let Some(Some(envelope)) = stranger.inbox.next().now_or_never() {
        let told = match &envelope {
            Envelope::Signal { signal, .. } => {
                matches!(signal.body, SignalBody::Changed { .. } | SignalBody::Nothing { .. })
            }
            _ => false,
        };
        assert!(!told, "a stranger is told {envelope:?}");
    }
    host.stop().await;
}

/// A neuron of another host that a controller connects may listen from then on, also one that the
/// host of the source has never heard of.
pub async fn a_neuron_that_is_connected_at_run_time_may_listen<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let network = Network::builder("later").hold(Duration::from_secs(600));
    let network = network.neuron("a", |a| a.threshold(0.5)).neuron("b", |b| b.threshold(0.5));
    let network = network.build().expect("it is right");
    let start = |neuron: &'static str| Host::builder(network.clone(), harness.transport()).only([neuron]).start();
    let source = start("a").await.expect("it starts");
    let target = start("b").await.expect("it starts");
    let controller = target.controller();
    controller.connect("a", "b").await.expect("b may listen now");
    let weight = controller.set_weight("b", "a", 1.0).await.expect("it has that input");
    let stamp = controller.stimulate("a", 1.0).await.expect("it takes it");
    // The clocks of two hosts differ by some microseconds.
    let sample = controller.output_at("b", stamp.tag.max(weight.tag)).await.expect("it answers");
    assert_eq!((sample.level, sample.missing), (1.0, Missing::NONE));
    // In one set with others, and again after it has ended.
    controller.changes().disconnect("a", "b").apply().await.expect("it ends");
    let tag = controller.changes().connect("a", "b").set_threshold("b", 0.9).apply().await.expect("it is back");
    let sample = controller.output_at("b", tag).await.expect("it answers");
    assert_eq!((sample.level, sample.missing), (1.0, Missing::NONE));
    for host in [source, target] {
        host.stop().await;
    }
}
