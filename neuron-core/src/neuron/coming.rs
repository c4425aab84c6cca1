//! What an input has stated, and the neuron has not come to yet.

use std::collections::VecDeque;

use super::{delivery::Statement, rare::Rare};
use crate::{
    tag::Tag,
    value::{Missing, Value},
};

/// Statements that wait for their tag, in order.
///
/// Usually there is one at a time, without a gap before it, and lacking nothing. It takes little room, and no memory of its own:
/// each input has one with every wave, and in a network at rest there are millions of inputs.
#[derive(Clone, Debug)]
pub(crate) struct Coming {
    /// The first one, if it is such a one.
    usual: Option<Usual>,
    /// Those after it. They go with the last of them.
    others: Rare<Others>,
}

#[derive(Clone, Debug, Default)]
struct Others {
    statements: VecDeque<Statement>,
    /// Some of them come after a gap. It is only looked for where there is one: with every tag, among all that wait.
    gaps: bool,
}

/// A statement that knows everything up to its tag, and lacks nothing.
#[derive(Clone, Copy, Debug)]
struct Usual {
    at: Tag,
    level: f64,
}

impl Usual {
    fn of(statement: &Statement) -> Option<Self> {
        let Statement { known, at, ref value } = *statement;
        (known == at.prev() && !value.is_degraded()).then_some(Self { at, level: value.level })
    }

    fn statement(self) -> Statement {
        Statement { known: self.at.prev(), at: self.at, value: Value::plain(self.level) }
    }
}

impl Coming {
    pub(crate) const NOTHING: Self = Self { usual: None, others: Rare::NONE };

    pub(crate) fn len(&self) -> usize {
        usize::from(self.usual.is_some()) + self.others.get().map_or(0, |others| others.statements.len())
    }

    /// The level that is stated last, and what it lacks.
    pub(crate) fn last(&self) -> Option<(f64, &Missing)> {
        match self.others.get().and_then(|others| others.statements.back()) {
            Some(last) => Some((last.value.level, &last.value.missing)),
            None => self.usual.map(|usual| (usual.level, &Missing::NONE)),
        }
    }

    /// From when on each of them counts.
    pub(crate) fn tags(&self) -> impl Iterator<Item = Tag> {
        let others = self.others.get().into_iter().flat_map(|others| &others.statements).map(|next| next.at);
        self.usual.map(|usual| usual.at).into_iter().chain(others)
    }

    /// The first gap before one of them that is `wanted`: up to where all is known before it, and where it ends.
    #[inline]
    pub(crate) fn gap(&self, wanted: impl Fn(Tag, Tag) -> bool) -> Option<(Tag, Tag)> {
        let others = self.others.get().filter(|others| others.gaps)?;
        let mut gaps = others.statements.iter().filter(|next| is_gap(next)).map(|next| (next.known, next.at));
        gaps.find(|(known, at)| wanted(*known, *at))
    }

    #[inline]
    pub(crate) fn push_back(&mut self, statement: Statement) {
        if self.usual.is_none() && self.others.get().is_none() {
            self.usual = Usual::of(&statement);
            if self.usual.is_some() {
                return;
            }
        }
        let others = self.others.make();
        others.gaps |= is_gap(&statement);
        others.statements.push_back(statement);
    }

    pub(crate) fn pop_back(&mut self) -> Option<Statement> {
        let Some(others) = self.others.get_mut() else { return self.usual.take().map(Usual::statement) };
        let last = others.statements.pop_back();
        self.forget_if_empty();
        last
    }

    /// The first value, if it counts at `tag`.
    #[inline]
    pub(crate) fn pop_front_at(&mut self, tag: Tag) -> Option<Value> {
        if let Some(Usual { at, level }) = self.usual {
            if at > tag {
                return None;
            }
            self.usual = None;
            return Some(Value::plain(level));
        }
        let first = self.others.get_mut()?.statements.pop_front_if(|next| next.at <= tag)?;
        self.forget_if_empty();
        Some(first.value)
    }

    fn forget_if_empty(&mut self) {
        if self.others.get().is_some_and(|others| others.statements.is_empty()) {
            self.others.forget();
        }
    }
}

/// Whether nothing is known of some tags before it.
fn is_gap(statement: &Statement) -> bool {
    statement.known < statement.at.prev()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_of_statements() {
        let (mut coming, mut queue, mut rng) = (Coming::NOTHING, VecDeque::new(), fastrand::Rng::with_seed(9));
        let mut tag = Tag::FIRST;
        for _ in 0..2000 {
            match rng.u8(0..6) {
                0..=2 => {
                    let known = tag;
                    for _ in 0..rng.u8(1..3) {
                        tag = tag.next();
                    }
                    let lacks = (rng.u8(0..8) == 0).then(|| "x".parse().unwrap());
                    let value = Value { level: rng.u8(0..2).into(), missing: lacks.into_iter().collect() };
                    let statement = Statement { known, at: tag, value };
                    coming.push_back(statement.clone());
                    queue.push_back(statement);
                }
                3 => assert_eq!(coming.pop_back(), queue.pop_back()),
                _ => {
                    let at = queue.get(rng.usize(0..3)).map_or(Tag::ORIGIN, |statement| statement.at);
                    while let Some(statement) = queue.pop_front_if(|statement| statement.at <= at) {
                        assert_eq!(coming.pop_front_at(at), Some(statement.value));
                    }
                    assert_eq!(coming.pop_front_at(at), None);
                }
            }
            assert_eq!(coming.len(), queue.len());
            let last = queue.back().map(|statement| (statement.value.level, &statement.value.missing));
            assert_eq!(coming.last(), last);
            assert!(coming.tags().eq(queue.iter().map(|statement| statement.at)));
            let gaps = queue.iter().map(|statement| (statement.known, statement.at));
            let mut gaps = gaps.filter(|(known, at)| *known < at.prev());
            let after = tag.to_bits().saturating_sub(3);
            let recent = |known: Tag| known.to_bits() > after;
            assert_eq!(coming.gap(|known, _| recent(known)), gaps.find(|(known, _)| recent(*known)));
        }
    }
}
