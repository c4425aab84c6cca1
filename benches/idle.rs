//! What idle neurons cost: the memory of each, beside actors and tasks of other libraries, and
//! processor time at rest.

mod peers;

use std::{sync::Arc, time::Duration};

use benches::{
    plan::Plan,
    process::{apart, measured_apart, processor_time, resident},
    report::{Goal, Report},
};
use neuron_core::{
    actor::{Host, block_on},
    neuron::Mode,
};
use peers::{Means, Peer};
use transport_local::LocalTransport;

const NEURONS: usize = 100_000;
const ACTIVE: usize = 1_000;
/// How long the processor time is measured.
const SPAN: Duration = Duration::from_secs(3);
const ONE_KIND: &str = "--one-kind";

fn main() {
    if benches::is_test() {
        return;
    }
    if let Some(kind) = apart(ONE_KIND) {
        return measure(&kind[0]);
    }
    let mut report = Report::new("idle");
    let [bytes, started, resting, active] = measured_apart(&[ONE_KIND, "ours"])[..] else {
        panic!("four numbers are printed");
    };
    report.figure(
        "memory for each of 100,000 neurons, 2 inputs, 2 outputs",
        bytes,
        "bytes",
        Some(Goal::AtMost(1500.0)),
    );
    for means in Means::ALL {
        let theirs = measured_apart(&[ONE_KIND, means.name()])[0];
        let goal = matches!(means, Means::Kameo | Means::Ractor).then_some(Goal::AtMost(1.0));
        report.compare(&format!("memory for each beside {}", means.name()), bytes, theirs, "bytes", goal);
    }
    report.figure("100,000 neurons started", started, "s", None);
    report.figure("processor time of 100,000 at rest, a second", resting, "ms", Some(Goal::AtMost(3.0)));
    report.figure("processor time of 1,000 that fire, a second", active, "ms", None);
    report.save();
}

/// Measures one kind of contestant and prints the bytes for each neuron. For ours it also prints
/// the seconds to start them, and the milliseconds of processor time a second: of [`NEURONS`] at
/// rest, then of [`ACTIVE`] that fire.
fn measure(kind: &str) {
    let plan = Plan::braid(NEURONS);
    if let Some(means) = Means::ALL.into_iter().find(|means| means.name() == kind) {
        let before = resident();
        let _peer = Peer::start(means, &plan);
        println!("{}", resident().saturating_sub(before) / NEURONS as u64);
        return;
    }
    let network = plan.network(Mode::Coherent);
    drop(plan);
    let before = resident();
    let begin = std::time::Instant::now();
    let host = block_on(Host::start(network, Arc::new(LocalTransport::new()))).expect("the host starts");
    let started = begin.elapsed();
    println!("{} {}", resident().saturating_sub(before) / NEURONS as u64, started.as_secs_f64());
    println!("{}", milliseconds_a_second());
    block_on(host.stop());
    let network = Plan::braid(ACTIVE).network(Mode::Coherent);
    let host = block_on(Host::start(network, Arc::new(LocalTransport::new()))).expect("the host starts");
    block_on(host.controller().present(&[("s0", 1.0), ("s1", 1.0)])).expect("the wave enters");
    println!("{}", milliseconds_a_second());
    block_on(host.stop());
}

/// Returns the processor time of this process, in milliseconds a second.
fn milliseconds_a_second() -> f64 {
    // Timers that were set during the start fire once more.
    std::thread::sleep(Duration::from_secs(1));
    let before = processor_time();
    std::thread::sleep(SPAN);
    (processor_time() - before).as_secs_f64() * 1e3 / SPAN.as_secs_f64()
}
