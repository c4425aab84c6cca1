//! Shrinks a plan that fails.

use super::{Delay, Habits, Hostile, Machine, Plan};
use crate::{Network, id::NeuronId};

/// The most runs that one search tries: about a minute.
const MAX_TRIES: u32 = 4_000;

impl Plan {
    /// Returns a smaller plan that still `fails`: without the actions, neurons, edges and faults
    /// that the failure does not need.
    ///
    /// The search is greedy and calls `fails` at most 4,000 times.
    #[must_use]
    pub fn shrink(&self, fails: impl Fn(&Self) -> bool) -> Self {
        let mut best = self.clone();
        let mut tries = MAX_TRIES;
        loop {
            let smaller = candidates(&best).find(|candidate| {
                let is_left = tries > 0;
                tries = tries.saturating_sub(1);
                is_left && fails(candidate)
            });
            match smaller {
                Some(smaller) => best = smaller,
                None => return best,
            }
        }
    }
}

/// Returns plans that are slightly smaller, the most promising first.
fn candidates(plan: &Plan) -> impl Iterator<Item = Plan> {
    let actions = plan.actions.len();
    let halves = [(0, actions / 2), (actions / 2, actions)].into_iter().filter(move |_| actions > 8);
    let without_many = halves.map(move |(from, to)| {
        let mut smaller = plan.clone();
        smaller.actions.drain(from..to);
        smaller
    });
    let without_one = (0..actions).map(move |index| {
        let mut smaller = plan.clone();
        smaller.actions.remove(index);
        smaller
    });
    let neurons: Vec<NeuronId> = plan.network.neurons().map(|(id, _)| id.clone()).collect();
    let without_neuron = neurons.into_iter().filter_map(move |id| without(plan, &id));
    let edges: Vec<(NeuronId, NeuronId)> = plan
        .network
        .neurons()
        .flat_map(|(id, spec)| spec.weights.keys().map(move |source| (id.clone(), source.clone())))
        .collect();
    let without_edge = edges.into_iter().filter_map(move |(id, source)| {
        rebuilt(plan, |network_id, spec| {
            if *network_id == id {
                spec.weights.remove(&source);
            }
            true
        })
    });
    let simpler_links = [
        simpler(plan, |plan| plan.link.loss = 0),
        simpler(plan, |plan| plan.link.duplicates = 0),
        simpler(plan, |plan| plan.links.clear()),
        simpler(plan, |plan| plan.link.reorders = false),
        simpler(plan, |plan| plan.link.delay = Delay::UpTo(std::time::Duration::from_millis(2))),
        simpler(plan, |plan| plan.absent.clear()),
        simpler(plan, |plan| plan.hostile = None),
        calmer(plan, |hostile| hostile.until = hostile.from + (hostile.until - hostile.from) / 2),
        calmer(plan, |hostile| hostile.from += (hostile.until - hostile.from) / 2),
        calmer(plan, |hostile| hostile.burst = 1),
        calmer(plan, |hostile| hostile.altered = 0),
        calmer(plan, |hostile| hostile.habits = Habits::default()),
    ];
    let hosts: Vec<_> = plan.machines.keys().cloned().collect();
    let default_machines = hosts.into_iter().map(move |host| {
        simpler(plan, |plan| {
            plan.machines.remove(&host);
        })
    });
    let without_drift = plan.machines.clone().into_iter().map(move |(host, machine)| {
        simpler(plan, |plan| {
            plan.machines.insert(host.clone(), Machine { drift: 0, ..machine });
        })
    });
    without_many
        .chain(without_one)
        .map(Some)
        .chain(without_neuron.map(Some))
        .chain(without_edge.map(Some))
        .chain(simpler_links)
        .chain(default_machines)
        .chain(without_drift)
        .flatten()
}

/// Returns a plan with simpler faults; `None` if the change has no effect.
fn simpler(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Option<Plan> {
    let mut simpler = plan.clone();
    change(&mut simpler);
    let same = simpler.link == plan.link
        && simpler.links == plan.links
        && simpler.machines == plan.machines
        && simpler.hostile == plan.hostile
        && simpler.absent == plan.absent;
    (!same).then_some(simpler)
}

/// Returns a plan whose hostile machine does less; `None` if there is none, or it does not.
fn calmer(plan: &Plan, change: impl FnOnce(&mut Hostile)) -> Option<Plan> {
    simpler(plan, |plan| {
        if let Some(hostile) = &mut plan.hostile {
            change(hostile);
        }
    })
}

/// Returns the plan without a neuron; `None` if it is the only one.
fn without(plan: &Plan, neuron: &NeuronId) -> Option<Plan> {
    if plan.network.len() == 1 {
        return None;
    }
    let mut smaller = rebuilt(plan, |id, spec| {
        spec.weights.remove(neuron);
        id != neuron
    })?;
    smaller.absent.remove(neuron);
    Some(smaller)
}

/// Returns the plan with another network, in which `keep` may change or remove each neuron; `None`
/// if that network is not valid. Actions that name a removed neuron have no effect.
fn rebuilt(plan: &Plan, mut keep: impl FnMut(&NeuronId, &mut crate::network::NeuronSpec) -> bool) -> Option<Plan> {
    let mut builder = Network::builder(plan.network.name().as_str()).settings(*plan.network.settings());
    for (id, spec) in plan.network.neurons() {
        let mut spec = spec.clone();
        if keep(id, &mut spec) {
            builder = builder.spec(id.as_str(), spec);
        }
    }
    Some(Plan { network: builder.build().ok()?, ..plan.clone() })
}
