//! A device with valid credentials that lies in its own name, beside a network that goes on.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::{
    Missing, Network, Tag, Time, Value,
    actor::{Controller, Host},
    command::{Report, Sample, WatchPosition},
    signal::{Incarnation, Signal, SignalBody},
    sim::{Habits, Liar, Victims},
    transport::{Address, Envelope, Inbox, Transport},
};
use tokio::time::timeout;

use crate::harness::{Harness, id, neuron, open};

/// How many patterns are presented, and how many lies are told with each.
const PATTERNS: usize = 40;
const LIES: usize = 50;

/// How soon something is answered or counted that is repeated.
const SOON: Duration = Duration::from_secs(20);

/// The neurons that the honest host runs.
const HONEST: [&str; 7] = ["x", "y", "h1", "h2", "h3", "z", "ear"];

/// Returns XOR, and a neuron `ear` that listens to the liar, which may listen to `x`.
fn network() -> Network {
    let xor = Network::from_toml(include_str!("xor.toml")).expect("the file is right");
    let mut builder = Network::builder(xor.name().as_str()).settings(*xor.settings());
    for (id, spec) in xor.neurons() {
        builder = builder.spec(id.as_str(), spec.clone());
    }
    let builder = builder.neuron("liar", |liar| liar.threshold(0.5).weight("x", 1.0));
    builder.neuron("ear", |ear| ear.threshold(0.5).weight("liar", 1.0)).build().expect("it is right")
}

/// The device that lies, with its connection.
struct Device {
    transport: Arc<dyn Transport>,
    liar: Liar,
    inboxes: [Inbox; 2],
    victims: Victims,
    incarnation: Incarnation,
    /// The number of the last request that it has got.
    last_request: Option<u64>,
    began: std::time::Instant,
}

impl Device {
    async fn new(transport: Arc<dyn Transport>, seed: u64) -> Self {
        let host = Address::Host("liar".parse().expect("a name"));
        let inboxes = [open(&transport, &neuron("liar")).await, open(&transport, &host).await];
        let habits = Habits { incarnations: true, ..Habits::default() };
        let victims = Victims {
            neurons: HONEST.map(id).into(),
            hosts: vec!["honest".parse().expect("a name")],
            controllers: vec!["boss".parse().expect("a name")],
        };
        let liar = Liar::new(id("liar"), "liar".parse().expect("a name"), habits, seed);
        let incarnation = Incarnation { number: 1, nonce: 0xbad };
        Self { transport, liar, inboxes, victims, incarnation, last_request: None, began: std::time::Instant::now() }
    }

    /// Takes in what has come. A subscription is answered as an honest neuron at rest would.
    async fn hear(&mut self) {
        for index in 0..self.inboxes.len() {
            while let Some(Some(envelope)) = self.inboxes[index].next().now_or_never() {
                self.liar.hear(&envelope);
                if let Envelope::Request { request, .. } = &envelope {
                    self.last_request = Some(request.id);
                }
                let Envelope::Signal { from, signal, .. } = envelope else { continue };
                let SignalBody::Subscribe { stream } = signal.body else { continue };
                let value = Value::plain(0.0);
                let body = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: Tag::FIRST, value };
                let signal = Signal { incarnation: self.incarnation, body };
                let answer = Envelope::Signal { from: id("liar"), to: from, signal };
                let _ = self.transport.send(answer).await;
            }
        }
    }

    /// Reports changes of watches of others, whose numbers are near that of the last request to it.
    async fn guess_watches(&mut self) {
        self.hear().await;
        let Some(last) = self.last_request else { return };
        for watch in last.saturating_sub(8)..last {
            let position = WatchPosition { incarnation: self.incarnation, number: 1_000 };
            let sample = Sample { level: 1.0, tag: Tag::FIRST, missing: Missing::NONE };
            let report = Box::new(Report::Changed { watch, position, sample });
            let to = self.victims.controllers[0].clone();
            let _ = self.transport.send(Envelope::Report { from: id("liar"), to, report }).await;
        }
    }

    /// Tells lies. `near` is a recent tag of the network.
    async fn lie(&mut self, near: Tag) {
        self.hear().await;
        let now: Time = near.time().max(Time::from_micros(self.began.elapsed().as_micros() as u64));
        for _ in 0..LIES {
            let lie = self.liar.lie(&self.victims, now);
            // What has no inbox, or no room there, is as good as lost.
            let _ = timeout(SOON, self.transport.send(lie)).await.expect("a transport takes it or refuses it");
        }
    }
}

