//! Generates stimuli, readings and queries.

use std::{collections::BTreeMap, time::Duration};

use super::draw::{Draw, name};
use crate::{
    Network,
    id::{NeuronId, SensorId},
    sim::{Action, Plan},
};

/// Returns a stimulus, a reading, a wave over several neurons, or a query.
pub(super) fn stimulus(draw: &mut Draw, count: usize, network: &Network) -> Action {
    let neuron: NeuronId = name('n', draw.neuron(count));
    let level = draw.level();
    let hold = draw.rng.bool().then(|| Duration::from_millis(draw.rng.u64(20..5_000)));
    match draw.rng.u8(0..10) {
        0..=3 => Action::Stimulate { neuron, level, hold },
        4 | 5 => {
            let sensors: Vec<SensorId> =
                network.neuron(&neuron).map(|spec| spec.sensors.keys().cloned().collect()).unwrap_or_default();
            match draw.rng.choice(sensors) {
                Some(sensor) => {
                    let level = draw.eighths(-16, 16);
                    let window = draw.rng.bool().then(|| Duration::from_millis(draw.rng.u64(1..20)));
                    Action::Feed { neuron, sensor, level: Some(level), window }
                }
                None => Action::Stimulate { neuron, level, hold },
            }
        }
        6 | 7 => {
            let members: BTreeMap<NeuronId, f64> =
                (0..draw.rng.usize(1..=5)).map(|_| (name('n', draw.neuron(count)), draw.level())).collect();
            Action::Present(members.into_iter().collect())
        }
        _ => Action::Query(neuron),
    }
}

/// Turns some stimuli into trains.
///
/// `rng` is apart from the one of the plan, so that the rest of a plan does not depend on the
/// trains.
pub(super) fn make_trains(plan: &mut Plan, rng: &mut fastrand::Rng) {
    for (_, action) in &mut plan.actions {
        if let Action::Stimulate { neuron, level, hold: None } = action
            && rng.u8(0..4) == 0
        {
            let levels = (0..rng.usize(1..=12)).map(|_| f64::from(rng.u8(0..=1))).chain([*level]).collect();
            *action = Action::Train { neuron: neuron.clone(), levels };
        }
    }
}
