//! When a neuron may answer: how far each input is known, and how far the neuron itself has spoken.

use std::collections::VecDeque;

use super::delivery::Statement;
use crate::tag::{Tag, Time};

/// One input's levels, as far as they are known.
#[derive(Debug)]
pub(crate) struct History {
    /// Up to here it is complete but for its gaps: the input will never say anything new at or before this tag.
    pub(crate) frontier: Tag,
    /// The level at the tag that was evaluated last.
    pub(crate) level: f64,
    coming: VecDeque<Statement>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { frontier: Tag::ORIGIN, level: 0.0, coming: VecDeque::new() }
    }

    /// Adds a statement, and tells whether it is new. One at or before the frontier comes too late to be believed.
    pub(crate) fn changed(&mut self, statement: Statement) -> bool {
        if statement.at <= self.frontier {
            return false;
        }
        let known = statement.known.max(self.frontier);
        self.coming.push_back(Statement { known, ..statement });
        self.frontier = statement.at;
        true
    }

    /// Nothing new up to here.
    pub(crate) fn promised(&mut self, upto: Tag) {
        self.frontier = self.frontier.max(upto);
    }

    /// Up to here there is neither a gap nor the unknown.
    pub(crate) fn horizon(&self) -> Tag {
        self.coming.iter().find(|next| is_gap(next)).map_or(self.frontier, |next| next.known)
    }

    /// The gaps that have come up to `tag`, as one: those that are over by then, and the one that `tag` lies in.
    pub(crate) fn gap_at(&self, tag: Tag) -> Option<Gap> {
        let gaps = self.coming.iter().take_while(|next| next.known < tag).filter(|next| is_gap(next));
        gaps.map(|next| Gap { from: next.known, closed: next.at <= tag }).reduce(Gap::and)
    }

    /// Moves on to `tag`.
    pub(crate) fn advance(&mut self, tag: Tag) {
        while let Some(next) = self.coming.pop_front_if(|next| next.at <= tag) {
            self.level = next.level;
        }
    }
}

/// Tags of which nothing will ever be known.
pub(crate) struct Gap {
    /// Up to here all is known.
    pub(crate) from: Tag,
    /// It is over at the tag that was asked for: from there on all is known again.
    pub(crate) closed: bool,
}

impl Gap {
    pub(crate) fn and(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), closed: self.closed && other.closed }
    }
}

fn is_gap(statement: &Statement) -> bool {
    statement.known < statement.at.prev()
}

/// A promise to hold still while a wave is being prepared.
#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) ticket: (crate::id::ControllerId, u64),
    /// Nothing at or after this tag is evaluated or promised.
    pub(crate) floor: Tag,
    /// When it ends by itself.
    pub(crate) expires: Time,
}

/// How far a neuron has spoken.
///
/// Invariant: `evaluated ≤ firm ≤ bound` once it has spoken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    /// Own events are stamped later than this.
    pub(crate) bound: Tag,
    /// Nothing of this neuron's own comes at or before this any more.
    pub(crate) firm: Tag,
    /// The last evaluated tag; none before the first evaluation.
    pub(crate) evaluated: Option<Tag>,
}

impl Spoken {
    /// Nothing said yet, and nothing to be said before `first`.
    pub(crate) fn nothing_before(first: Tag) -> Self {
        Self { bound: first, firm: first.prev(), evaluated: None }
    }

    /// "Nothing new of mine up to here" is being said.
    pub(crate) fn promise(&mut self, upto: Tag) {
        self.firm = self.firm.max(upto);
        self.bound = self.bound.max(upto);
    }

    /// Whether an event may still be given this tag.
    pub(crate) fn is_open(&self, tag: Tag) -> bool {
        tag > self.firm && self.evaluated.is_none_or(|evaluated| tag > evaluated) && tag < Tag::MAX
    }
}
