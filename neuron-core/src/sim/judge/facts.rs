//! What a plan says about a run before it begins.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    command::{Command, ConfigChange},
    id::NeuronId,
    sim::{Action, Plan},
};

/// Returns whether a neuron panics.
pub(super) fn panics(plan: &Plan, neuron: &NeuronId) -> bool {
    plan.actions.iter().any(|(_, action)| matches!(action, Action::Panic(id) if id == neuron))
}

/// Returns whether any clock is ever set wrong.
pub(super) fn has_wrong_clock(plan: &Plan) -> bool {
    let sets_wrong = |action: &Action| matches!(action, Action::Restart { offset, .. } | Action::SetClock { offset, .. } if *offset != 0);
    plan.machines.values().any(|machine| machine.offset != 0)
        || plan.actions.iter().any(|(_, action)| sets_wrong(action))
}

/// Returns whether the network changes in the run.
pub(super) fn is_rewired(plan: &Plan) -> bool {
    let changes = |action: &Action| matches!(action, Action::Change { .. } | Action::Transaction(_) | Action::Join(_));
    plan.actions.iter().any(|(_, action)| changes(action))
}

/// Returns the connections that the actions of a plan make: receiver, source and delay.
pub(in crate::sim) fn connections(plan: &Plan) -> impl Iterator<Item = (&NeuronId, &NeuronId, Option<Duration>)> {
    plan.actions.iter().flat_map(|(_, action)| connections_of(action))
}

/// Returns whether an action ends a connection.
pub(super) fn disconnects(plan: &Plan, neuron: &NeuronId, source: &NeuronId) -> bool {
    let is_it = |change: &ConfigChange| matches!(change, ConfigChange::Disconnect { source: old } if old == source);
    plan.actions.iter().any(|(_, action)| match action {
        Action::Change { neuron: changed, command: Command::Configure(change) } => changed == neuron && is_it(change),
        Action::Transaction(members) => {
            members.iter().any(|(changed, changes)| changed == neuron && changes.iter().any(is_it))
        }
        _ => false,
    })
}

fn connections_of(action: &Action) -> Vec<(&NeuronId, &NeuronId, Option<Duration>)> {
    match action {
        Action::Change { neuron, command: Command::Configure(change) } => {
            connection(neuron, change).into_iter().collect()
        }
        Action::Transaction(members) => {
            let changes =
                members.iter().flat_map(|(neuron, changes)| changes.iter().map(move |change| (neuron, change)));
            changes.filter_map(|(neuron, change)| connection(neuron, change)).collect()
        }
        _ => Vec::new(),
    }
}

fn connection<'a>(
    neuron: &'a NeuronId,
    change: &'a ConfigChange,
) -> Option<(&'a NeuronId, &'a NeuronId, Option<Duration>)> {
    match change {
        ConfigChange::Connect { source, delay } => Some((neuron, source, *delay)),
        _ => None,
    }
}

/// Who depends on whom at any time of a run. Neurons are given by their index.
pub(super) struct Dependencies {
    /// Each neuron itself and all neurons that it depends on, directly or not.
    pub(super) ancestors: Vec<BTreeSet<usize>>,
    /// The neurons that depend on themselves.
    pub(super) in_cycle: BTreeSet<usize>,
}

impl Dependencies {
    /// Collects the connections of the network and those that the actions make. `find` returns the
    /// index of a neuron; `None` if it does not exist.
    pub(super) fn new(plan: &Plan, find: impl Fn(&NeuronId) -> Option<usize>) -> Self {
        let mut sources: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); plan.network.len()];
        let mut connect = |to: &NeuronId, from: &NeuronId| {
            if let (Some(to), Some(from)) = (find(to), find(from)) {
                sources[to].insert(from);
            }
        };
        for (id, spec) in plan.network.neurons() {
            spec.weights.keys().for_each(|source| connect(id, source));
        }
        for (to, from, _) in connections(plan) {
            connect(to, from);
        }
        let mut in_cycle = BTreeSet::new();
        let mut ancestors = Vec::new();
        for index in 0..sources.len() {
            let mut found = BTreeSet::new();
            let mut next: Vec<usize> = sources[index].iter().copied().collect();
            while let Some(one) = next.pop() {
                if found.insert(one) {
                    next.extend(&sources[one]);
                }
            }
            if !found.insert(index) {
                in_cycle.insert(index);
            }
            ancestors.push(found);
        }
        Self { ancestors, in_cycle }
    }
}
