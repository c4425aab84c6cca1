//! Whether what the readers of watches were told is true.

use std::time::Duration;

use super::{
    absence::{last_start, unheard, was_slow},
    case::{Case, Findings},
};
use crate::{
    config::Config,
    oracle::Mistake,
    sim::{
        Failure,
        watches::{Telling, Watched},
        world::{Span, WATCHER},
    },
    tag::Time,
    value::{Missing, Value},
};

/// How long before the end a neuron has to be up, and its value the same: a report that was lost
/// shows with the next renewal.
const SETTLED_AFTER: Duration = Duration::from_secs(4);

/// Checks what watches told: the order of tags, plain levels, and that what was missed is counted.
pub(super) fn check_tellings(case: &Case<'_>, findings: &mut Findings) {
    for watched in case.world.controller.watches().all() {
        let node = &case.world.nodes[watched.neuron];
        for Telling { change, .. } in &watched.tellings {
            findings.totals.watched += 1;
            findings.totals.watched_degraded += u64::from(change.is_degraded());
            // The hostile neuron may claim any number of changes.
            findings.totals.watched_missed += if case.is_liar(watched.neuron) { 0 } else { change.missed };
        }
        for pair in watched.tellings.windows(2) {
            if pair[1].change.tag < pair[0].change.tag {
                let tag = pair[1].change.tag;
                findings.failures.push(Failure::WatchOutOfOrder { neuron: node.id.clone(), tag });
            }
        }
        if node.ever_lost_its_store()
            || case.may_trust_lost_store(watched.neuron)
            || case.is_fed_by_liar(watched.neuron)
        {
            continue;
        }
        for Telling { change, .. } in watched.tellings.iter().filter(|telling| !telling.change.is_degraded()) {
            let actual = case.oracle.known_level_at(&node.id, change.tag);
            if actual != Some(change.level) {
                findings.totals.wrong += 1;
                let (neuron, tag, claimed) = (node.id.clone(), change.tag, change.level);
                findings.failures.push(Failure::Wrong(Mistake { neuron, tag, claimed, actual }));
            }
        }
        check_missed(case, watched, findings);
    }
}

/// Checks that between two plain levels of which none was missed there was no other, and that the
/// second one has the tag of its change.
fn check_missed(case: &Case<'_>, watched: &Watched, findings: &mut Findings) {
    let id = &case.world.nodes[watched.neuron].id;
    // Silence in between says nothing of the levels.
    let stated = watched.tellings.iter().filter_map(|telling| Some((telling.stated?, &telling.change)));
    let stated: Vec<_> = stated.collect();
    for pair in stated.windows(2) {
        let [(since, before), (at, after)] = pair else { continue };
        if before.is_degraded() || after.is_degraded() || after.missed > 0 {
            continue;
        }
        let changes = case.oracle.changes(id);
        let first = changes[changes.partition_point(|(tag, _)| tag <= since)..].first();
        let is_told = match first {
            Some((tag, level)) if tag == at => *level == after.level && before.level != after.level,
            Some((tag, _)) => tag > at && before.level == after.level,
            None => before.level == after.level,
        };
        if !is_told {
            let tag = first.map_or(*at, |(tag, _)| *tag);
            findings.failures.push(Failure::WatchUncounted { neuron: id.clone(), tag });
        }
    }
}

/// Checks that a watch has told when its neuron could not be heard for too long.
pub(super) fn check_silences(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    if was_slow(world, WATCHER) {
        return;
    }
    let limit = (Config::LEASE + world.plan.network.settings().patience).saturating_add(Duration::from_millis(1));
    for watched in world.controller.watches().all() {
        let node = &world.nodes[watched.neuron];
        let Some(begun) = watched.tellings.first().map(|telling| telling.at) else { continue };
        let watching = Span { from: begun, until: watched.until.unwrap_or_else(|| world.now()) };
        let own: Missing = [node.id.clone()].into_iter().collect();
        for away in unheard(world, WATCHER, node.host) {
            let Some(Span { from, until }) = away.overlap(watching).filter(|span| span.from.after(limit) <= span.until)
            else {
                continue;
            };
            if !says_silent(watched, &own, from, from.after(limit))
                || until == world.now() && !ends_silent(watched, &own)
            {
                findings.failures.push(Failure::WatchNotSilent { neuron: node.id.clone() });
            }
        }
    }
}

/// Returns whether it was told between two times that the neuron cannot be heard, or before and
/// nothing else since.
fn says_silent(watched: &Watched, own: &Missing, from: Time, latest: Time) -> bool {
    let told = watched.tellings.iter().take_while(|telling| telling.at <= latest);
    let says = |telling: &Telling| telling.change.missing == *own;
    let mut since = told.clone().filter(|telling| telling.at >= from);
    since.any(says) || told.last().is_some_and(says)
}

fn ends_silent(watched: &Watched, own: &Missing) -> bool {
    watched.tellings.last().is_some_and(|telling| telling.change.missing == *own)
}

/// Checks that what each watch told last is what its neuron said last.
pub(super) fn check_ends(case: &Case<'_>, findings: &mut Findings) {
    let world = case.world;
    let since = world.now().before(SETTLED_AFTER);
    if !case.had_time_to_settle() {
        return;
    }
    for watched in world.controller.watches().all().iter().filter(|watched| watched.until.is_none()) {
        let node = &world.nodes[watched.neuron];
        let Some(neuron) = node.neuron().filter(|neuron| neuron.fenced_by().is_none()) else { continue };
        if case.is_liar(watched.neuron) {
            continue;
        }
        let is_settled = last_start(world, node.host).is_some_and(|start| start <= since)
            && node.changed_at <= since
            && watched.since <= since
            && neuron.is_ready();
        if !is_settled {
            continue;
        }
        let told = watched.tellings.last().map(|telling| &telling.change);
        let told = told.map(|change| Value { level: change.level, missing: change.missing.clone() });
        let told = told.unwrap_or_default();
        if watched.tellings.is_empty() || told != *neuron.value() {
            let actual = neuron.value().clone();
            findings.failures.push(Failure::WatchNotConverged { neuron: node.id.clone(), told, actual });
        }
    }
}
