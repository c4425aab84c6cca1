//! Generates watches, and hosts that stop in order or stay away for longer.

use std::time::Duration;

use super::draw::name;
use crate::{
    id::NeuronId,
    sim::{Action, Plan},
};

/// Lets a controller watch some neurons.
///
/// `rng` is apart from the one of the plan, so that the rest of a plan does not depend on this.
pub(super) fn watch(plan: &mut Plan, rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(0..=4) {
        let neuron: NeuronId = name('n', rng.usize(0..plan.network.len()));
        let at = Duration::from_micros(rng.u64(0..9_000_000));
        if rng.u8(0..5) == 0 {
            let later = at + Duration::from_micros(rng.u64(100_000..6_000_000));
            plan.actions.push((later, Action::Unwatch(neuron.clone())));
        }
        plan.actions.push((at, Action::Watch(neuron)));
    }
}

/// Turns some crashes into stops, and lets some hosts stay away for so long that others take them
/// for lost.
pub(super) fn vary_absences(plan: &mut Plan, rng: &mut fastrand::Rng) {
    for (at, action) in &mut plan.actions {
        match action {
            Action::Crash(host) if rng.u8(0..4) == 0 => *action = Action::Stop(host.clone()),
            Action::Restart { .. } if rng.u8(0..3) == 0 && *at < Duration::from_secs(11) => {
                *at += Duration::from_micros(rng.u64(3_000_000..6_000_000));
            }
            _ => {}
        }
    }
}
