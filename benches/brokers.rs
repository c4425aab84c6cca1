//! How long it takes from x to z over a broker, beside three bare hops of the same client in the same mode.
//!
//! Ours: a controller stimulates x, x tells h, h tells z, and z has decided: three messages through the broker, each encoded,
//! sent, received, decoded and put into an inbox; the neurons acknowledge theirs besides. Bare: a message of the same size
//! goes from one channel to the next, three times. The contestants take turns; what counts is the ratio. Brokers are started
//! on free ports; one that is not installed is left out, and that is said. They have a core for themselves, see
//! [`benches::cores`]; `--unpinned` leaves everything to the scheduler.

mod bare;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use benches::cores::Cores;
use neuron_core::{
    Network,
    actor::{Host, block_on},
    command::{Command, Report},
    transport::{Address, BoxFuture, Envelope, Guarantees, Inbox, Sending, Transport, TransportError},
};
use transport_conformance::Broker;
use transport_nats::NatsTransport;
use transport_redis::RedisTransport;

/// Everything, or what begins with the words that are given: `cargo bench -p benches --bench brokers -- redis thousand`.
fn is_wanted(name: &str) -> bool {
    let mut wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    wanted.peek().is_none() || wanted.any(|word| name.starts_with(&word))
}

const ROUNDS: usize = 40;
const PER_ROUND: usize = 50;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let cores = Cores::take();
    if cores.is_none() {
        println!("Nothing is bound to a core: the scheduler's mood is part of the figures.");
    }
    println!("{:<24} {:>10} {:>10} {:>10} {:>10} {:>8}", "three hops", "ours p50", "p99", "bare p50", "p99", "ratio");
    if let Some(broker) = broker(Broker::redis(""), cores.as_ref()) {
        let url = broker.url();
        compare("redis pubsub", || (redis(&format!("{url}?mode=pubsub")), bare::redis_pubsub(&url)));
        compare("redis streams", || (redis(&format!("{url}?mode=streams")), bare::redis_streams(&url)));
        for mode in ["pubsub", "streams"] {
            thousand(&format!("thousand, redis {mode}"), |network| over_redis(&format!("{url}?mode={mode}"), network));
        }
    }
    if let Some(broker) = broker(Broker::nats(""), cores.as_ref()) {
        let url = broker.url();
        compare("nats core", || (nats(&format!("{url}?mode=core")), bare::nats_core(&url)));
        compare("nats jetstream", || (nats(&format!("{url}?mode=jetstream")), bare::nats_jetstream(&url)));
        for mode in ["core", "jetstream"] {
            thousand(&format!("thousand, nats {mode}"), |network| over_nats(&format!("{url}?mode={mode}"), network));
        }
    }
}

/// A broker on the core that is for it.
fn broker(broker: Option<Broker>, cores: Option<&Cores>) -> Option<Broker> {
    if let (Some(broker), Some(cores)) = (&broker, cores) {
        cores.give_other(broker.process());
    }
    broker
}

fn compare(name: &str, contestants: impl FnOnce() -> (Ours, bare::Bare)) {
    if !is_wanted(name) {
        return;
    }
    let (ours, bare) = contestants();
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
    Ours::start(network.clone(), over_redis(address, &network))
}

fn nats(address: &str) -> Ours {
    let network = chain();
    Ours::start(network.clone(), over_nats(address, &network))
}

fn over_redis(address: &str, network: &Network) -> Arc<dyn Transport> {
    Arc::new(block_on(RedisTransport::connect(address, network.name())).expect("the server is there"))
}

fn over_nats(address: &str, network: &Network) -> Arc<dyn Transport> {
    Arc::new(block_on(NatsTransport::connect(address, network.name())).expect("the server is there"))
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

/// A thousand neurons on one connection: what it takes to start them, what they hold at the broker, and what a wave takes that
/// changes all of them.
fn thousand(name: &str, open: impl FnOnce(&Network) -> Arc<dyn Transport>) {
    const NEURONS: usize = 1000;
    if !is_wanted(name) {
        return;
    }
    let mut builder = Network::builder("thousand").neuron("x", |x| x).patience(Duration::from_secs(5));
    for index in 1..NEURONS {
        builder = builder.neuron(&format!("n{index:03}"), |neuron| neuron.threshold(0.9).weight("x", 1.0));
    }
    let network = builder.build().expect("it is valid");
    let before = resident();
    let transport = open(&network);
    block_on(async {
        let begin = Instant::now();
        let host = Host::start(network, transport).await.expect("the host starts");
        let started = begin.elapsed();
        let controller = host.controller();
        let mut waves = Vec::new();
        for round in 0..10 {
            let begin = Instant::now();
            let wave =
                controller.present(&[("x", if round % 2 == 0 { 1.0 } else { 0.0 })]).await.expect("the wave enters");
            for index in 1..NEURONS {
                let answer = controller.output_at(&format!("n{index:03}"), wave.tag).await.expect("it answers");
                assert!(answer.missing.is_empty(), "n{index:03} lacks {}", answer.missing);
            }
            waves.push(begin.elapsed());
        }
        waves.sort_unstable();
        println!(
            "{name:<24} started in {:.2} s, {} kB each; all 999 asked after a wave: {:.0} ms",
            started.as_secs_f64(),
            resident().saturating_sub(before) / NEURONS,
            waves[waves.len() / 2].as_secs_f64() * 1e3,
        );
        host.stop().await;
    });
}

/// The memory of this process, in kB; 0 where the system does not tell.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
