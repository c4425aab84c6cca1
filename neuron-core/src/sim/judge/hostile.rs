//! Whether a hostile machine has harmed others.

use std::time::Duration;

use super::{
    absence::last_start,
    case::{Case, Findings},
    facts::panics,
};
use crate::{
    id::SourceId,
    sim::{
        Action, Failure, Plan,
        controller::PendingQuery,
        world::{HostileMachine, START},
    },
};

/// How long after the end of the lies and of the faults neurons answer again: the hostile one is
/// down at its neighbours by then, and what a controller has reserved has been given back.
const HEARD_AFTER: Duration = Duration::from_secs(8);

/// Checks what a hostile machine has done to others; nothing if there is none.
pub(super) fn check_lies(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    let Some(machine) = &world.hostile else { return };
    findings.totals.lies += machine.delivered;
    findings.totals.lies_refused += machine.refused;
    findings.totals.forged += world.controller.forged();
    let id = |index: usize| world.nodes[index].id.clone();
    let overheard = machine.overheard.iter().map(|index| Failure::Overheard { neuron: id(*index) });
    let uncounted = machine.uncounted.iter().map(|(index, kind)| Failure::Uncounted { neuron: id(*index), kind });
    let oversized = machine.oversized.iter().map(|(what, (holder, count))| Failure::Oversized {
        holder: holder.clone(),
        what,
        count: *count,
    });
    findings.failures.extend(overheard.chain(uncounted).chain(oversized));
    check_fenced(case, findings);
    check_voices(case, machine, findings);
    check_marks(case, machine, findings);
    check_strangers(case, machine, findings);
}

/// Checks that no neuron was fenced but by a neighbour that does such a thing, or because it had
/// lost its store.
fn check_fenced(case: &Case<'_>, findings: &mut Findings) {
    for (index, node) in case.world.nodes.iter().enumerate().filter(|(index, _)| !case.is_liar(*index)) {
        let is_fenced = node.neuron().is_some_and(|neuron| neuron.fenced_by().is_some());
        if !is_fenced || node.ever_lost_its_store() {
            continue;
        }
        findings.totals.fenced_by_lies += 1;
        if !case.is_fenced_by_liar(index) {
            findings.failures.push(Failure::Silenced { neuron: node.id.clone() });
        }
    }
}

/// Checks that each honest neuron that is up answers again after all has ended.
fn check_voices(case: &Case<'_>, machine: &HostileMachine<'_>, findings: &mut Findings) {
    let world = case.world;
    let begins = START.after(world.plan.quiesce_at).max(machine.ends_at()).after(HEARD_AFTER);
    let is_late = |query: &&PendingQuery| query.sent_at >= begins && !case.is_liar(query.neuron);
    for query in world.controller.queries().filter(is_late) {
        let node = &world.nodes[query.neuron];
        let was_up = last_start(world, node.host).is_some_and(|start| start.after(HEARD_AFTER) <= query.sent_at);
        let had_time = world.now().since(query.sent_at) >= Duration::from_secs(2);
        let clocks_agree = case.dependencies.ancestors[query.neuron].iter().all(|one| !case.has_distrusted_clock(*one));
        let is_up = world.is_up(query.neuron) && was_up && had_time && clocks_agree;
        if is_up && query.answer.is_none() {
            findings.failures.push(Failure::Silenced { neuron: node.id.clone() });
        }
    }
}

/// Checks that at the end the neurons that the hostile one feeds lack nothing but what it was said
/// to lack, and itself.
fn check_marks(case: &Case<'_>, machine: &HostileMachine<'_>, findings: &mut Findings) {
    let world = case.world;
    if !case.had_time_to_settle() {
        return;
    }
    let liar = SourceId::from(world.nodes[machine.index].id.clone());
    let is_neuron = |name: &SourceId| world.plan.network.neurons().any(|(id, _)| id.as_str() == name.as_str());
    let is_explained = |name: &SourceId| *name == liar || machine.said_missing.contains(name) || !is_neuron(name);
    for (index, node) in world.nodes.iter().enumerate() {
        let mut others = case.dependencies.ancestors[index].iter().filter(|one| !case.is_liar(**one));
        let are_well = others.all(|one| case.is_well(*one) && !case.dependencies.in_cycle.contains(one));
        if case.is_liar(index) || !case.is_fed_by_liar(index) || !are_well {
            continue;
        }
        let Some(neuron) = node.neuron() else { continue };
        let missing = &neuron.value().missing;
        if !missing.names().iter().all(is_explained) {
            findings.failures.push(Failure::StillDegraded { neuron: node.id.clone(), missing: missing.clone() });
        }
    }
}

/// Checks that a hostile neuron without an edge, and that takes part in nothing, degrades no answer
/// of others where nothing else does.
fn check_strangers(case: &Case<'_>, machine: &HostileMachine<'_>, findings: &mut Findings) {
    let plan = case.world.plan;
    if !machine.is_stranger() || machine.takes_part || !is_calm(plan) {
        return;
    }
    for (index, node) in case.world.nodes.iter().enumerate() {
        let degraded = node.counters.degraded;
        if !case.is_liar(index) && degraded > 0 && !panics(plan, &node.id) {
            findings.failures.push(Failure::Disturbed { neuron: node.id.clone(), degraded });
        }
    }
}

/// Returns whether a plan has no fault but delays, and no sensor that may be unknown.
fn is_calm(plan: &Plan) -> bool {
    let is_harmless = |action: &Action| {
        matches!(
            action,
            Action::Stimulate { .. }
                | Action::Train { .. }
                | Action::Feed { level: Some(_), .. }
                | Action::Present(_)
                | Action::Query(_)
                | Action::Watch(_)
                | Action::Unwatch(_)
        )
    };
    plan.actions.iter().all(|(_, action)| is_harmless(action))
        && plan.links.values().chain([&plan.link]).all(|link| link.loss == 0)
        && plan.machines.is_empty()
        && plan.absent.is_empty()
}
