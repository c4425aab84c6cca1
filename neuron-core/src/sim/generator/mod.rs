//! Generates a network and its faults from a seed.

mod clocks;
mod draw;
mod faults;
mod hostile;
mod network;
mod rewiring;
mod sensors;
mod stimuli;
mod watches;

use std::time::Duration;

use draw::Draw;

use super::{FaultProfile, Plan};
use crate::{
    id::HostId,
    transport::{Delivery, Pace},
};

/// When the faults end.
const QUIESCE_AT: Duration = Duration::from_secs(12);
/// When the run ends and everything must be well again.
const END: Duration = Duration::from_secs(30);

impl Plan {
    /// Returns a plan with a random network and random faults of the kinds in `profile`. The same
    /// seed and profile give the same plan.
    pub fn random(seed: u64, profile: FaultProfile) -> Self {
        let rng = fastrand::Rng::with_seed(seed ^ 0x6e65_7572_6f6e);
        let mut plan = generate(&mut Draw { rng, profile, reliable: false }, seed);
        stimuli::make_trains(&mut plan, &mut fastrand::Rng::with_seed(seed ^ 0x0074_7261_696e));
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x7365_6e73_6f72);
        sensors::vary_sensors(&mut plan, profile.unknown_sensors, &mut rng);
        watches::vary_absences(&mut plan, &mut fastrand::Rng::with_seed(seed ^ 0x0061_6273_656e));
        watches::watch(&mut plan, &mut fastrand::Rng::with_seed(seed ^ 0x0077_6174_6368));
        clocks::set_clocks(&mut plan, profile, &mut fastrand::Rng::with_seed(seed ^ 0x0063_6c6f_636b));
        plan
    }
}

fn generate(draw: &mut Draw, seed: u64) -> Plan {
    let count = draw.rng.usize(3..=25);
    let hosts = if draw.one_in(2) { count } else { draw.rng.usize(1..=count.min(6)) };
    let network = network::network(draw, count, hosts);
    let mut plan = Plan::new(network, seed);
    plan.link = draw.link();
    let grace = Duration::from_micros(draw.rng.u64(1_000..=15_000));
    plan.guarantees.pace = Pace { grace, retry: Duration::from_millis(25) };
    if draw.profile.loss && draw.one_in(6) {
        draw.reliable = true;
        plan.guarantees.delivery = Delivery::ExactlyOnce;
        plan.link = draw.link();
    }
    plan.guarantees.ordered_per_sender = !plan.link.reorders;
    plan.quiesce_at = QUIESCE_AT;
    plan.end = END;
    let hosts: Vec<HostId> = plan.network.neurons().map(|(id, _)| plan.host_of(id)).collect();
    if draw.one_in(3) {
        for _ in 0..draw.rng.usize(1..=4) {
            let from = hosts[draw.rng.usize(0..hosts.len())].clone();
            let to = hosts[draw.rng.usize(0..hosts.len())].clone();
            let link = draw.link();
            plan.links.insert((from, to), link);
        }
    }
    if draw.profile.clocks || draw.profile.slow_hosts {
        for host in &hosts {
            let machine = draw.machine();
            plan.machines.entry(host.clone()).or_insert(machine);
        }
    }
    for _ in 0..draw.rng.usize(3..=14) {
        let at = draw.moment();
        let action = stimuli::stimulus(draw, count, &plan.network);
        plan.actions.push((at, action));
        // Half of them are followed by another one at once.
        if draw.one_in(2) {
            let soon = at + Duration::from_micros(draw.rng.u64(0..15_000));
            let action = stimuli::stimulus(draw, count, &plan.network);
            plan.actions.push((soon, action));
        }
    }
    faults::faults(draw, &mut plan, &hosts);
    if draw.profile.rewiring {
        rewiring::rewire(draw, &mut plan, count);
    }
    plan
}
