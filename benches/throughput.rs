//! How many hops a second, beside the same networks by other means. A hop is a level that one
//! neuron sends to another.
//!
//! A chain of 1,000 and a fan 1 → 1,000 → 1: one stimulus makes 1,000 or 2,000 hops, so the hops
//! dominate. A chain of 3 with 1,000 waves in flight: one message from another thread asks for
//! them, and they enter on the thread of the network. Ours can also enter with a request for each,
//! which is answered; that is most of the work then.

mod inside;
mod peers;

use std::time::Duration;

use benches::{
    cores::Cores,
    plan::Plan,
    report::{Goal, Report},
    statistics::median,
};
use inside::Inside;
use neuron_core::neuron::Mode;
use peers::{Means, Peer};

const ROUNDS: usize = 30;
const IN_FLIGHT: u64 = 1000;

fn main() {
    if benches::is_test() {
        return;
    }
    let _cores = Cores::take();
    let mut report = Report::new("throughput");
    compare(&mut report, "chain of 1,000", &Plan::chain(1000), 1);
    compare(&mut report, "fan 1 → 1,000 → 1", &Plan::fan(1000), 1);
    compare(&mut report, "chain of 3, 1,000 in flight", &Plan::chain(3), IN_FLIGHT);
    one_by_one(&mut report, &Plan::chain(3), IN_FLIGHT);
    report.save();
}

/// Measures `in_flight` waves in flight, each of which enters with a request of its own.
fn one_by_one(report: &mut Report, plan: &Plan, in_flight: u64) {
    for (mode, name) in [(Mode::Coherent, "coherent"), (Mode::Asap, "asap")] {
        let mut inside = Inside::start(plan, mode);
        let mut times: Vec<_> = (0..ROUNDS).map(|_| inside.at_once(in_flight)).collect();
        let waves = in_flight as f64 / median(&mut times).as_secs_f64();
        report.figure(&format!("chain of 3, 1,000 requests in flight, {name}"), waves, "waves/s", None);
    }
}

fn compare(report: &mut Report, what: &str, plan: &Plan, in_flight: u64) {
    let rounds = if benches::is_full() { ROUNDS * 5 } else { ROUNDS };
    let mut ours = [Mode::Coherent, Mode::Asap].map(|mode| (Inside::start(plan, mode), Vec::new()));
    let mut peers = Means::ALL.map(|means| (Peer::start(means, plan), Vec::new()));
    for _ in 0..rounds {
        for (inside, times) in &mut ours {
            match in_flight {
                1 => inside.one_by_one(10, times),
                _ => times.push(inside.in_one_train(in_flight)),
            }
        }
        for (peer, times) in &mut peers {
            let times: &mut Vec<Duration> = times;
            times.push(peer.run(in_flight));
        }
    }
    let hops = plan.hops() as f64 * in_flight as f64;
    let rate = |times: &mut Vec<Duration>| hops / median(times).as_secs_f64();
    let peers = peers.map(|(_, mut times)| rate(&mut times));
    for ((_, times), mode) in ours.iter_mut().zip(["coherent", "asap"]) {
        let ours = rate(times);
        for (means, theirs) in Means::ALL.into_iter().zip(peers) {
            let goal = match (mode, means) {
                ("coherent", Means::Channels) => Some(Goal::AtLeast(0.7)),
                ("coherent", Means::Kameo | Means::Ractor) => Some(Goal::AtLeast(1.0)),
                _ => None,
            };
            report.compare(&format!("{what}, {mode} beside {}", means.name()), ours, theirs, "hops/s", goal);
        }
    }
}
