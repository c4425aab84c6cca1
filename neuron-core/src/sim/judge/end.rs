//! Whether the network is well at the end of a run, after the faults have ended.

use std::time::Duration;

use super::{
    case::{Case, Findings},
    facts::{connections, is_rewired, panics},
};
use crate::{
    id::SourceId,
    neuron::MAX_STATED,
    record::Record,
    sim::{Failure, Plan, clock::HOUR, world::START},
    tag::Tag,
    value::Missing,
};

/// Checks that the answers of all neurons without a lasting fault are plain and correct, and that
/// the neurons are quiet.
pub(super) fn check_convergence(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    let quiet_since = START.after(world.plan.quiesce_at);
    let mut plain_since = quiet_since;
    let settles = case.had_time_to_settle();
    for (index, node) in world.nodes.iter().enumerate().filter(|(index, _)| !case.is_fed_by_liar(*index)) {
        let in_cycle = |one: &usize| case.dependencies.in_cycle.contains(one);
        let ancestors_are_well =
            case.dependencies.ancestors[index].iter().all(|one| case.is_well(*one) && !in_cycle(one));
        let Some(neuron) = node.neuron().filter(|_| ancestors_are_well && settles) else { continue };
        plain_since = plain_since.max(node.plain_since);
        let value = neuron.value();
        if lacks_sensors_only(world.plan, &value.missing) {
            continue;
        }
        if value.is_degraded() {
            let missing = value.missing.clone();
            findings.failures.push(Failure::StillDegraded { neuron: node.id.clone(), missing });
            continue;
        }
        let actual = case.recorded.level_at(&node.id, Tag::MAX);
        if value.level != actual {
            let claimed = value.level;
            findings.failures.push(Failure::NotConverged { neuron: node.id.clone(), claimed, actual });
        }
    }
    if plain_since > quiet_since {
        findings.totals.recoveries.count(plain_since.since(quiet_since));
    }
    let all_are_well = (0..world.nodes.len()).all(|index| case.is_well(index));
    // A connection to a neuron that does not exist is asked for without end.
    let resubscribes = connections(world.plan).any(|(_, source, _)| world.find(source).is_none());
    if all_are_well && settles && case.dependencies.in_cycle.is_empty() && !resubscribes {
        findings.totals.settled += 1;
        if world.recorder.late_signals > 0 {
            findings.failures.push(Failure::NotQuiet { signals: world.recorder.late_signals });
        }
    }
}

/// Returns whether something is missing, and all of it are sensors: their silence lasts.
pub(super) fn lacks_sensors_only(plan: &Plan, missing: &Missing) -> bool {
    let is_neuron = |name: &SourceId| plan.network.neurons().any(|(id, _)| id.as_str() == name.as_str());
    !missing.is_empty() && !missing.names().iter().any(is_neuron)
}

/// Checks that a neuron that came back without its store is fenced, if a neuron is left that has
/// known it before.
pub(super) fn check_lost_stores(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    let all_arrive = case.all_messages_arrive();
    for (index, node) in world.nodes.iter().enumerate() {
        if !node.incarnations.last().is_some_and(|incarnation| incarnation.lost_store) || case.is_liar(index) {
            continue;
        }
        findings.totals.lost_stores += 1;
        let noticed = node.neuron().is_some_and(|neuron| neuron.fenced_by().is_some());
        findings.totals.noticed_stores += u64::from(noticed);
        // It subscribes to its sources, and those that were up all the time remember it.
        let spec = world.plan.network.neuron(&node.id);
        let knows = |other: usize| {
            let source = &world.nodes[other];
            let is_source = spec.is_some_and(|spec| spec.weights.contains_key(&source.id));
            is_source && case.is_well(other) && source.incarnations.len() == 1 && !is_rewired(world.plan)
        };
        // One that crashed before its first turn, because its host was frozen, is not known to them.
        let with_store = node.incarnations.iter().filter(|log| !log.lost_store && !log.records.is_empty()).count();
        let number = node.neuron().map_or(0, |neuron| neuron.incarnation().number as usize);
        let known = (0..world.nodes.len()).any(|other| other != index && knows(other));
        if known && all_arrive && !noticed && number <= with_store && world.is_up(index) {
            findings.failures.push(Failure::UnnoticedStoreLoss { neuron: node.id.clone() });
        }
    }
}

/// Checks that a transaction that was committed took effect at all of its neurons, at its tag.
pub(super) fn check_transactions(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    let is_excused =
        |index: usize| case.was_slow(index) || case.has_crashed(index) || panics(world.plan, &world.nodes[index].id);
    let is_excused = |index: usize| is_excused(index) || case.is_fenced_by_liar(index);
    for transaction in world.controller.transactions() {
        let members = || transaction.members.iter().filter(|member| !case.is_liar(**member));
        if members().any(|member| is_excused(*member)) {
            continue;
        }
        findings.totals.transactions += 1;
        for member in members() {
            let node = &world.nodes[*member];
            let is_effect = |record: &Record| {
                matches!(record, Record::Stamped { tag, event }
                    if *tag == transaction.at && event.config_change().is_some())
            };
            if !node.records().any(is_effect) {
                let neuron = node.id.clone();
                findings.failures.push(Failure::PartialTransaction { tag: transaction.at, neuron });
            }
        }
    }
}

/// Checks that no neuron whose clock is right to within an hour follows a clock that is hours
/// ahead.
pub(super) fn check_clocks(case: &Case<'_>, findings: &mut Findings) {
    let hour = Duration::from_micros(HOUR.unsigned_abs());
    // A hostile neighbour may take others along as far as neurons may state.
    let stated = if case.liar_may_drag() { MAX_STATED } else { Duration::ZERO };
    let latest = Tag::at(case.world.now().after(hour).after(stated).after(Duration::from_secs(60)));
    for (index, node) in case.world.nodes.iter().enumerate() {
        let Some(neuron) = node.neuron().filter(|_| !case.has_distrusted_clock(index) && !case.is_liar(index)) else {
            continue;
        };
        let tag = neuron.complete_through();
        if tag > latest {
            findings.failures.push(Failure::ClockDragged { neuron: node.id.clone(), tag });
        }
    }
}
