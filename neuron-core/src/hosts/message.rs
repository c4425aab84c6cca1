//! What hosts tell each other.

use std::time::Duration;

use crate::id::NeuronId;

/// One message from a host to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostMessage {
    /// A random number, drawn when the sender started: a host that starts again has another one.
    pub life: u32,
    /// The content.
    pub body: HostMessageBody,
}

/// The content of a [`HostMessage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMessageBody {
    /// The sender lives. Sent once a second to each host whose neurons it listens to, and in answer
    /// to such a message.
    Alive {
        /// Counts the messages of this kind from the sender to the receiver. The upper half is the
        /// life of the sender.
        number: u64,
        /// The number of the last one that came from the receiver; 0 if none has come. It proves
        /// that the receiver is heard, and how old this message can be at most.
        echo: u64,
        /// How long ago that one came.
        held: Duration,
        /// The sender listens to neurons of the receiver, and wants to be answered.
        listens: bool,
    },
    /// Neurons have stopped, and the sender goes on.
    Gone {
        /// The neurons, at most [`MAX_GONE`] in one message.
        neurons: Vec<NeuronId>,
    },
    /// The sender stops, with all its neurons.
    Goodbye,
}

/// The most neurons in one [`HostMessageBody::Gone`].
pub const MAX_GONE: usize = 1024;
