//! What a broker costs that is killed and started again under a thousand neurons on one connection:
//! the time from the moment when it listens again until all of them answer plain, and how many envelopes
//! that takes.
//!
//! Run it with `cargo bench -p benches --bench broker_restart`; `-- --carrier=pubsub` (or `streams`,
//! `core`, `jetstream`) runs one mode.

mod carrier;

use std::time::{Duration, Instant};

use carrier::Carrier;
use neuron_core::{
    Network,
    actor::{Controller, Host, block_on},
};

/// How many neurons there are; all but one listen to the first one.
const NEURONS: usize = 1000;

/// After what time a mode counts as not mended.
const LIMIT: Duration = Duration::from_secs(60);

/// How often each mode is measured.
const ROUNDS: usize = 3;

fn main() {
    if benches::is_test() {
        return;
    }
    let only = std::env::args().find_map(|argument| argument.strip_prefix("--carrier=").map(str::to_owned));
    println!("{:<10} {:>9} {:>16} {:>15}", "carrier", "start, s", "plain again, s", "envelopes sent");
    for name in ["pubsub", "streams", "core", "jetstream"] {
        if only.as_deref().is_none_or(|only| only == name) {
            measure(name);
        }
    }
}

/// Kills the broker of a network and starts it again, and prints a row for each round.
fn measure(name: &str) {
    let Some(mut broker) = Carrier::broker(name) else { return };
    let network = network();
    let begun = Instant::now();
    let carrier = Carrier::connect(name, &broker, &network, false);
    let host = block_on(Host::start(network, carrier.transport.clone())).expect("the host starts");
    let controller = host.controller();
    let names: Vec<String> = (1..NEURONS).map(|index| format!("n{index:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if plain_within(LIMIT, controller, &names).is_none() {
        return println!("{name:<10} no plain answer after the start");
    }
    let started = begun.elapsed();
    for _ in 0..ROUNDS {
        broker.kill();
        broker.start_again();
        let sent = carrier.sent();
        let back = plain_within(LIMIT, controller, &names);
        // NATS core counts what has left up to 0.1 s later.
        std::thread::sleep(Duration::from_millis(200));
        let back = back.map_or_else(|| "never".to_owned(), |back| format!("{:.1}", back.as_secs_f64()));
        let sent = carrier.sent() - sent;
        println!("{name:<10} {:>9.1} {back:>16} {sent:>15}", started.as_secs_f64());
    }
    block_on(host.stop());
}

/// Presents waves until all neurons answer one plain, and returns how long that took; `None` if the
/// time is not enough.
fn plain_within(limit: Duration, controller: &Controller, names: &[&str]) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        let answers = block_on(async {
            let tag = controller.present(&[("x", 1.0)]).await?.tag;
            controller.outputs_at(names, tag).await
        });
        let Ok(answers) = answers else { continue };
        if answers.iter().all(|sample| !sample.is_degraded()) {
            assert!(answers.iter().all(|sample| sample.level == 1.0), "a plain answer is wrong");
            return Some(begun.elapsed());
        }
    }
    None
}

/// Returns a network of one neuron that all others listen to.
fn network() -> Network {
    let listeners = (1..NEURONS).map(|index| format!("n{index:03}"));
    let builder = Network::builder("thousand").neuron("x", |x| x.threshold(0.5));
    let builder =
        listeners.fold(builder, |builder, name| builder.neuron(&name, |neuron| neuron.threshold(0.5).weight("x", 1.0)));
    builder.build().expect("it is right")
}
