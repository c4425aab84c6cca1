//! When a neuron may answer: how far each input is known, and how far the neuron itself has spoken.

use std::time::Duration;

use super::{coming::Coming, delivery::Statement};
use crate::{
    command::ConfigChange,
    tag::{Tag, Time},
    value::{Missing, Value},
};

/// The most statements of one input that wait for slower ones.
///
/// Four seconds of an input that changes a thousand times a second.
const MAX_COMING: usize = 4096;
/// With this many, slower inputs are not left time to speak by themselves: within a host, more than the most may come in that time.
const MANY_COMING: usize = MAX_COMING / 4;

/// One input's values, as far as they are known.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Up to here it is complete but for its gaps: the input will never say anything new at or before this tag.
    pub(crate) frontier: Tag,
    /// The value at the tag that was evaluated last.
    pub(crate) value: Value,
    coming: Coming,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { frontier: Tag::ORIGIN, value: Value::default(), coming: Coming::NOTHING }
    }

    /// Adds a statement, and tells from which tag on it counts; from none if it says nothing new. What a statement says
    /// of a tag that is known already counts after all that is known.
    pub(crate) fn changed(&mut self, statement: Statement) -> Option<Tag> {
        let mut statement = Statement { known: statement.known.max(self.frontier), ..statement };
        if statement.at <= self.frontier {
            if (statement.value.level, &statement.value.missing) == self.last() {
                return None;
            }
            statement.at = self.frontier.next();
        }
        let at = statement.at;
        self.frontier = at;
        self.coming.push_back(statement);
        Some(at)
    }

    /// Nothing new up to here.
    pub(crate) fn promised(&mut self, upto: Tag) {
        self.frontier = self.frontier.max(upto);
    }

    /// The level stated last, and what it lacks.
    fn last(&self) -> (f64, &Missing) {
        self.coming.last().unwrap_or((self.value.level, &self.value.missing))
    }

    /// Whether the value stated last is what every neuron starts from.
    pub(crate) fn ends_at_rest(&self) -> bool {
        let (level, missing) = self.last();
        level == 0.0 && missing.is_empty()
    }

    /// If too many statements wait for their tag to be evaluated, the newest is given up for the one to come, and returned:
    /// nothing is known of its tags any more.
    pub(crate) fn make_room(&mut self) -> Option<Statement> {
        if self.coming.len() < MAX_COMING {
            return None;
        }
        let newest = self.coming.pop_back()?;
        self.frontier = newest.known;
        Some(newest)
    }

    /// Whether so many statements wait for slower inputs that these are to be asked at once.
    pub(crate) fn is_crowded(&self) -> bool {
        self.coming.len() >= MANY_COMING
    }

    /// Up to here there is neither the unknown nor a gap. Gaps that began before `evaluated` were taken into account then, and
    /// those that ended by `firm` came too late to matter.
    pub(crate) fn horizon(&self, evaluated: Tag, firm: Tag) -> Tag {
        self.coming.gap(|known, at| known >= evaluated && at > firm).map_or(self.frontier, |(known, _)| known)
    }

    /// Whether nothing is known of `tag`: it lies in a gap, or beyond everything that has been said.
    pub(crate) fn lacks(&self, tag: Tag) -> bool {
        self.frontier < tag || self.coming.gap(|known, at| known < tag && tag < at).is_some()
    }

    /// The tags after this one that statements wait for.
    pub(crate) fn tags_after(&self, tag: Tag) -> Vec<Tag> {
        self.coming.tags().filter(|at| *at > tag).collect()
    }

    /// Moves on to `tag`.
    pub(crate) fn advance(&mut self, tag: Tag) {
        while let Some(value) = self.coming.pop_front_at(tag) {
            self.value = value;
        }
    }
}

/// A promise to hold still while a wave is being prepared.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) ticket: (crate::id::ControllerId, u64),
    /// Nothing at or after this tag is evaluated or promised.
    pub(crate) floor: Tag,
    /// When it ends by itself.
    pub(crate) expires: Time,
    /// What is to be changed at the tag of the wave; nothing for a wave of stimuli.
    pub(crate) changes: Option<Vec<ConfigChange>>,
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
    /// The store allows to speak up to here; before more is said, it must know.
    pub(crate) ceiling: Tag,
    /// The last evaluated tag; none before the first evaluation.
    pub(crate) evaluated: Option<Tag>,
}

impl Spoken {
    /// Nothing said yet, and nothing to be said before `first`.
    pub(crate) fn nothing_before(first: Tag) -> Self {
        Self { bound: first, firm: first.prev(), ceiling: Tag::ORIGIN, evaluated: None }
    }

    /// Whether the store must know of a higher ceiling before more is said. Raises it, far enough that an active neuron
    /// does not ask for it more than once a second.
    pub(crate) fn needs_ceiling(&mut self) -> bool {
        let needed = self.bound > self.ceiling;
        if needed {
            self.ceiling = self.bound.after(Duration::from_secs(1));
        }
        needed
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
