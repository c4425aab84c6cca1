//! How long it takes from the moment the inputs speak to the moment the last neuron has decided, one wave at a time: beside the
//! same network by other means, which all do the same sums.
//!
//! Every contestant runs on one thread of its own and is measured inside it. They take turns in one run, on one core that
//! stays awake; what counts is the ratio. Of ours, the time begins when the last source has been told to speak, and has replied: an
//! asap neuron may have decided before that, and is measured from then on only if it has not.

mod inside;
mod peers;

use std::time::Duration;

use benches::{
    cores::Cores,
    plan::Plan,
    report::{Goal, Report},
    statistics::{median, micros, percentile},
};
use inside::Inside;
use neuron_core::neuron::Mode;
use peers::{Means, Peer};

const ROUNDS: usize = 200;
const PER_ROUND: u64 = 100;

fn main() {
    if benches::is_test() {
        return;
    }
    let _cores = Cores::take();
    let mut report = Report::new("firing_latency");
    compare(&mut report, "XOR", &Plan::xor());
    compare(&mut report, "chain of 3", &Plan::chain(3));
    report.save();
}

fn compare(report: &mut Report, what: &str, plan: &Plan) {
    let rounds = if benches::is_full() { ROUNDS * 5 } else { ROUNDS };
    let mut ours = [Mode::Coherent, Mode::Asap].map(|mode| (Inside::start(plan, mode), Vec::new()));
    let mut peers = Means::ALL.map(|means| (Peer::start(means, plan), Vec::new()));
    for _ in 0..rounds {
        for (inside, times) in &mut ours {
            inside.one_by_one(PER_ROUND, times);
        }
        for (peer, times) in &mut peers {
            times.extend((0..PER_ROUND).map(|_| peer.run(1)));
        }
    }
    let peers = peers.map(|(_, mut times): (_, Vec<Duration>)| micros(median(&mut times)));
    for ((_, times), mode) in ours.iter_mut().zip(["coherent", "asap"]) {
        let ours = micros(median(times));
        for (means, theirs) in Means::ALL.into_iter().zip(peers) {
            let goal = match (mode, means) {
                ("coherent", Means::Actix) => Some(Goal::AtMost(1.5)),
                ("asap", Means::Actix) => Some(Goal::AtMost(1.2)),
                (_, Means::Kameo | Means::Ractor) => Some(Goal::AtMost(1.0)),
                _ => None,
            };
            report.compare(&format!("{what}, {mode} beside {}", means.name()), ours, theirs, "µs", goal);
        }
        report.figure(&format!("{what}, {mode}, p99"), micros(percentile(times, 99)), "µs", None);
    }
}
