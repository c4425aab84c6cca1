//! How surely a statement is heard: the numbers that put the statements of an edge back in order.
//!
//! Nothing here knows what a statement is about. A carrier may deliver late, twice and out of order; behind a
//! [`Receiver`] each statement comes once, in the order it was made.

use std::collections::BTreeMap;

use crate::{
    signal::{Incarnation, StreamId},
    tag::Tag,
};

/// The most statements that one edge keeps because an earlier one is still on its way.
///
/// Far above what a carrier reorders in practice; a bound, so that no peer can make a neuron hoard.
pub(crate) const MAX_EARLY: usize = 4096;

/// A numbered statement: "my old level holds up to `known`, from `at` on it is `level`".
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) known: Tag,
    pub(crate) at: Tag,
    pub(crate) level: f64,
}

/// An unnumbered one: "after my statement number `after`, nothing new up to `upto`".
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Promise {
    pub(crate) after: u64,
    pub(crate) upto: Tag,
    pub(crate) wave: bool,
}

/// What a [`Receiver`] hands over, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Delivered {
    Changed(Statement),
    Nothing(Promise),
}

/// The receiving end of one edge.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// The stream that we asked for. Whatever carries another one is old.
    pub(crate) stream: StreamId,
    /// The life of the source that we know of; 0 before it has spoken.
    pub(crate) source: Incarnation,
    applied: u64,
    /// The statement whose turn it is.
    due: Option<Statement>,
    early: BTreeMap<u64, Statement>,
    promise: Option<Promise>,
}

/// What became of a numbered statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is kept, or ready to be handed over.
    Yes,
    /// It had come before.
    Duplicate,
    /// There is no room for it.
    NoRoom,
}

impl Receiver {
    pub(crate) fn new(stream: StreamId, source: Incarnation) -> Self {
        Self { stream, source, applied: 0, due: None, early: BTreeMap::new(), promise: None }
    }

    /// Takes a numbered statement in. Call [`Receiver::next`] until it has nothing more.
    pub(crate) fn changed(&mut self, seq: u64, statement: Statement) -> Taken {
        if seq <= self.applied || self.early.contains_key(&seq) {
            return Taken::Duplicate;
        }
        if seq == self.applied + 1 {
            self.due = Some(statement);
        } else if self.early.len() >= MAX_EARLY {
            return Taken::NoRoom;
        } else {
            self.early.insert(seq, statement);
        }
        Taken::Yes
    }

    /// Takes a promise in. Of those that come too early the furthest is kept: it says all that the others say.
    pub(crate) fn nothing(&mut self, promise: Promise) {
        if self.promise.is_none_or(|held| promise.upto > held.upto) {
            self.promise = Some(promise);
        }
    }

    /// The next statement whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Delivered> {
        if self.promise.is_some_and(|promise| promise.after <= self.applied) {
            return self.promise.take().map(Delivered::Nothing);
        }
        let statement = match self.due.take() {
            Some(statement) => statement,
            None if self.early.is_empty() => return None,
            None => self.early.remove(&(self.applied + 1))?,
        };
        self.applied += 1;
        Some(Delivered::Changed(statement))
    }
}

/// The sending end of one edge.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) stream: StreamId,
    /// Statements made so far.
    pub(crate) seq: u64,
    /// The subscriber knows everything up to here.
    pub(crate) said: Tag,
    /// The highest tag that the subscriber asks for and has no answer to.
    pub(crate) want: Option<Tag>,
}

impl Sender {
    pub(crate) fn new(stream: StreamId) -> Self {
        Self { stream, seq: 0, said: Tag::ORIGIN, want: None }
    }

    /// Notes that the subscriber is told everything up to `tag`.
    pub(crate) fn say(&mut self, tag: Tag) {
        self.said = self.said.max(tag);
        if self.want.is_some_and(|want| want <= self.said) {
            self.want = None;
        }
    }
}
