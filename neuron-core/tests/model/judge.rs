//! The invariants of every state, and the state that the neurons must reach without further faults.

use std::time::Duration;

use neuron_core::{
    NeuronId, Tag, Value,
    neuron::Neuron,
    oracle::{Oracle, Verdict},
    record::{Event, Record},
};

use crate::{
    node::{Node, Power},
    world::{A, B, World},
};

/// The number of the query at the end.
const LAST_QUERY: u8 = u8::MAX;
/// Longer than a lease and a patience, and than a neuron takes to mark the other one down.
const LAPSED: Duration = Duration::from_secs(10);

impl World {
    /// Checks that no plain answer is wrong, and that no tag was answered twice.
    ///
    /// # Panics
    /// If one of them does not hold.
    pub(crate) fn assert_safe(&self) {
        let oracle = Oracle::run(&self.setup, self.events());
        for node in &self.nodes {
            let incarnations = node
                .incarnations
                .iter()
                .map(|incarnation| (&node.id, incarnation.records.as_slice(), incarnation.promised));
            let verdict = Verdict::of(&oracle, incarnations);
            assert_eq!(verdict.mistakes, [], "a plain claim is wrong");
            assert_eq!(verdict.repeated, [], "tags were evaluated twice, or out of order");
            for answer in node
                .incarnations
                .iter()
                .flat_map(|incarnation| &incarnation.answers)
                .filter(|answer| answer.missing.is_empty())
            {
                assert_eq!(answer.level, oracle.level_at(&node.id, answer.tag), "a plain answer is wrong: {answer:?}");
            }
            assert_incarnations_are_disjoint(node);
        }
    }

    /// Checks that without further faults both neurons become plain, correct and quiet, and answer
    /// all queries.
    ///
    /// # Panics
    /// If one of them does not hold.
    pub(crate) fn assert_settles(mut self) {
        if !self.nodes[A].is_up() {
            self.clone().assert_lapses();
        }
        self.start_all();
        self.settle();
        self.assert_caught_up();
        self.query(LAST_QUERY);
        self.carry_out(B, Power::Stays);
        self.settle();
        self.assert_caught_up();
        let incarnation = self.nodes[B].incarnations.last().expect("it is up");
        let plain = incarnation.answers.last().is_some_and(|answer| answer.missing.is_empty());
        assert!(plain && incarnation.queries == 0, "b did not answer, or not plainly: {incarnation:?}");
    }

    fn assert_caught_up(&self) {
        self.assert_safe();
        let oracle = Oracle::run_recorded(&self.setup, self.events());
        for node in &self.nodes {
            let value = node.neuron.as_ref().map(Neuron::value);
            let actual = Value::plain(oracle.level_at(&node.id, Tag::MAX));
            assert_eq!(value, Some(&actual), "{} has not caught up", node.id);
        }
    }

    /// Checks that the last level of `a` lapses if `a` stays down.
    fn assert_lapses(mut self) {
        if !self.nodes[B].is_up() {
            self.start(B, Duration::ZERO);
            self.carry_out(B, Power::Stays);
        }
        self.pass(LAPSED, Self::deliver);
        self.assert_safe();
        let b = self.nodes[B].neuron.as_ref().expect("it is up");
        let a_rests = [(&self.nodes[A].id, Tag::MAX.prev(), &Event::Restart)];
        let rest = Oracle::run_recorded(&self.setup, self.events().chain(a_rests)).level_at(b.id(), Tag::MAX);
        assert!(b.value().is_degraded() || b.level() == rest, "b relies on a, which is down: {:?}", b.value());
    }

    /// Returns the events that the neurons have stamped.
    fn events(&self) -> impl Iterator<Item = (&NeuronId, Tag, &Event)> {
        self.nodes.iter().flat_map(|node| {
            let records = node.incarnations.iter().flat_map(|incarnation| &incarnation.records);
            records.filter_map(|record| match record {
                Record::Stamped { tag, event } => Some((&node.id, *tag, event)),
                Record::Evaluated(_) => None,
            })
        })
    }
}

/// Checks that no incarnation answers a tag that the one before has promised, which the ceiling on
/// the disk ensures, and that no incarnation was fenced for a lost disk.
fn assert_incarnations_are_disjoint(Node { id, neuron, disk, incarnations, .. }: &Node) {
    for (before, after) in incarnations.iter().zip(incarnations.iter().skip(1)) {
        let first = after.records.iter().find_map(|record| match record {
            Record::Evaluated(claim) => Some(claim.at),
            Record::Stamped { .. } => None,
        });
        assert!(
            first.is_none_or(|first| first > before.promised),
            "{id} has promised up to {} before {first:?}",
            before.promised
        );
    }
    let ceiling = disk.as_ref().map_or(Tag::ORIGIN, |saved| saved.ceiling);
    let promised = incarnations.iter().map(|incarnation| incarnation.promised).max().unwrap_or_default();
    assert!(promised <= ceiling, "{id} has promised up to {promised}, but its disk has {ceiling}");
    let fenced = neuron.as_ref().and_then(|neuron| neuron.fenced_by());
    assert_eq!(fenced, None, "{id} was fenced, but it never lost its disk");
}