/// A peer tells 2,000 lies, from a seed that a failure prints: all kinds of messages to all neurons,
/// to their host and to the controller. XOR beside it is never wrong, all calls are answered, and
/// what was refused is counted.
pub async fn a_hostile_peer_harms_no_other<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let seed = std::env::var("SEED").map_or(2016, |seed| seed.parse().expect("SEED is a number"));
    let mut device = Device::new(harness.transport(), seed).await;
    let builder = Host::builder(network(), harness.transport()).only(HONEST);
    let builder = builder.name("honest".parse().expect("a name")).controller("boss".parse().expect("a name"));
    let mut starting = Box::pin(builder.start());
    let host = loop {
        match timeout(Duration::from_millis(20), &mut starting).await {
            Ok(host) => break host.expect("it starts"),
            Err(_) => device.hear().await,
        }
    };
    let controller = host.controller();
    let watch = controller.watch("z").await.expect("z can be watched");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut levels = [BTreeMap::from([(Tag::ORIGIN, 0.0)]), BTreeMap::from([(Tag::ORIGIN, 0.0)])];
    let (mut plain, mut marked) = (0, 0);
    for _ in 0..PATTERNS {
        let pattern = [("x", f64::from(rng.u8(0..2))), ("y", f64::from(rng.u8(0..2)))];
        let wave = timeout(SOON, controller.present(&pattern)).await.expect("in time").expect("the wave enters");
        for ((name, level), levels) in pattern.iter().zip(&mut levels) {
            levels.insert(wave.late.get(*name).copied().unwrap_or(wave.tag), *level);
        }
        let tag = wave.late.values().copied().fold(wave.tag, Tag::max);
        device.lie(tag).await;
        // It is asked as well, so that it learns the numbers of requests. It need not answer.
        let _ = timeout(Duration::from_millis(5), controller.output_at("liar", tag)).await;
        let z = timeout(SOON, controller.output_at("z", tag)).await.expect("in time").expect("z answers");
        let [x, y] = levels.each_ref().map(|levels| *levels.range(..=tag).next_back().expect("from the origin on").1);
        if z.missing == Missing::NONE {
            assert_eq!(z.level, if x == y { 0.0 } else { 1.0 }, "seed {seed}: {pattern:?} at {tag}");
            plain += 1;
        } else {
            marked += 1;
        }
    }
    assert!(plain > marked, "seed {seed}: {plain} answers were plain, {marked} were marked");
    until_counted(&mut device, controller, &host, seed).await;
    for name in HONEST {
        let answer = timeout(SOON, controller.output(name)).await.expect("in time");
        answer.unwrap_or_else(|error| panic!("seed {seed}: {name} does not answer: {error}"));
    }
    assert_eq!((host.counters().panics, host.counters().fenced), (0, 0), "seed {seed}");
    drop(watch);
    host.stop().await;
}

/// Lies on until each neuron has counted a message as unknown, and the host a forged report. `x`
/// and `ear` are neighbours, which may believe what they get.
async fn until_counted(device: &mut Device, controller: &Controller, host: &Host, seed: u64) {
    let counting = async {
        for name in HONEST.into_iter().filter(|name| !["x", "ear"].contains(name)) {
            while controller.counters(name).await.expect("it answers").unknown == 0 {
                device.lie(Tag::FIRST).await;
            }
        }
        while host.counters().forged == 0 {
            let watch = controller.watch("z").await.expect("z can be watched");
            let _ = timeout(Duration::from_millis(50), controller.output("liar")).await;
            device.guess_watches().await;
            let _ = timeout(Duration::from_millis(50), controller.output("z")).await;
            drop(watch);
        }
    };
    let counted = timeout(SOON, counting).await;
    assert!(counted.is_ok(), "seed {seed}: what was refused is not counted: {:?}", host.counters());
}
