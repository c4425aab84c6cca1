//! What a broker costs: the time from x to z, hops a second, and a thousand neurons on one
//! connection.
//!
//! **Latency.** Ours: a controller stimulates x, x sends its level to h, h sends its own to z, and
//! z decides. These are three messages through the broker, each encoded, sent, received, decoded
//! and put into an inbox; the neurons acknowledge theirs besides. Bare: a message of the same size
//! passes from one channel to the next, three times, with the same client in the same mode.
//!
//! **Throughput.** Ours: five hundred stimuli are in flight to x at a time, along the same chain. A
//! hop is a level that one neuron sends to another; all else is overhead: stimuli, their answers,
//! acknowledgements. Then, for a figure of its own, five hundred waves are in flight to z, which
//! enter in trains of a hundred. Bare: five hundred messages, each published to the next channel
//! when it is received, without requests.
//!
//! The contestants take turns, and the ratio counts. Brokers are started on free ports; one that is
//! not installed is left out with a note. They have a core of their own, see [`benches::cores`];
//! `--unpinned` leaves that to the scheduler of the system.

mod bare;
mod ours;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use benches::{
    cores::Cores,
    process,
    report::{Goal, Report, number},
};
use neuron_core::{
    Network,
    actor::{Host, block_on},
    transport::Transport,
};
use ours::{Flood, Ours, chain, xor};
use transport_conformance::Broker;
use transport_nats::{NatsConfig, NatsTransport};
use transport_redis::{RedisConfig, RedisTransport};

const PER_ROUND: usize = 50;
/// How many stimuli or waves are in flight at a time.
///
/// A neuron gives up a subscriber that is 1,024 statements behind, which then has to subscribe
/// anew. That happens often with a thousand in flight, and rarely with five hundred, which are no
/// slower.
const IN_FLIGHT: usize = 500;
const WAVES: usize = 5000;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let cores = Cores::take();
    if cores.is_none() {
        println!("Nothing is bound to a core: what the system's scheduler does is part of the figures.");
    }
    let mut report = Report::new("brokers");
    if let Some(broker) = broker(Broker::redis(""), cores.as_ref()) {
        let url = broker.url();
        let [pubsub, streams] = ["pubsub", "streams"].map(|mode| format!("{url}?mode={mode}"));
        latency(&mut report, "redis pubsub", &over_redis(&pubsub), || bare::redis_pubsub(&url));
        throughput(&mut report, "redis pubsub", &over_redis(&pubsub), || bare::flood::redis_pubsub(&url));
        latency_of_xor(&mut report, "redis pubsub", &over_redis(&pubsub));
        latency(&mut report, "redis streams", &over_redis(&streams), || bare::redis_streams(&url));
        throughput(&mut report, "redis streams", &over_redis(&streams), || bare::flood::redis_streams(&url));
        thousand(&mut report, "redis pubsub", &over_redis(&pubsub));
        thousand(&mut report, "redis streams", &over_redis(&streams));
    }
    if let Some(broker) = broker(Broker::nats(""), cores.as_ref()) {
        let url = broker.url();
        let [core, jetstream] = ["core", "jetstream"].map(|mode| format!("{url}?mode={mode}"));
        latency(&mut report, "nats core", &over_nats(&core), || bare::nats_core(&url));
        throughput(&mut report, "nats core", &over_nats(&core), || bare::flood::nats_core(&url));
        latency(&mut report, "nats jetstream", &over_nats(&jetstream), || bare::nats_jetstream(&url));
        throughput(&mut report, "nats jetstream", &over_nats(&jetstream), || bare::flood::nats_jetstream(&url));
        thousand(&mut report, "nats core", &over_nats(&core));
        thousand(&mut report, "nats jetstream", &over_nats(&jetstream));
    }
    report.save();
}

/// Returns whether to measure `name`: without words on the command line all, else names that begin
/// with one of them: `cargo bench -p benches --bench brokers -- "redis pubsub"`.
fn is_wanted(name: &str) -> bool {
    let mut wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    wanted.peek().is_none() || wanted.any(|word| name.starts_with(&word))
}

fn is_full() -> bool {
    std::env::args().any(|argument| argument == "--full")
}

/// Binds a broker to the core of the brokers and returns it.
fn broker(broker: Option<Broker>, cores: Option<&Cores>) -> Option<Broker> {
    if let (Some(broker), Some(cores)) = (&broker, cores) {
        cores.give_other(broker.process());
    }
    broker
}

fn over_redis(address: &str) -> impl Fn(&Network) -> Arc<dyn Transport> {
    let config = RedisConfig::parse(address).expect("an address").local_first(false);
    move |network| {
        let connecting = RedisTransport::connect_with(config.clone(), network.name());
        Arc::new(block_on(connecting).expect("the server is there"))
    }
}

