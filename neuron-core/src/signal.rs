//! Signals: the messages between neurons.
//!
//! Why: docs/decisions/0009-a-sign-of-life-is-a-null-message.md
//! Why: docs/decisions/0011-an-incarnation-has-a-nonce.md

use crate::{id::HostId, tag::Tag, value::Value};

/// One incarnation of a neuron: it begins when the neuron starts, restarts or resumes from a store.
///
/// Of two with different numbers, the one with the lower number has ended. Two with the same number
/// and different nonces come from one store that was used twice. A neuron that receives a signal
/// from the second one fences it, with [`SignalBody::Fenced`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// The number of the incarnation; the first one has 1, each one after it has one more.
    pub number: u32,
    /// A random number, drawn when the neuron is started or resumed from a store.
    pub nonce: u32,
}

/// The identity of one stream of statements over one edge, chosen by the subscriber.
///
/// The streams of one subscriber are ordered: a later one replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The subscriber's incarnation.
    pub incarnation: Incarnation,
    /// The number of the stream among those of the incarnation, counted from 1.
    pub counter: u32,
}

/// One message from a neuron to another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The sender's incarnation.
    pub incarnation: Incarnation,
    /// The content.
    pub body: SignalBody,
}

/// The content of a [`Signal`].
#[derive(Clone, Debug, PartialEq)]
pub enum SignalBody {
    /// To a source: asks for its statements, as a stream of this name. The answer is a
    /// [`SignalBody::Changed`] with `seq` 1.
    Subscribe {
        /// The stream that the statements should belong to.
        stream: StreamId,
    },
    /// To a source: ends a stream.
    Unsubscribe {
        /// The stream to end.
        stream: StreamId,
    },
    /// To a subscriber: the sender has restarted and has no streams, so the receiver should
    /// subscribe again.
    Hello,
    /// To a subscriber: the sender does not have this stream, so the receiver should ask for
    /// another one.
    NoStream {
        /// The stream that does not exist.
        stream: StreamId,
    },
    /// In answer to a message: the sender knows a later incarnation of the receiver, so the store
    /// that the receiver was started from is outdated. The receiver is fenced: it sends nothing any
    /// more.
    ///
    /// It is believed only from an input or a subscriber, and only if it names the incarnation that
    /// it answers, whose nonce no other neuron can know.
    Fenced {
        /// The incarnation that sent the message.
        answered: Incarnation,
        /// The later incarnation of the receiver.
        known: Incarnation,
    },
    /// To a source: asks where it runs. Hosts ask, and answer with [`SignalBody::Home`].
    Where,
    /// To a subscriber: where the sender runs.
    Home {
        /// The name of the host.
        host: HostId,
    },
    /// To a subscriber: a new value. This is the only numbered statement.
    Changed {
        /// The stream it belongs to.
        stream: StreamId,
        /// The number of the statement within the stream, counted from 1. The first one is the
        /// snapshot.
        seq: u64,
        /// The last tag at which the old value holds. Between this tag and `at` the value is
        /// unknown; without a fault there is no tag between them.
        known: Tag,
        /// The first tag at which the new value holds.
        at: Tag,
        /// The new value.
        value: Value,
    },
    /// To a source: acknowledges statements. Sent only if the transport may lose them.
    Ack {
        /// The stream they belong to.
        stream: StreamId,
        /// The number of the last statement that is acknowledged; all before it are as well.
        upto: u64,
    },
    /// To a subscriber: a null message, no change up to a tag.
    ///
    /// One whose tag is not later than those before it is a renewal: it says that the sender is up
    /// and that its level still holds.
    Nothing {
        /// The stream it belongs to.
        stream: StreamId,
        /// The number of statements that precede this message in the stream. It takes effect once
        /// they have been applied.
        after: u64,
        /// The tag up to which the value does not change.
        upto: Tag,
        /// Whether a wave with tag `upto` reached the sender. The subscriber then tells its own
        /// subscribers.
        wave: bool,
    },
    /// To a source: asks for a statement or a null message up to a tag.
    Probe {
        /// The stream that the answer should belong to.
        stream: StreamId,
        /// The tag that the answer should cover.
        upto: Tag,
    },
}

impl SignalBody {
    /// Returns the latest tag that the message is about; `None` if it is about none.
    pub(crate) fn latest_tag(&self) -> Option<Tag> {
        match self {
            Self::Changed { at: tag, .. } | Self::Nothing { upto: tag, .. } | Self::Probe { upto: tag, .. } => {
                Some(*tag)
            }
            _ => None,
        }
    }
}
