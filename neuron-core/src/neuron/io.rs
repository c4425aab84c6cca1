//! What goes into a neuron and what comes out.

use crate::{
    command::{Report, Request},
    id::{ControllerId, NeuronId},
    record::Record,
    signal::{Signal, SignalBody},
};

/// What a neuron can be given.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Another neuron speaks.
    Signal {
        /// Which one.
        from: NeuronId,
        /// What it says.
        signal: Signal,
    },
    /// A controller asks for something.
    Request {
        /// Which one.
        from: ControllerId,
        /// What it asks for.
        request: Request,
    },
    /// A statement could not be handed over to this neuron, and will not be: there is nobody, or no room.
    Undelivered {
        /// Which one.
        to: NeuronId,
    },
    /// The time that [`Neuron::wake_at`](super::Neuron::wake_at) named has come.
    Wake,
}

impl Input {
    /// Whether it is something that neurons say all the time.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Signal { signal, .. } if signal.body.is_plain())
    }
}

impl SignalBody {
    /// Whether neurons say this all the time: a level, a promise, an acknowledgement.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Nothing { .. } | Self::Ack { .. })
    }
}

/// What a neuron wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Carry this to another neuron.
    Signal {
        /// Which one.
        to: NeuronId,
        /// What to carry.
        signal: Signal,
    },
    /// Carry this to a controller.
    Report {
        /// Which one.
        to: ControllerId,
        /// What to carry.
        report: Report,
    },
    /// Make what [`Neuron::saved`](super::Neuron::saved) returns durable, before anything that comes after this is carried
    /// out. Whoever has no store need not care: a neuron that comes back without one is a stranger.
    Save,
    /// Keep this, if you want to judge the neuron later. Only after [`Neuron::keep_record`](super::Neuron::keep_record).
    Record(Record),
}