fn over_nats(address: &str) -> impl Fn(&Network) -> Arc<dyn Transport> {
    let config = NatsConfig::parse(address).expect("an address").local_first(false);
    move |network| {
        let connecting = NatsTransport::connect_with(config.clone(), network.name());
        Arc::new(block_on(connecting).expect("the server is there"))
    }
}

fn latency(
    report: &mut Report,
    mode: &str,
    open: &impl Fn(&Network) -> Arc<dyn Transport>,
    bare: impl FnOnce() -> bare::Bare,
) {
    let name = format!("{mode} latency");
    if !is_wanted(&name) {
        return;
    }
    let network = chain();
    let ours = Ours::start(network.clone(), open(&network));
    let bare = bare();
    let mut our_times = Vec::new();
    let mut bare_times = Vec::new();
    for _ in 0..if is_full() { 100 } else { 40 } {
        ours.stimulate(PER_ROUND, &mut our_times);
        bare.measure(PER_ROUND, &mut bare_times);
    }
    let [ours, bare] = [our_times, bare_times].map(percentiles);
    report.compare(&name, ours[0], bare[0], "µs", Some(Goal::AtMost(1.5)));
    report.compare(&format!("{name}, p99"), ours[1], bare[1], "µs", None);
}

fn latency_of_xor(report: &mut Report, mode: &str, open: &impl Fn(&Network) -> Arc<dyn Transport>) {
    let name = format!("{mode} XOR latency");
    if !is_wanted(&name) {
        return;
    }
    let network = xor();
    let ours = Ours::start(network.clone(), open(&network));
    let mut times = Vec::new();
    ours.present(20 * PER_ROUND, &mut times);
    report.figure(&name, percentiles(times)[0], "µs", None);
}

/// Returns the median and the 99th percentile, in µs.
fn percentiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[times.len() * percent / 100].as_secs_f64() * 1e6)
}

fn throughput(
    report: &mut Report,
    mode: &str,
    open: &impl Fn(&Network) -> Arc<dyn Transport>,
    bare: impl FnOnce() -> bare::flood::Flood,
) {
    let name = format!("{mode} throughput");
    if !is_wanted(&name) {
        return;
    }
    let network = chain();
    let ours = Ours::start(network.clone(), open(&network));
    let bare = bare();
    let mut our_rates = Vec::new();
    let mut in_trains = Vec::new();
    let mut bare_rates = Vec::new();
    let mut total = Flood::default();
    for _ in 0..if is_full() { 21 } else { 7 } {
        let flood = ours.flood(WAVES, IN_FLIGHT);
        our_rates.push(flood.hops_per_second());
        in_trains.push(ours.trains(WAVES, IN_FLIGHT).hops_per_second());
        total.hops += flood.hops;
        total.again += flood.again;
        total.messages += flood.messages;
        total.waves += flood.waves;
        let hops = 4 * WAVES;
        bare_rates.push(hops as f64 / bare.measure(hops, IN_FLIGHT).as_secs_f64());
    }
    let [ours, in_trains, bare] = [our_rates, in_trains, bare_rates].map(|mut rates| {
        rates.sort_unstable_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    report.compare(&name, ours, bare, "hops/s", Some(Goal::AtLeast(0.5)));
    let of_waves = |count: u64| number(count as f64 / total.waves as f64);
    let [hops, again, messages] = [total.hops, total.again, total.messages].map(of_waves);
    println!("    for each wave {hops} hops, {again} levels sent again, {messages} messages in all");
    report.compare(&format!("{name}, in trains"), in_trains, bare, "hops/s", Some(Goal::AtLeast(0.5)));
}

/// Measures a thousand neurons on one connection: the time to start them, their memory, and the
/// time of a wave that changes all of them.
fn thousand(report: &mut Report, mode: &str, open: &impl Fn(&Network) -> Arc<dyn Transport>) {
    const NEURONS: usize = 1000;
    let name = format!("{mode} thousand");
    if !is_wanted(&name) {
        return;
    }
    let mut builder = Network::builder("thousand").neuron("x", |x| x).patience(Duration::from_secs(5));
    for index in 1..NEURONS {
        builder = builder.neuron(&format!("n{index:03}"), |neuron| neuron.threshold(0.9).weight("x", 1.0));
    }
    let network = builder.build().expect("it is valid");
    let before = process::resident();
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
        let each = process::resident().saturating_sub(before) as f64 / 1024.0 / NEURONS as f64;
        report.figure(&format!("{name}, start"), started.as_secs_f64(), "s", None);
        report.figure(&format!("{name}, memory each"), each, "kB", None);
        let wave = waves[waves.len() / 2].as_secs_f64() * 1e3;
        report.figure(&format!("{name}, a wave and 999 answers"), wave, "ms", None);
        host.stop().await;
    });
}
