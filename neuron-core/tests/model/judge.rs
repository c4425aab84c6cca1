//! What must be so in every state, and what must become so when nothing goes wrong any more.

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

/// The number of a question that is asked in the end.
const LAST_QUESTION: u8 = u8::MAX;
/// Longer than a lease and a patience, and than a neuron takes to notice that somebody else is down.
const LAPSED: Duration = Duration::from_secs(10);

impl World {
    /// Whatever has happened, nothing that was said plainly is wrong, and no tag was answered twice.
    ///
    /// # Panics
    /// When that is not so.
    pub(crate) fn assert_safe(&self) {
        let oracle = self.oracle([]);
        for node in &self.nodes {
            let lives = node.lives.iter().map(|life| (&node.id, life.records.as_slice(), life.said));
            let verdict = Verdict::of(&oracle, lives);
            assert_eq!(verdict.mistakes, [], "a plain claim is wrong");
            assert_eq!(verdict.repeated, [], "tags were evaluated twice, or out of order");
            for answer in node.lives.iter().flat_map(|life| &life.answers).filter(|answer| answer.missing.is_empty()) {
                assert_eq!(answer.level, oracle.level_at(&node.id, answer.tag), "a plain answer is wrong: {answer:?}");
            }
            assert_lives_are_apart(node);
        }
    }

    /// Once no fault happens any more, both neurons become plain, right and silent, and answer all questions.
    ///
    /// # Panics
    /// When that is not so.
    pub(crate) fn assert_settles(mut self) {
        if !self.nodes[A].is_up() {
            self.clone().assert_lapses();
        }
        self.start_all();
        self.settle();
        self.assert_caught_up();
        self.ask(LAST_QUESTION);
        self.carry_out(B, Power::Stays);
        self.settle();
        self.assert_caught_up();
        let life = self.nodes[B].lives.last().expect("it lives");
        let plain = life.answers.last().is_some_and(|answer| answer.missing.is_empty());
        assert!(plain && life.questions == 0, "b did not answer, or not plainly: {life:?}");
    }

    fn assert_caught_up(&self) {
        self.assert_safe();
        let oracle = self.oracle([]);
        for node in &self.nodes {
            let value = node.neuron.as_ref().map(Neuron::value);
            let actual = Value::plain(oracle.level_at(&node.id, Tag::MAX));
            assert_eq!(value, Some(&actual), "{} has not caught up", node.id);
        }
    }

    /// If `a` stays down, what it said last does not last.
    fn assert_lapses(mut self) {
        if !self.nodes[B].is_up() {
            self.start(B, Duration::ZERO);
            self.carry_out(B, Power::Stays);
        }
        self.pass(LAPSED, Self::deliver);
        self.assert_safe();
        let b = self.nodes[B].neuron.as_ref().expect("it is up");
        let rest = self.oracle([(&self.nodes[A].id, Tag::MAX.prev(), &Event::Restart)]).level_at(b.id(), Tag::MAX);
        assert!(b.value().is_degraded() || b.level() == rest, "b believes a, which is down: {:?}", b.value());
    }

    fn oracle<'a>(&'a self, more: impl IntoIterator<Item = (&'a NeuronId, Tag, &'a Event)>) -> Oracle {
        let stamped = |record| match record {
            &Record::Stamped { tag, ref event } => Some((tag, event)),
            Record::Evaluated(_) => None,
        };
        let events = self.nodes.iter().flat_map(|node| {
            let records = node.lives.iter().flat_map(|life| &life.records);
            records.filter_map(stamped).map(|(tag, event): (Tag, &Event)| (&node.id, tag, event))
        });
        Oracle::run(&self.setup, events.chain(more))
    }
}

/// The disk knows how far a neuron has spoken, so its next life speaks of other tags; and nobody takes that for a life
/// without a disk.
fn assert_lives_are_apart(Node { id, neuron, disk, lives, .. }: &Node) {
    for (before, after) in lives.iter().zip(lives.iter().skip(1)) {
        let first = after.records.iter().find_map(|record| match record {
            Record::Evaluated(claim) => Some(claim.at),
            Record::Stamped { .. } => None,
        });
        assert!(first.is_none_or(|first| first > before.said), "{id} has said up to {} before {first:?}", before.said);
    }
    let ceiling = disk.as_ref().map_or(Tag::ORIGIN, |saved| saved.ceiling);
    let said = lives.iter().map(|life| life.said).max().unwrap_or_default();
    assert!(said <= ceiling, "{id} has said up to {said}, but its disk says {ceiling}");
    let fenced = neuron.as_ref().and_then(|neuron| neuron.fenced_by());
    assert_eq!(fenced, None, "{id} was told that it has lived on without its disk");
}
