//! Generates changes of the configuration.

use std::{collections::BTreeMap, time::Duration};

use super::draw::{Draw, name};
use crate::{
    Network,
    command::{Command, ConfigChange},
    id::{NeuronId, Source},
    sim::{Action, Plan},
};

/// Adds changes of the configuration to a plan, alone and in transactions, and perhaps a neuron
/// that joins.
pub(super) fn rewire(draw: &mut Draw, plan: &mut Plan, count: usize) {
    for _ in 0..draw.rng.usize(0..=5) {
        let at = draw.moment();
        if draw.one_in(4) {
            let members: BTreeMap<NeuronId, Vec<ConfigChange>> =
                (0..draw.rng.usize(1..=3)).filter_map(|_| changes(draw, count, &plan.network)).collect();
            for source in connected_by(&members) {
                let soon = at + Duration::from_micros(draw.rng.u64(0..8_000));
                let level = draw.level();
                plan.actions.push((soon, Action::Stimulate { neuron: source, level, hold: None }));
            }
            plan.actions.push((at, Action::Transaction(members.into_iter().collect())));
        } else if let Some((neuron, changes)) = changes(draw, count, &plan.network) {
            for change in changes {
                plan.actions.push((at, Action::Change { neuron: neuron.clone(), command: Command::Configure(change) }));
            }
        }
    }
    if draw.one_in(4) {
        let neuron: NeuronId = name('n', draw.neuron(count));
        plan.absent.insert(neuron.clone());
        plan.actions.push((draw.moment(), Action::Join(neuron)));
    }
}

/// Returns one change of a neuron, half of the time with further changes of the same neuron. A new
/// connection comes with a weight. `None` if the drawn change is impossible.
fn changes(draw: &mut Draw, count: usize, network: &Network) -> Option<(NeuronId, Vec<ConfigChange>)> {
    let (neuron, change) = one_change(draw, count, network)?;
    let mut changes = vec![change];
    for _ in 0..3 {
        if draw.one_in(2)
            && let Some((other, change)) = one_change(draw, count, network)
            && other == neuron
        {
            changes.push(change);
        }
    }
    let connected: Vec<NeuronId> = connects(&changes).cloned().collect();
    for source in connected {
        changes.push(ConfigChange::SetWeight { source: source.into(), weight: draw.eighths(-8, 8) });
        // Often the new connection replaces another one.
        let sources: Vec<NeuronId> = network.neuron(&neuron)?.weights.keys().cloned().collect();
        if draw.one_in(2)
            && let Some(old) = draw.rng.choice(sources)
        {
            changes.push(ConfigChange::Disconnect { source: old });
        }
    }
    Some((neuron, changes))
}

/// Returns one change of a neuron; `None` if the drawn change is impossible.
fn one_change(draw: &mut Draw, count: usize, network: &Network) -> Option<(NeuronId, ConfigChange)> {
    let index = draw.neuron(count);
    let neuron: NeuronId = name('n', index);
    let change = match draw.rng.u8(0..6) {
        0 => {
            let source: NeuronId = name('n', draw.neuron(count));
            ConfigChange::SetWeight { source: source.into(), weight: draw.eighths(-8, 8) }
        }
        1 => ConfigChange::SetThreshold { threshold: draw.eighths(-11, 15) },
        2 => {
            let source: NeuronId = name('n', draw.neuron(count));
            ConfigChange::DeleteWeight { source: Source::Neuron(source) }
        }
        3 | 4 => {
            // Backwards, so that edges without a delay never close a cycle.
            let source = index.checked_sub(draw.rng.usize(1..=8))?;
            let delay = draw.one_in(3).then(|| Duration::from_millis(draw.rng.u64(20..100)));
            ConfigChange::Connect { source: name('n', source), delay }
        }
        _ => {
            let sources: Vec<NeuronId> = network.neuron(&neuron)?.weights.keys().cloned().collect();
            ConfigChange::Disconnect { source: draw.rng.choice(sources)? }
        }
    };
    Some((neuron, change))
}

/// Returns the sources that a transaction connects.
fn connected_by(members: &BTreeMap<NeuronId, Vec<ConfigChange>>) -> Vec<NeuronId> {
    members.values().flat_map(|changes| connects(changes)).cloned().collect()
}

/// Returns the sources that changes connect.
fn connects(changes: &[ConfigChange]) -> impl Iterator<Item = &NeuronId> {
    changes.iter().filter_map(|change| match change {
        ConfigChange::Connect { source, .. } => Some(source),
        _ => None,
    })
}
