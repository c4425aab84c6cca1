//! Whether the answers of a run are correct: claims, re-entries, queries, leases and omissions.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use super::{
    case::{Case, Findings, claims},
    facts::{connections, has_wrong_clock, is_rewired, panics},
};
use crate::{
    id::NeuronId,
    oracle::{Mistake, Verdict},
    record::{Event, Record},
    sim::{Action, Failure, controller::PendingQuery, world::Node},
    tag::Tag,
    value::Value,
};

/// Checks that every plain claim is correct and that no tag is answered twice, also across
/// incarnations.
pub(super) fn check_claims(case: &Case<'_>, findings: &mut Findings) {
    for (index, node) in case.world.nodes.iter().enumerate() {
        if case.may_trust_lost_store(index) || case.is_liar(index) {
            continue;
        }
        let incarnations = || node.incarnations.iter().filter(|incarnation| !incarnation.lost_store);
        let records =
            incarnations().map(|incarnation| (&node.id, incarnation.records.as_slice(), incarnation.complete_through));
        let verdict = Verdict::of(&case.oracle, records);
        if !case.is_fed_by_liar(index) {
            findings.totals.wrong += verdict.mistakes.len() as u64;
            findings.failures.extend(verdict.mistakes.into_iter().map(Failure::Wrong));
        }
        let repeated = verdict.repeated.into_iter().map(|(neuron, tag)| Failure::OutOfOrder { neuron, tag });
        findings.failures.extend(repeated);
        for (before, after) in incarnations().zip(incarnations().skip(1)) {
            let first = after.records.iter().find_map(|record| match record {
                Record::Evaluated(claim) => Some(claim.at),
                Record::Stamped { .. } => None,
            });
            if let Some(tag) = first.filter(|first| *first <= before.complete_through) {
                findings.failures.push(Failure::OutOfOrder { neuron: node.id.clone(), tag });
            }
        }
    }
}

/// Checks that each command that was answered with a tag has an event at that tag: the oracle plays
/// the record, and callers were told the answers.
pub(super) fn check_stamps(case: &Case<'_>, findings: &mut Findings) {
    let nodes = &case.world.nodes;
    let recorded = nodes.iter().map(|node| -> HashSet<Tag> {
        let events = node.records().filter_map(|record| match record {
            Record::Stamped { tag, event: Event::Stimulus { .. } | Event::Reading { .. } | Event::Configured(_) } => {
                Some(*tag)
            }
            _ => None,
        });
        events.collect()
    });
    let recorded: Vec<HashSet<Tag>> = recorded.collect();
    for &(index, tag) in case.world.controller.stamps() {
        if !case.is_liar(index) && !recorded[index].contains(&tag) {
            findings.failures.push(Failure::WrongStamp { neuron: nodes[index].id.clone(), tag });
        }
    }
}

/// Checks that the values that re-enter over an edge are claims of its source, in their order, and
/// that each of them took at least the delay.
pub(super) fn check_reentries(case: &Case<'_>, findings: &mut Findings) {
    let nodes = &case.world.nodes;
    let claimed: HashMap<&NeuronId, Vec<(Tag, &Value)>> =
        nodes.iter().map(|node| (&node.id, claims(node).map(|claim| (claim.at, &claim.value)).collect())).collect();
    for (index, node) in nodes.iter().enumerate().filter(|(index, _)| !case.is_liar(*index)) {
        for incarnation in &node.incarnations {
            let mut positions: HashMap<&NeuronId, usize> = HashMap::new();
            for record in &incarnation.records {
                let Record::Stamped { tag, event: Event::Reentry { source, value } } = record else { continue };
                if case.is_fed_by_liar(index) && case.world.find(source).is_some_and(|source| case.is_liar(source)) {
                    continue;
                }
                let delay = least_delay(case, &node.id, source);
                let position = positions.entry(source).or_default();
                let claims = claimed.get(source).map_or(&[][..], Vec::as_slice);
                let matches = |(at, claimed): &(Tag, &Value)| *claimed == value && at.after(delay) <= *tag;
                match claims[*position..].iter().position(matches) {
                    Some(further) => *position += further,
                    None => findings.failures.push(Failure::InvalidReentry {
                        neuron: node.id.clone(),
                        source: source.clone(),
                        tag: *tag,
                    }),
                }
            }
        }
    }
}

/// Returns the least delay that an edge has at any time of the run.
fn least_delay(case: &Case<'_>, neuron: &NeuronId, source: &NeuronId) -> Duration {
    let plan = case.world.plan;
    let spec = plan.network.neuron(neuron);
    let configured = spec.and_then(|spec| spec.weights.get(source)).map(|synapse| synapse.delay);
    let connected = connections(plan).filter(|(to, from, _)| *to == neuron && *from == source).map(|(.., delay)| delay);
    configured.into_iter().chain(connected).map(Option::unwrap_or_default).min().unwrap_or_default()
}

