//! Generates clocks that are set while their hosts run.

use std::time::Duration;

use crate::{
    id::HostId,
    sim::{Action, FaultProfile, Plan, clock::HOUR},
};

/// Lets some clocks be set, if there are wrong ones at all: mostly right, after they were hours
/// behind or not.
///
/// `rng` is apart from the one of the plan, so that the rest of a plan does not depend on this.
pub(super) fn set_clocks(plan: &mut Plan, profile: FaultProfile, rng: &mut fastrand::Rng) {
    if !profile.clocks || rng.bool() {
        return;
    }
    let hosts: Vec<HostId> = plan.network.neurons().map(|(id, _)| plan.host_of(id)).collect();
    for _ in 0..rng.usize(1..=3) {
        let host = hosts[rng.usize(0..hosts.len())].clone();
        if rng.bool() {
            plan.machines.entry(host.clone()).or_default().offset = -rng.i64(HOUR..=20 * HOUR);
        }
        let offset = match rng.u8(0..8) {
            0 => HOUR,
            1 => rng.i64(-HOUR..=HOUR),
            2 => -rng.i64(HOUR..=8 * HOUR),
            3 => rng.i64(-20_000_000..=20_000_000),
            4 if rng.u8(0..4) == 0 => rng.i64(4 * HOUR + HOUR / 30..=10 * HOUR),
            _ => 0,
        };
        let at = Duration::from_micros(rng.u64(100_000..11_000_000));
        plan.actions.push((at, Action::SetClock { host, offset }));
    }
}
