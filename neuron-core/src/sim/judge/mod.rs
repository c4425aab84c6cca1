//! Judges a run: what the oracle says about its answers, and what else is promised.

mod absence;
mod answers;
mod case;
mod end;
mod facts;
mod hostile;
mod hosts;
mod watches;

use std::collections::HashMap;

use case::{Case, Findings};
pub(super) use facts::connections;

use super::{
    Failure, Totals,
    world::{MAX_STEPS, World},
};
use crate::tag::{Tag, Time};

/// Returns the broken promises of a run, and its counts.
pub(super) fn judge(world: &World<'_>) -> (Vec<Failure>, Totals) {
    let case = Case::new(world);
    let mut findings = Findings::default();
    findings.totals.runs = 1;
    answers::check_claims(&case, &mut findings);
    answers::check_reentries(&case, &mut findings);
    answers::check_stamps(&case, &mut findings);
    if world.steps() == MAX_STEPS {
        findings.failures.push(Failure::StepLimit);
    } else {
        answers::check_queries(&case, &mut findings);
        end::check_convergence(&case, &mut findings);
        end::check_lost_stores(&case, &mut findings);
        end::check_transactions(&case, &mut findings);
        end::check_clocks(&case, &mut findings);
    }
    watches::check_tellings(&case, &mut findings);
    if world.steps() < MAX_STEPS {
        watches::check_silences(&case, &mut findings);
        watches::check_ends(&case, &mut findings);
        hosts::check_losses(&case, &mut findings);
        hosts::check_returns(&case, &mut findings);
    }
    hostile::check_lies(&case, &mut findings);
    answers::check_leases(&case, &mut findings);
    count(world, &mut findings.totals);
    answers::check_omissions(&case, &mut findings);
    (findings.failures, findings.totals)
}

/// Adds the counts that need no judgement.
fn count(world: &World<'_>, totals: &mut Totals) {
    let mut stamped: HashMap<Tag, Time> = HashMap::new();
    for (tag, at) in &world.recorder.stamps {
        let first = stamped.entry(*tag).or_insert(*at);
        *first = (*first).min(*at);
    }
    totals.waves = stamped.len() as u64;
    for (tag, at) in &world.recorder.evaluations {
        if let Some(since) = stamped.get(tag) {
            totals.latencies.count(at.since(*since));
        }
    }
    totals.signals = world.recorder.signals.clone();
    totals.lost = world.recorder.lost;
    totals.host_messages = world.recorder.host_messages;
    totals.hosts_lost = world.recorder.hosts_lost;
    totals.hosts_back = world.recorder.hosts_back;
    totals.clock_steps = world.recorder.clock_steps;
    for node in &world.nodes {
        totals.evaluations += node.counters.evaluations;
        totals.degraded += node.counters.degraded;
        totals.silences += node.counters.silences;
        totals.resent += node.counters.resent;
        totals.given_up += node.counters.given_up;
        totals.extended += node.counters.extended;
    }
}
