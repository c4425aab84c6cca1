//! How long it takes from x to z over a broker, beside three bare hops of the same client in the same mode.
//!
//! Ours: a controller stimulates x, x tells h, h tells z, and z has decided: three messages through the broker, each encoded,
//! sent, received, decoded and put into an inbox; the neurons acknowledge theirs besides. Bare: a message of the same size
//! goes from one channel to the next, three times. The contestants take turns; what counts is the ratio. Brokers are started
//! on free ports; one that is not installed is left out, and that is said.

mod bare;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use neuron_core::{
    Network,
    actor::{Host, block_on},
    command::{Command, Report},
    transport::{Address, BoxFuture, Envelope, Guarantees, Inbox, Sending, Transport, TransportError},
};
use transport_conformance::Broker;
use transport_nats::NatsTransport;
use transport_redis::RedisTransport;

const ROUNDS: usize = 40;
const PER_ROUND: usize = 50;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("{:<24} {:>10} {:>10} {:>10} {:>10} {:>8}", "three hops", "ours p50", "p99", "bare p50", "p99", "ratio");
    if let Some(broker) = Broker::redis("") {
        let url = broker.url();
        compare("redis pubsub", redis(&format!("{url}?mode=pubsub")), bare::redis_pubsub(&url));
        compare("redis streams", redis(&format!("{url}?mode=streams")), bare::redis_streams(&url));
    }
    if let Some(broker) = Broker::nats("") {
        let url = broker.url();
        compare("nats core", nats(&format!("{url}?mode=core")), bare::nats_core(&url));
        compare("nats jetstream", nats(&format!("{url}?mode=jetstream")), bare::nats_jetstream(&url));
    }
}

fn compare(name: &str, ours: Ours, bare: bare::Bare) {
    let (mut our_times, mut bare_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.measure(&mut our_times);
        bare.measure(PER_ROUND, &mut bare_times);
    }
    let [ours, bare] = [our_times, bare_times].map(|mut times| {
        times.sort_unstable();
        [50, 99].map(|percent| times[times.len() * percent / 100].as_secs_f64() * 1e6)
    });
    let ratio = ours[0] / bare[0];
    println!("{name:<24} {:>7.0} µs {:>7.0} µs {:>7.0} µs {:>7.0} µs {ratio:>8.2}", ours[0], ours[1], bare[0], bare[1]);
}

fn redis(address: &str) -> Ours {
    let network = chain();
    let transport = block_on(RedisTransport::connect(address, network.name())).expect("the server is there");
    Ours::start(network, Arc::new(transport))
}

fn nats(address: &str) -> Ours {
    let network = chain();
    let transport = block_on(NatsTransport::connect(address, network.name())).expect("the server is there");
    Ours::start(network, Arc::new(transport))
}

fn chain() -> Network {
    let follows = |source: &'static str| {
        move |neuron: neuron_core::network::NeuronBuilder| neuron.threshold(0.9).weight(source, 1.0)
    };
    let builder = Network::builder("chain").neuron("x", |x| x).neuron("h", follows("x")).neuron("z", follows("h"));
    builder.build().expect("it is valid")
}

/// Our network, over a transport that notes when x is told to fire and when z has decided.
struct Ours {
    host: Host,
    stamps: Arc<Mutex<Stamps>>,
}

#[derive(Debug, Default)]
struct Stamps {
    told: Option<Instant>,
    decided: Option<Instant>,
}

impl Ours {
    fn start(network: Network, inner: Arc<dyn Transport>) -> Self {
        let stamps = Arc::new(Mutex::new(Stamps::default()));
        let transport = Arc::new(Stopwatch { inner, stamps: stamps.clone() });
        let host = block_on(Host::start(network, transport)).expect("the host starts");
        Self { host, stamps }
    }

    fn measure(&self, times: &mut Vec<Duration>) {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch("z").await.expect("z can be watched");
            watch.next().await.expect("the level to start from");
            for round in 0..PER_ROUND {
                *self.stamps.lock().expect("nobody panicked") = Stamps::default();
                let level = if round % 2 == 0 { 1.0 } else { 0.0 };
                controller.stimulate("x", level).await.expect("x is stimulated");
                watch.next().await.expect("z changes");
                let stamps = self.stamps.lock().expect("nobody panicked");
                let (Some(told), Some(decided)) = (stamps.told, stamps.decided) else { panic!("z changed without x") };
                times.push(decided - told);
            }
        });
    }
}

#[derive(Debug)]
struct Stopwatch {
    inner: Arc<dyn Transport>,
    stamps: Arc<Mutex<Stamps>>,
}

impl Transport for Stopwatch {
    fn send(&self, envelope: Envelope) -> Sending {
        match &envelope {
            Envelope::Request { request, .. } if matches!(request.command, Command::Stimulate { .. }) => {
                self.stamps.lock().expect("nobody panicked").told.get_or_insert_with(Instant::now);
            }
            Envelope::Report { report, .. } if matches!(**report, Report::Changed { .. }) => {
                self.stamps.lock().expect("nobody panicked").decided.get_or_insert_with(Instant::now);
            }
            _ => {}
        }
        self.inner.send(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.inner.subscribe(at)
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
}
