//! What neurons say to each other.

use crate::{tag::Tag, value::Value};

/// Which life of a neuron speaks.
///
/// Of two with different numbers, the one with the lower number is over. Two with the same number and different nonces
/// come from one store that was used twice: whoever hears the second one tells it so, with [`SignalBody::Fenced`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// One more after every restart; the first life has 1.
    pub number: u32,
    /// Chosen at random whenever a neuron is started, or resumed from a store.
    pub nonce: u32,
}

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
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The sender's incarnation.
    pub incarnation: Incarnation,
    /// What it says.
    pub body: SignalBody,
}

/// What a [`Signal`] says.
#[derive(Clone, Debug, PartialEq)]
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
    /// To a subscriber: I have no such stream (any more), ask for another one.
    NoStream {
        /// The stream that is dead.
        stream: StreamId,
    },
    /// To anybody: I have heard of a later life of yours, so the store you started from is outdated. Who hears this of itself
    /// falls silent.
    Fenced {
        /// The life that has been heard of.
        incarnation: Incarnation,
    },
    /// To a subscriber: a new value. The only numbered statement.
    Changed {
        /// The stream it belongs to.
        stream: StreamId,
        /// Counts the statements of the stream from 1. The first one is the snapshot.
        seq: u64,
        /// Up to here the old value held. Between this and `at` nothing is known; without trouble that is no tag at all.
        known: Tag,
        /// From here on the value is the new one.
        at: Tag,
        /// The new value.
        value: Value,
    },
    /// To a source: your statements up to this one have come. Only where the carrier may lose them.
    Ack {
        /// The stream they belong to.
        stream: StreamId,
        /// All statements up to this one.
        upto: u64,
    },
    /// To a subscriber: nothing new up to a tag. One that says no more than was said before is a sign of life: "I am at it",
    /// or "my level still lasts".
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
