//! Statements of an input that wait for their tag to be evaluated.

use std::collections::VecDeque;

use crate::{
    neuron::stream::Statement,
    tag::Tag,
    value::{Missing, Value},
};

/// Statements that wait for their tag, in order.
///
/// Usually there is one at a time, without a gap before it, and lacking nothing. It takes little
/// memory and no allocation: each input has one with every wave, and in a network at rest there are
/// millions of inputs.
#[derive(Clone, Debug)]
pub(super) struct PendingStatements {
    /// The first statement, if it fits.
    compact: Option<CompactStatement>,
    /// The statements after it; `None` if there are none.
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Debug, Default)]
struct Rest {
    statements: VecDeque<Statement>,
    /// `false` means that none of them has a gap before it; `true`, that one has or had. Without it
    /// each evaluation would search all of them.
    has_gaps: bool,
}

/// A statement without a gap before it that lacks nothing.
#[derive(Clone, Copy, Debug)]
struct CompactStatement {
    at: Tag,
    level: f64,
}

impl CompactStatement {
    /// Returns the compact form; `None` if the statement has none.
    fn new(statement: &Statement) -> Option<Self> {
        let Statement { known, at, ref value } = *statement;
        (known == at.prev() && !value.is_degraded()).then_some(Self { at, level: value.level })
    }

    fn into_statement(self) -> Statement {
        Statement { known: self.at.prev(), at: self.at, value: Value::plain(self.level) }
    }
}

impl PendingStatements {
    pub(super) const NONE: Self = Self { compact: None, rest: None };

    /// Returns how many statements are pending.
    pub(super) fn len(&self) -> usize {
        usize::from(self.compact.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.statements.len())
    }

    /// Returns the level of the last statement and what it lacks; `None` if none is pending.
    pub(super) fn last(&self) -> Option<(f64, &Missing)> {
        match self.rest.as_ref().and_then(|rest| rest.statements.back()) {
            Some(last) => Some((last.value.level, &last.value.missing)),
            None => self.compact.map(|compact| (compact.level, &Missing::NONE)),
        }
    }

    /// Returns the tags from which the statements count, in order.
    pub(super) fn tags(&self) -> impl Iterator<Item = Tag> {
        let rest = self.rest.iter().flat_map(|rest| &rest.statements).map(|next| next.at);
        self.compact.map(|compact| compact.at).into_iter().chain(rest)
    }

    /// Returns the first gap before a statement that is `wanted`: the tag through which all is
    /// known before the gap, and the tag at which it ends.
    #[inline]
    pub(super) fn gap(&self, wanted: impl Fn(Tag, Tag) -> bool) -> Option<(Tag, Tag)> {
        let rest = self.rest.as_ref().filter(|rest| rest.has_gaps)?;
        let mut gaps = rest.statements.iter().filter(|next| follows_gap(next)).map(|next| (next.known, next.at));
        gaps.find(|(known, at)| wanted(*known, *at))
    }

    /// Adds a statement after all others.
    #[inline]
    pub(super) fn push_back(&mut self, statement: Statement) {
        if self.compact.is_none() && self.rest.is_none() {
            self.compact = CompactStatement::new(&statement);
            if self.compact.is_some() {
                return;
            }
        }
        let rest = self.rest.get_or_insert_default();
        rest.has_gaps |= follows_gap(&statement);
        rest.statements.push_back(statement);
    }

    /// Removes the last statement and returns it.
    pub(super) fn pop_back(&mut self) -> Option<Statement> {
        let Some(rest) = &mut self.rest else { return self.compact.take().map(CompactStatement::into_statement) };
        let last = rest.statements.pop_back();
        self.drop_empty_rest();
        last
    }

    /// Removes the first statement if it counts at `tag`, and returns its value.
    #[inline]
    pub(super) fn pop_front_at(&mut self, tag: Tag) -> Option<Value> {
        if let Some(CompactStatement { at, level }) = self.compact {
            if at > tag {
                return None;
            }
            self.compact = None;
            return Some(Value::plain(level));
        }
        let rest = self.rest.as_mut()?;
        if rest.statements.front()?.at > tag {
            return None;
        }
        let first = rest.statements.pop_front()?;
        self.drop_empty_rest();
        Some(first.value)
    }

    fn drop_empty_rest(&mut self) {
        if self.rest.as_ref().is_some_and(|rest| rest.statements.is_empty()) {
            self.rest = None;
        }
    }
}

/// Returns whether nothing is known of some tags before a statement.
fn follows_gap(statement: &Statement) -> bool {
    statement.known < statement.at.prev()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_of_statements() {
        let (mut pending, mut queue, mut rng) = (PendingStatements::NONE, VecDeque::new(), fastrand::Rng::with_seed(9));
        let mut tag = Tag::FIRST;
        for _ in 0..2000 {
            match rng.u8(0..6) {
                0..=2 => {
                    let known = tag;
                    for _ in 0..rng.u8(1..3) {
                        tag = tag.next();
                    }
                    let lacks = (rng.u8(0..8) == 0).then(|| "x".parse::<crate::NeuronId>().unwrap());
                    let value = Value { level: rng.u8(0..2).into(), missing: lacks.into_iter().collect() };
                    let statement = Statement { known, at: tag, value };
                    pending.push_back(statement.clone());
                    queue.push_back(statement);
                }
                3 => assert_eq!(pending.pop_back(), queue.pop_back()),
                _ => {
                    let at = queue.get(rng.usize(0..3)).map_or(Tag::ORIGIN, |statement| statement.at);
                    while queue.front().is_some_and(|statement| statement.at <= at) {
                        let first = queue.pop_front().map(|statement| statement.value);
                        assert_eq!(pending.pop_front_at(at), first);
                    }
                    assert_eq!(pending.pop_front_at(at), None);
                }
            }
            assert_eq!(pending.len(), queue.len());
            let last = queue.back().map(|statement| (statement.value.level, &statement.value.missing));
            assert_eq!(pending.last(), last);
            assert!(pending.tags().eq(queue.iter().map(|statement| statement.at)));
            let gaps = queue.iter().map(|statement| (statement.known, statement.at));
            let mut gaps = gaps.filter(|(known, at)| *known < at.prev());
            let after = tag.to_bits().saturating_sub(3);
            let recent = |known: Tag| known.to_bits() > after;
            assert_eq!(pending.gap(|known, _| recent(known)), gaps.find(|(known, _)| recent(*known)));
        }
    }
}
