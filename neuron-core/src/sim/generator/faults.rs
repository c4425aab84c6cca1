//! Generates faults.

use std::time::Duration;

use super::draw::{Draw, name};
use crate::{
    id::HostId,
    sim::{Action, Disk, Plan},
};

/// Adds crashes, panics, freezes and partitions to a plan.
pub(super) fn faults(draw: &mut Draw, plan: &mut Plan, hosts: &[HostId]) {
    let host = |draw: &mut Draw| hosts[draw.rng.usize(0..hosts.len())].clone();
    if draw.profile.crashes {
        for _ in 0..draw.rng.usize(0..=3) {
            let host = host(draw);
            let at = draw.moment();
            plan.actions.push((at, Action::Crash(host.clone())));
            if draw.one_in(6) {
                continue;
            }
            come_back(draw, plan, &host, at);
        }
        if draw.one_in(3) {
            let neuron = name('n', draw.rng.usize(0..plan.network.len()));
            plan.actions.push((draw.moment(), Action::Panic(neuron)));
        }
    }
    if draw.profile.slow_hosts && draw.one_in(4) {
        let span = Duration::from_micros(draw.rng.u64(10_000..3_000_000));
        plan.actions.push((draw.moment(), Action::Freeze(host(draw), span)));
    }
    if draw.profile.partitions && !draw.reliable {
        for _ in 0..draw.rng.usize(0..=3) {
            let one = host(draw);
            let other = host(draw);
            let at = draw.moment();
            if one == other {
                continue;
            }
            let one_way = draw.one_in(3);
            let partition = if one_way { Action::PartitionOneWay } else { Action::Partition };
            plan.actions.push((at, partition(one.clone(), other.clone())));
            let longest = if draw.one_in(5) { 11_000_000 } else { 5_000_000 };
            let lasts = Duration::from_micros(draw.rng.u64(10_000..longest));
            plan.actions.push((at + lasts, Action::Heal(one, other)));
        }
    }
}

/// Adds the return of a host that crashes at `at`.
fn come_back(draw: &mut Draw, plan: &mut Plan, host: &HostId, at: Duration) {
    let offset = if draw.profile.clocks { draw.offset() } else { 0 };
    let back = at + Duration::from_micros(draw.rng.u64(10_000..4_000_000));
    plan.actions.push((back, Action::Restart { host: host.clone(), disk: Disk::Kept, offset }));
    if draw.profile.disks && draw.one_in(10) {
        // A second crash. This time the disk has lost what the last incarnation wrote.
        let again = back + Duration::from_millis(draw.rng.u64(500..2_000));
        let disk = if draw.rng.bool() { Disk::Lost } else { Disk::Old };
        plan.actions.push((again, Action::Crash(host.clone())));
        let later = again + Duration::from_millis(draw.rng.u64(10..2_000));
        plan.actions.push((later, Action::Restart { host: host.clone(), disk, offset }));
    }
}
