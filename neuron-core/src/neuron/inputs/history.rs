//! The values of one input, as far as they are known.

use super::pending::PendingStatements;
use crate::{
    neuron::stream::Statement,
    tag::Tag,
    value::{Missing, Value},
};

/// The most statements of one input that wait for slower inputs.
///
/// Four seconds of an input that changes a thousand times a second.
pub(super) const MAX_PENDING: usize = 4096;
/// With this many statements pending, slower inputs are probed without grace: within a host, more
/// than [`MAX_PENDING`] may arrive in that time.
const CROWDED: usize = MAX_PENDING / 4;

/// The values of one input, as far as they are known.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// The watermark: the input never states anything new at or before this tag. The history is
    /// complete up to here except for gaps.
    pub(super) complete_through: Tag,
    /// The value at the last evaluated tag.
    pub(super) value: Value,
    pending: PendingStatements,
}

impl History {
    pub(super) fn new() -> Self {
        Self { complete_through: Tag::ORIGIN, value: Value::default(), pending: PendingStatements::NONE }
    }

    /// Adds a statement and returns the tag from which it counts; `None` if it says nothing new.
    ///
    /// A statement about a tag that is complete already counts from the next incomplete one.
    #[inline]
    pub(super) fn add(&mut self, statement: Statement) -> Option<Tag> {
        let mut statement = Statement { known: statement.known.max(self.complete_through), ..statement };
        if statement.at <= self.complete_through {
            if (statement.value.level, &statement.value.missing) == self.last() {
                return None;
            }
            statement.at = self.complete_through.next();
        }
        let at = statement.at;
        self.complete_through = at;
        self.pending.push_back(statement);
        Some(at)
    }

    /// Returns the level stated last and what it lacks.
    fn last(&self) -> (f64, &Missing) {
        self.pending.last().unwrap_or((self.value.level, &self.value.missing))
    }

    /// Returns whether the value stated last is the one that every neuron starts from.
    pub(super) fn ends_at_rest(&self) -> bool {
        let (level, missing) = self.last();
        level == 0.0 && missing.is_empty()
    }

    /// Returns whether there is no room for another statement.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_PENDING
    }

    /// Returns how many statements are pending.
    #[cfg(feature = "sim")]
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Removes the newest pending statement to make room for another one, and returns it.
    ///
    /// Nothing is known of its tags any more.
    #[cold]
    pub(super) fn displace_newest(&mut self) -> Option<Statement> {
        let newest = self.pending.pop_back()?;
        self.complete_through = newest.known;
        Some(newest)
    }

    /// Returns whether so many statements are pending that slower inputs are probed at once.
    pub(super) fn is_crowded(&self) -> bool {
        self.pending.len() >= CROWDED
    }

    /// Returns the tag through which the history has neither unknown tags nor a gap that matters.
    ///
    /// Gaps that began before `evaluated` were taken into account then; those that end by
    /// `promised` came too late to matter.
    pub(super) fn certain_through(&self, evaluated: Tag, promised: Tag) -> Tag {
        let gap = self.pending.gap(|known, at| known >= evaluated && at > promised);
        gap.map_or(self.complete_through, |(known, _)| known)
    }

    /// Returns the tag through which all is known before a gap that matters and ends after `later`;
    /// `None` if there is none.
    pub(super) fn known_before_gap(&self, evaluated: Tag, promised: Tag, later: Tag) -> Option<Tag> {
        let gap = self.pending.gap(|known, at| known >= evaluated && at > promised && at > later);
        gap.map(|(known, _)| known)
    }

    /// Returns whether the value at `tag` is unknown: it lies in a gap, or beyond the watermark.
    pub(super) fn is_unknown_at(&self, tag: Tag) -> bool {
        self.complete_through < tag || self.pending.gap(|known, at| known < tag && tag < at).is_some()
    }

    /// Returns the tags of pending statements that lie after this one.
    pub(super) fn tags_after(&self, tag: Tag) -> Vec<Tag> {
        self.pending.tags().filter(|at| *at > tag).collect()
    }

    /// Moves the present value on to `tag`.
    pub(super) fn advance(&mut self, tag: Tag) {
        while let Some(value) = self.pending.pop_front_at(tag) {
            self.value = value;
        }
    }
}
