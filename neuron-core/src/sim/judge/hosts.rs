//! Whether hosts notice that others are gone, and that they are back.

use std::time::Duration;

use super::{
    absence::{last_start, unheard, ups, was_slow},
    case::{Case, Findings},
    facts::{connections, disconnects},
};
use crate::{
    hosts::{HostState, LOST_AFTER},
    sim::{Failure, world::Span},
};

/// How long it takes at most until a host is lost: what was under way may arrive and count once
/// more, and the neurons of a host whose name is not known are asked once a second.
const NOTICED_AFTER: Duration = LOST_AFTER.saturating_add(Duration::from_millis(2_500));

/// How long before the end both hosts have to be up: one that has said goodbye is looked for every
/// five seconds.
const FOUND_AFTER: Duration = Duration::from_secs(9);

/// An edge of the network file between two hosts. All are given by their index.
struct Edge {
    listener: usize,
    source: usize,
    here: usize,
    there: usize,
}

/// Returns the edges that last for the whole run.
fn edges<'a>(case: &'a Case<'_>) -> impl Iterator<Item = Edge> + 'a {
    let world = case.world;
    let plan = world.plan;
    let edges = plan.network.neurons().flat_map(|(id, spec)| spec.weights.keys().map(move |source| (id, source)));
    let stays = |id, source| {
        !connections(plan).any(|(to, from, _)| (to, from) == (id, source)) && !disconnects(plan, id, source)
    };
    let lasting = edges.filter(move |(id, source)| !plan.absent.contains(*id) && stays(*id, *source));
    let found = lasting.filter_map(|(id, source)| Some((world.find(id)?, world.find(source)?)));
    let edge = |(listener, source): (usize, usize)| {
        let (here, there) = (world.nodes[listener].host, world.nodes[source].host);
        Edge { listener, source, here, there }
    };
    let is_honest = |edge: &Edge| !case.is_liar(edge.listener) && !case.is_liar(edge.source);
    found.map(edge).filter(move |edge| edge.here != edge.there && is_honest(edge))
}

/// Checks that each neuron was told when the host of an input was gone for too long, or cut off.
pub(super) fn check_losses(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    for edge in edges(case).filter(|edge| !was_slow(world, edge.here)) {
        let told = || {
            let of_edge = world.recorder.lost_inputs.iter();
            of_edge.filter(|(_, listener, source)| (*listener, *source) == (edge.listener, edge.source))
        };
        let unheard = unheard(world, edge.here, edge.there);
        let alone = unheard.iter().flat_map(|away| ups(world, edge.here).iter().filter_map(|up| up.overlap(*away)));
        for Span { from, until } in alone {
            let latest = from.after(NOTICED_AFTER);
            if latest <= until && !told().any(|(at, ..)| (from..=latest).contains(at)) {
                let neuron = world.nodes[edge.listener].id.clone();
                let source = world.nodes[edge.source].id.clone();
                findings.failures.push(Failure::UnnoticedHostLoss { neuron, source });
            }
        }
    }
}

/// Checks that at the end each host knows where the inputs of its neurons run, and that these hosts
/// are up.
pub(super) fn check_returns(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    if !case.had_time_to_settle() {
        return;
    }
    let since = world.now().before(FOUND_AFTER);
    let has_settled = |host: usize| last_start(world, host).is_some_and(|start| start <= since);
    for edge in edges(case).filter(|edge| has_settled(edge.here) && has_settled(edge.there)) {
        let source = &world.nodes[edge.source];
        let speaks = source.neuron().is_some_and(|neuron| neuron.fenced_by().is_none());
        let listens = world.nodes[edge.listener].neuron().is_some_and(|neuron| neuron.fenced_by().is_none());
        // Of a neuron that has lost its store an earlier incarnation is known, which counts.
        if !speaks || !listens || source.ever_lost_its_store() || world.plan.absent.contains(&source.id) {
            continue;
        }
        let there = &world.hosts[edge.there].id;
        let knows = world.hosts[edge.here]
            .links
            .hosts()
            .iter()
            .any(|info| info.id == *there && info.state == HostState::Up && info.neurons.contains(&source.id));
        if !knows {
            let host = world.hosts[edge.here].id.clone();
            findings.failures.push(Failure::HostNotBack { host, source: source.id.clone() });
        }
    }
}