/// Checks that plain answers to queries are correct, and that a query without a fault in its way is
/// answered.
pub(super) fn check_queries(case: &Case<'_>, findings: &mut Findings) {
    for query in case.world.controller.queries() {
        let node = &case.world.nodes[query.neuron];
        if node.ever_lost_its_store() || case.may_trust_lost_store(query.neuron) {
            continue;
        }
        match &query.answer {
            Some(Ok(_)) if case.is_fed_by_liar(query.neuron) => {}
            Some(Ok(value)) if !value.is_degraded() => {
                let actual = case.oracle.known_level_at(&node.id, query.tag);
                if actual != Some(value.level) {
                    findings.totals.wrong += 1;
                    findings.failures.push(Failure::Wrong(Mistake {
                        neuron: node.id.clone(),
                        tag: query.tag,
                        claimed: value.level,
                        actual,
                    }));
                }
            }
            Some(_) => {}
            None => {
                if must_answer(case, node, query) {
                    findings.failures.push(Failure::Unanswered { neuron: node.id.clone(), tag: query.tag });
                }
            }
        }
    }
}

/// Returns whether no fault explains that a query was not answered.
fn must_answer(case: &Case<'_>, node: &Node, query: &PendingQuery) -> bool {
    let plan = case.world.plan;
    let lossless = plan.link.loss == 0 && plan.machines.values().all(|machine| machine.inbox == 0);
    let always_up = !case.has_crashed(query.neuron) && node.incarnations.len() == 1 && !panics(plan, &node.id);
    let joined_later = plan.absent.contains(&node.id);
    let had_time = case.world.now().since(query.sent_at) > Duration::from_secs(15);
    let is_past = query.tag < Tag::at(case.world.now());
    !case.is_liar(query.neuron)
        && lossless
        && always_up
        && had_time
        && is_past
        && !joined_later
        && !has_wrong_clock(plan)
}

/// Checks that no level counted for longer than its lease.
pub(super) fn check_leases(case: &Case<'_>, findings: &mut Findings) {
    for (neuron, source) in &case.world.recorder.lease_violations {
        findings.failures.push(Failure::LeaseExceeded { neuron: neuron.clone(), source: source.clone() });
    }
}

/// Counts the changes of levels that were not answered at their tag, and checks that a fault
/// explains each of them.
pub(super) fn check_omissions(case: &Case<'_>, findings: &mut Findings) {
    let plan = case.world.plan;
    let frozen = plan.actions.iter().any(|(_, action)| matches!(action, Action::Freeze(..)));
    let slow = plan.machines.values().any(|machine| !machine.service.is_zero());
    let faulty = case.world.recorder.lost > 0 || frozen || slow || !plan.absent.is_empty() || has_wrong_clock(plan);
    for (index, node) in case.world.nodes.iter().enumerate() {
        let answered: BTreeSet<Tag> = claims(node).map(|claim| claim.at).collect();
        let changes = case.oracle.changes(&node.id);
        let omitted = changes.iter().filter(|(tag, _)| !answered.contains(tag)).count() as u64;
        findings.totals.omissions += omitted;
        let ancestor_failed = case.dependencies.ancestors[index]
            .iter()
            .any(|ancestor| case.has_crashed(*ancestor) || panics(plan, &case.world.nodes[*ancestor].id));
        let ancestor_failed = ancestor_failed
            || case.is_fed_by_liar(index)
            || case.dependencies.ancestors[index].iter().any(|ancestor| case.is_fenced_by_liar(*ancestor));
        if faulty || ancestor_failed || is_rewired(plan) {
            continue;
        }
        // Tags before the first answer are not omissions: nothing asked for them.
        let since = answered.first().copied().unwrap_or(Tag::MAX);
        // The last answers may be on their way still.
        let upto = Tag::at(case.world.now().before(Duration::from_secs(2)));
        let is_omitted =
            |tag: &Tag| *tag > since && *tag < upto && !answered.contains(tag) && !is_doubted(case, index, node, *tag);
        for (tag, _) in changes.iter().filter(|(tag, _)| is_omitted(tag)) {
            findings.totals.unexplained += 1;
            findings.failures.push(Failure::Omitted { neuron: node.id.clone(), tag: *tag });
        }
    }
}

/// Returns whether the last answer of a neuron before a tag is degraded, and a sensor is unknown at
/// that tag that the neuron depends on.
///
/// Such a neuron cannot know when a linger or a refractory period begins, so it cannot know when it
/// ends either: its degraded answer holds until an input settles the matter.
fn is_doubted(case: &Case<'_>, index: usize, node: &Node, tag: Tag) -> bool {
    let last = claims(node).filter(|claim| claim.at < tag).last();
    let is_unknown = |ancestor: &usize| case.oracle.known_level_at(&case.world.nodes[*ancestor].id, tag).is_none();
    last.is_some_and(|claim| claim.value.is_degraded()) && case.dependencies.ancestors[index].iter().any(is_unknown)
}
