//! What an edge carries.

use crate::{tag::Tag, value::Value};

/// A numbered statement: the old value holds through `known`, the new one from `at` on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// The last tag at which the old value holds.
    pub(crate) known: Tag,
    /// The first tag at which the new value holds.
    pub(crate) at: Tag,
    /// The new value.
    pub(crate) value: Value,
}

/// A message without a number: after statement number `after` there is no event up to `upto`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NullMessage {
    /// How many statements of the stream must have been applied before it counts.
    pub(crate) after: u64,
    /// The tag up to which there is no event.
    pub(crate) upto: Tag,
    /// A wave with the tag `upto` reached the source and changed nothing there.
    pub(crate) wave: bool,
}

/// What a [`Receiver`](super::Receiver) hands over in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ready {
    /// The next statement.
    Changed(Statement),
    /// A null message for which all statements before it have been handed over.
    Nothing(NullMessage),
}
