//! What neurons say to each other.

use crate::tag::Tag;

/// Which life of a neuron speaks: one more after every restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

/// Names one stream of statements over one edge. The subscriber chooses it.
///
/// Streams of one subscriber are ordered: a later one replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The subscriber's incarnation.
    pub incarnation: Incarnation,
    /// Counts the streams of that incarnation, from 1.
    pub counter: u32,
}

/// One message from a neuron to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// The sender's incarnation.
    pub incarnation: Incarnation,
    /// What it says.
    pub body: SignalBody,
}

/// What a [`Signal`] says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SignalBody {
    /// To a source: send me your statements, as this stream. The answer is a [`SignalBody::Changed`] with `seq` 1.
    Subscribe {
        /// The stream to send them as.
        stream: StreamId,
    },
    /// To a source: no more of this stream.
    Unsubscribe {
        /// The stream to end.
        stream: StreamId,
    },
    /// To a subscriber: I have restarted and know no stream of yours, subscribe again.
    Hello,
    /// To a subscriber: a new level. The only numbered statement.
    Changed {
        /// The stream it belongs to.
        stream: StreamId,
        /// Counts the statements of the stream from 1. The first one is the snapshot.
        seq: u64,
        /// Up to here the old level held. Between this and `at` nothing is known; without trouble that is no tag at all.
        known: Tag,
        /// From here on the level is the new one.
        at: Tag,
        /// The new level.
        level: f64,
    },
    /// To a subscriber: nothing new up to a tag.
    Nothing {
        /// The stream it belongs to.
        stream: StreamId,
        /// Counts only once this many statements of the stream have been applied.
        after: u64,
        /// Up to here nothing is new.
        upto: Tag,
        /// A wave with tag `upto` reached the sender, so the subscriber's own subscribers should hear of it as well.
        wave: bool,
    },
    /// To a source: have you anything up to this tag?
    Probe {
        /// The stream it asks about.
        stream: StreamId,
        /// The tag it asks for.
        upto: Tag,
    },
}
