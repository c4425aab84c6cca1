//! Making a plan that fails as short as it can be.

use super::{Delay, Machine, Plan};
use crate::{Network, id::NeuronId};

impl Plan {
    /// Leaves out of a plan whatever can be left out so that it still `fails`, and makes what is left simpler: the shortest
    /// story of what went wrong that trying finds.
    ///
    /// It tries at most a few thousand runs.
    #[must_use]
    pub fn shrink(&self, fails: impl Fn(&Self) -> bool) -> Self {
        let mut best = self.clone();
        let mut tries = 4000_u32;
        loop {
            let smaller = candidates(&best).find(|candidate| {
                let left = tries > 0;
                tries = tries.saturating_sub(1);
                left && fails(candidate)
            });
            match smaller {
                Some(smaller) => best = smaller,
                None => return best,
            }
        }
    }
}

/// Plans with a little less in them, the most promising first.
fn candidates(plan: &Plan) -> impl Iterator<Item = Plan> {
    let acts = plan.acts.len();
    let halves = [(0, acts / 2), (acts / 2, acts)].into_iter().filter(move |_| acts > 8);
    let without_many = halves.map(move |(from, to)| {
        let mut smaller = plan.clone();
        smaller.acts.drain(from..to);
        smaller
    });
    let without_one = (0..acts).map(move |index| {
        let mut smaller = plan.clone();
        smaller.acts.remove(index);
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
    let calmer = [
        simpler(plan, |plan| plan.link.loss = 0),
        simpler(plan, |plan| plan.link.duplicates = 0),
        simpler(plan, |plan| plan.links.clear()),
        simpler(plan, |plan| plan.link.reorders = false),
        simpler(plan, |plan| plan.link.delay = Delay::UpTo(std::time::Duration::from_millis(2))),
        simpler(plan, |plan| plan.absent.clear()),
    ];
    let hosts: Vec<_> = plan.machines.keys().cloned().collect();
    let ordinary = hosts.into_iter().map(move |host| {
        simpler(plan, |plan| {
            plan.machines.remove(&host);
        })
    });
    let upright = plan.machines.clone().into_iter().map(move |(host, machine)| {
        simpler(plan, |plan| {
            plan.machines.insert(host.clone(), Machine { drift: 0, ..machine });
        })
    });
    without_many
        .chain(without_one)
        .map(Some)
        .chain(without_neuron.map(Some))
        .chain(without_edge.map(Some))
        .chain(calmer)
        .chain(ordinary)
        .chain(upright)
        .flatten()
}

fn simpler(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Option<Plan> {
    let mut simpler = plan.clone();
    change(&mut simpler);
    let same = simpler.link == plan.link
        && simpler.links == plan.links
        && simpler.machines == plan.machines
        && simpler.absent == plan.absent;
    (!same).then_some(simpler)
}

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

/// The plan with another network, in which `keep` may change each neuron or leave it out. Acts that name what is not there
/// any more have no effect.
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
