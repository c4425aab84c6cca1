//! How large a network each broker mode carries: one neuron with n inputs, in one host or in two.
//!
//! It prints how long the hosts take to start, when the first plain answer comes, and how many
//! envelopes went through the broker until then. Run it with `cargo bench -p benches --bench
//! fan_in`; `-- --carrier=pubsub` (or `streams`, `core`, `jetstream`) runs one mode, `-- --inputs=N`
//! one size, `-- --placement=TwoHosts` (or `OneHost`, `OneHostRemote`) one placement.

mod carrier;

use std::time::{Duration, Instant};

use carrier::Carrier;
use neuron_core::{
    Network,
    actor::{Host, block_on},
};

/// The modes, and the sizes that each is measured with.
const CARRIERS: [(&str, &[usize]); 4] = [
    ("pubsub", &[1_000, 3_000, 10_000]),
    ("streams", &[1_000, 3_000, 10_000]),
    ("core", &[1_000, 3_000, 10_000]),
    ("jetstream", &[1_000, 3_000]),
];

/// After what time a size counts as too large.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the inputs and the neuron run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// In one host.
    OneHost,
    /// In one host whose messages travel over the broker nevertheless.
    OneHostRemote,
    /// The inputs in one host, the neuron in another one.
    TwoHosts,
}

fn main() {
    if benches::is_test() {
        return;
    }
    let carrier = argument("--carrier=");
    let inputs: Option<usize> = argument("--inputs=").map(|inputs| inputs.parse().expect("a number"));
    println!(
        "{:<10} {:<15} {:>7} {:>9} {:>9} {:>10}",
        "carrier", "placement", "inputs", "start, s", "plain, s", "sent"
    );
    for (name, sizes) in CARRIERS.into_iter().filter(|(name, _)| carrier.as_deref().is_none_or(|only| only == *name)) {
        let placements = [Placement::OneHost, Placement::OneHostRemote, Placement::TwoHosts];
        let only = argument("--placement=");
        let is_wanted = |placement: &Placement| only.as_ref().is_none_or(|only| *only == format!("{placement:?}"));
        for placement in placements.into_iter().filter(is_wanted) {
            for size in inputs.map_or_else(|| sizes.to_vec(), |size| vec![size]) {
                measure(name, placement, size);
            }
        }
    }
}

/// Returns the value of an argument that begins with `name`.
fn argument(name: &str) -> Option<String> {
    std::env::args().find_map(|argument| argument.strip_prefix(name).map(str::to_owned))
}

/// Starts a network with so many inputs over a broker of its own, and prints a row.
fn measure(name: &str, placement: Placement, size: usize) {
    let Some(broker) = Carrier::broker(name) else { return };
    let network = network(size);
    let hosts: &[&str] = if placement == Placement::TwoHosts { &["inputs", "output"] } else { &[] };
    let begun = Instant::now();
    let local_first = placement != Placement::OneHostRemote;
    let connect = |_| Carrier::connect(name, &broker, &network, local_first);
    let carriers: Vec<Carrier> = (0..hosts.len().max(1)).map(connect).collect();
    let mut running = Vec::new();
    for (number, carrier) in carriers.iter().enumerate() {
        let builder = Host::builder(network.clone(), carrier.transport.clone());
        let builder = match hosts.get(number) {
            Some(host) => builder.as_host(host),
            None => builder,
        };
        match block_on(builder.start()) {
            Ok(host) => running.push(host),
            Err(error) => return println!("{name:<10} {placement:<15?} {size:>7} {error:?}"),
        }
    }
    let started = begun.elapsed();
    let controller = running[0].controller();
    let mut answer = None;
    let mut last = String::new();
    while begun.elapsed() < LIMIT && answer.is_none() {
        let sample = block_on(async {
            let tag = controller.present(&[("n0", 1.0)]).await?.tag;
            controller.output_at("z", tag).await
        });
        match sample {
            Ok(sample) if !sample.is_degraded() => answer = Some((begun.elapsed(), sample.level)),
            Ok(sample) => last = format!("{} names are missing", sample.missing.names().len()),
            Err(error) => last = format!("{error:?}"),
        }
    }
    let sent: u64 = carriers.iter().map(|carrier| carrier.sent()).sum();
    let plain = answer.map_or_else(
        || format!("none: {last}"),
        |(after, level)| {
            assert_eq!(level, 1.0, "one input is on, which reaches the threshold");
            format!("{:.1}", after.as_secs_f64())
        },
    );
    println!(
        "{name:<10} {:<15} {size:>7} {:>9.1} {plain:>9} {sent:>10}",
        format!("{placement:?}"),
        started.as_secs_f64()
    );
    running.into_iter().for_each(|host| block_on(host.stop()));
}

/// Returns a network of one neuron and its inputs, any of which turns it on.
fn network(inputs: usize) -> Network {
    let mut network = Network::builder("wide");
    for input in 0..inputs {
        network = network.neuron(&format!("n{input}"), |neuron| neuron.threshold(0.5).host("inputs"));
    }
    let output = network.neuron("z", |neuron| {
        let neuron = neuron.threshold(0.5).host("output");
        (0..inputs).fold(neuron, |neuron, input| neuron.weight(&format!("n{input}"), 1.0))
    });
    output.build().expect("it is right")
}
