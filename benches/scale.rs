//! How the cost of a neuron grows with the network: random networks with ten inputs for each
//! neuron, in one host.
//!
//! Each size is measured in a process of its own. Waves pass through the whole network, one after
//! the other. The cost of an evaluation is the processor time of the process divided by the number
//! of evaluations, which a sample of the neurons reports. It includes the messages that lead to the
//! evaluation, null messages, the renewal of levels that last, and the controller.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use benches::{
    plan::Plan,
    process::{apart, measured_apart, processor_time, resident},
    report::{Goal, Report},
};
use futures_util::future::join_all;
use neuron_core::{
    actor::{Controller, Host, block_on},
    neuron::Mode,
};
use transport_local::LocalTransport;

const INPUTS: usize = 10;
const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// The least number of evaluations to measure.
const EVALUATIONS: usize = 50_000;
/// How many neurons report their evaluations.
const SAMPLE: usize = 100;
/// The time between two waves for each neuron of the network: enough for a wave to end before the
/// next begins.
const PAUSE: Duration = Duration::from_micros(15);
const ONE_SIZE: &str = "--one-size";

fn main() {
    if benches::is_test() {
        return;
    }
    if let Some(size) = apart(ONE_SIZE) {
        return measure(size[0].parse().expect("a number"));
    }
    let mut report = Report::new("scale");
    let sizes = if benches::is_full() { &SIZES[..] } else { &SIZES[..4] };
    let mut at_a_thousand = None;
    for size in sizes {
        let [built, started, bytes, price] = measured_apart(&[ONE_SIZE, &size.to_string()])[..] else {
            panic!("four numbers are printed");
        };
        let name = |what: &str| format!("{what}, {} neurons", with_commas(*size));
        report.figure(&name("built"), built, "s", None);
        report.figure(&name("started"), started, "s", None);
        let whole = (*size == 1_000_000).then_some(Goal::AtMost(4000.0));
        report.figure(&name("memory for each"), bytes / *size as f64, "bytes", whole);
        report.figure(&name("memory for each synapse"), bytes / (size * INPUTS) as f64, "bytes", None);
        if *size == 1000 {
            at_a_thousand = Some(price);
        }
        match at_a_thousand.filter(|_| *size > 1000) {
            Some(before) => {
                report.compare(&name("an evaluation beside 1,000"), price, before, "ns", Some(Goal::AtMost(3.0)));
            }
            None => report.figure(&name("an evaluation"), price, "ns", None),
        }
    }
    report.save();
}

/// Returns how many evaluations these neurons have made, all together.
async fn evaluations(controller: &Controller, names: &[String]) -> u64 {
    let counters = join_all(names.iter().map(|name| controller.counters(name))).await;
    counters.into_iter().map(|counters| counters.expect("each neuron tells").evaluations).sum()
}

fn with_commas(number: usize) -> String {
    match number {
        small @ 0..1000 => small.to_string(),
        large => format!("{},{:03}", with_commas(large / 1000), large % 1000),
    }
}

/// Prints the seconds to build and to start a network of this size, its bytes, and the nanoseconds
/// of an evaluation.
fn measure(size: usize) {
    let begin = Instant::now();
    let network = Plan::random(size, INPUTS).into_network(Mode::Coherent);
    let built = begin.elapsed();
    let begin = Instant::now();
    block_on(async {
        let host = Host::start(network, Arc::new(LocalTransport::new())).await.expect("the host starts");
        let started = begin.elapsed();
        let controller = host.controller();
        let sources: Vec<String> = (0..10).map(|source| format!("s{source}")).collect();
        let step = size.div_ceil(SAMPLE);
        let sample: Vec<String> = (0..size).step_by(step).map(|number| format!("n{number}")).collect();
        let waves = (EVALUATIONS / size).clamp(3, 50);
        let pause = PAUSE * u32::try_from(size).expect("few enough");
        let before = evaluations(controller, &sample).await;
        let begin = processor_time();
        for wave in 0..waves {
            let stimuli = sources.iter().enumerate().map(|(number, name)| {
                let on = (wave + number).is_multiple_of(2);
                (name.as_str(), if on { 1.0 } else { 0.0 })
            });
            controller.present(&stimuli.collect::<Vec<_>>()).await.expect("the wave enters");
            std::thread::sleep(pause);
        }
        let spent = processor_time() - begin;
        let evaluated = (evaluations(controller, &sample).await - before) * step as u64;
        let price = spent.div_f64(evaluated as f64);
        println!("{} {} {} {}", built.as_secs_f64(), started.as_secs_f64(), resident(), price.as_nanos());
        host.stop().await;
    });
}
