//! A finished run, with what the oracle says about it.

use std::time::Duration;

use super::{
    absence::was_slow,
    facts::{Dependencies, is_rewired},
};
use crate::{
    oracle::Oracle,
    record::{Claim, Record},
    sim::{
        Action, Failure, Totals,
        world::{Node, World},
    },
};

/// A finished run. Neurons are given by their index.
pub(super) struct Case<'a> {
    pub(super) world: &'a World<'a>,
    /// By the rules: the answers are judged by it.
    pub(super) oracle: Oracle,
    /// By the record, which ends with the run: the final values are judged by it.
    pub(super) recorded: Oracle,
    pub(super) dependencies: Dependencies,
}

/// What has been found so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) failures: Vec<Failure>,
    pub(super) totals: Totals,
}

impl<'a> Case<'a> {
    pub(super) fn new(world: &'a World<'a>) -> Self {
        let setup = world.plan.network.configs().collect();
        let stamped = world.nodes.iter().flat_map(|node| {
            let incarnations = node.incarnations.iter().filter(|incarnation| !incarnation.lost_store);
            incarnations.flat_map(|incarnation| &incarnation.records).filter_map(|record| match record {
                Record::Stamped { tag, event } => Some((&node.id, *tag, event)),
                Record::Evaluated(_) => None,
            })
        });
        let oracle = Oracle::run(&setup, stamped.clone());
        let recorded = Oracle::run_recorded(&setup, stamped);
        let dependencies = Dependencies::new(world.plan, |id| world.find(id));
        Self { world, oracle, recorded, dependencies }
    }

    /// Returns whether a neuron is the hostile one.
    pub(super) fn is_liar(&self, index: usize) -> bool {
        self.world.is_liar(index)
    }

    /// Returns whether a neuron is the hostile one, or computes with what that says.
    pub(super) fn is_fed_by_liar(&self, index: usize) -> bool {
        self.world.hostile.is_some() && self.dependencies.ancestors[index].iter().any(|one| self.is_liar(*one))
    }

    /// Returns whether the hostile neuron may bind others to tags ahead of their clocks: it has an
    /// edge, or takes part in waves.
    pub(super) fn liar_may_drag(&self) -> bool {
        self.world.hostile.as_ref().is_some_and(|machine| !machine.is_stranger() || machine.takes_part)
    }

    /// Returns whether the hostile neuron, as a neighbour, has fenced another one.
    pub(super) fn is_fenced_by_liar(&self, index: usize) -> bool {
        let may_fence = self.world.hostile.as_ref().is_some_and(|machine| machine.may_fence(index));
        may_fence && self.world.nodes[index].neuron().is_some_and(|neuron| neuron.fenced_by().is_some())
    }

    /// Returns whether a neuron is up at the end, never lost its store, and never had a clock so
    /// wrong that other neurons reject its tags.
    pub(super) fn is_well(&self, index: usize) -> bool {
        self.world.is_up(index)
            && !self.has_distrusted_clock(index)
            && !self.world.nodes[index].ever_lost_its_store()
            && !self.is_liar(index)
            && !self.is_fenced_by_liar(index)
    }

    /// Returns whether the clock of a neuron's host was ever more than an hour ahead, or is as much
    /// behind at the end. One that was behind and has been set right does no lasting harm.
    pub(super) fn has_distrusted_clock(&self, index: usize) -> bool {
        self.world.host_of(index).has_wrong_clock(self.world.now())
    }

    pub(super) fn has_crashed(&self, index: usize) -> bool {
        self.world.host_of(index).has_crashed
    }

    /// Returns whether messages ever had to wait for a neuron's host, or were rejected there.
    pub(super) fn was_slow(&self, index: usize) -> bool {
        was_slow(self.world, self.world.nodes[index].host)
    }

    /// Returns whether a neuron may have relied on one that lost its store and was not fenced: it
    /// may not have known any earlier incarnation of it.
    pub(super) fn may_trust_lost_store(&self, index: usize) -> bool {
        self.dependencies.ancestors[index].iter().any(|ancestor| {
            let node = &self.world.nodes[*ancestor];
            let unfenced = node.neuron().is_some_and(|neuron| neuron.fenced_by().is_none());
            (unfenced || !self.all_messages_arrive()) && node.ever_lost_its_store()
        })
    }

    /// Returns whether the first messages of each incarnation reach all neurons that depend on it,
    /// so that they know the incarnation.
    pub(super) fn all_messages_arrive(&self) -> bool {
        let plan = self.world.plan;
        let is_partition = |action: &Action| matches!(action, Action::Partition(..) | Action::PartitionOneWay(..));
        let partitioned = plan.actions.iter().any(|(_, action)| is_partition(action));
        let links = plan.links.values().chain([&plan.link]);
        let machines = plan.machines.values();
        !partitioned
            && links.map(|link| link.loss).max() == Some(0)
            && machines.map(|machine| machine.inbox).max().unwrap_or(0) == 0
            && plan.absent.is_empty()
            && !is_rewired(plan)
    }

    /// Returns whether the time without faults at the end was long enough to make up for all
    /// losses.
    pub(super) fn had_time_to_settle(&self) -> bool {
        let plan = self.world.plan;
        plan.end.saturating_sub(plan.quiesce_at) >= Duration::from_secs(15)
            || plan.links.values().chain([&plan.link]).all(|link| link.loss == 0)
    }
}

/// Returns the claims of a neuron in all of its incarnations, in their order.
pub(super) fn claims(node: &Node) -> impl Iterator<Item = &Claim> {
    node.records().filter_map(|record| match record {
        Record::Evaluated(claim) => Some(claim),
        Record::Stamped { .. } => None,
    })
}
