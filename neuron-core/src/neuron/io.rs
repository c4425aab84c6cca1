//! What goes into a neuron and what comes out.

use crate::{
    command::{Report, Request, Sample, WatchPosition},
    id::{ControllerId, NeuronId},
    record::Record,
    signal::{Signal, SignalBody},
};

/// What a neuron can be given.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A signal of another neuron has arrived.
    Signal {
        /// The neuron that sent it.
        from: NeuronId,
        /// What it says.
        signal: Signal,
    },
    /// A request of a controller has arrived.
    Request {
        /// The controller that sent it.
        from: ControllerId,
        /// What it asks for.
        request: Request,
    },
    /// A statement could not be handed over to a neuron, and will not be: it has no inbox, or no
    /// room there.
    Undelivered {
        /// The neuron it was for.
        to: NeuronId,
    },
    /// The time that [`Neuron::wake_at`](super::Neuron::wake_at) named has come.
    Wake,
}

impl Input {
    /// Returns whether neurons say this all the time.
    pub(super) fn is_frequent(&self) -> bool {
        matches!(self, Self::Signal { signal, .. } if signal.body.is_frequent())
    }
}

impl SignalBody {
    /// Returns whether neurons say this all the time, or thousands at once: a level, a null message,
    /// an acknowledgement, where they run.
    pub(super) fn is_frequent(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Nothing { .. } | Self::Ack { .. } | Self::Home { .. })
    }
}

/// What a neuron wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this to another neuron.
    Signal {
        /// The neuron to send it to.
        to: NeuronId,
        /// What to send.
        signal: Signal,
    },
    /// Send this to a controller.
    Report {
        /// The controller to send it to.
        to: ControllerId,
        /// What to send.
        report: Report,
    },
    /// Make what [`Neuron::saved`](super::Neuron::saved) returns durable before any later output is
    /// carried out.
    ///
    /// Without a store this may be ignored: a neuron that comes back without one is a stranger.
    Save,
    /// Make what [`Neuron::saved`](super::Neuron::saved) returns durable soon: it knows more of other
    /// neurons. No other output has to wait for that. At most one a second.
    SaveSoon,
    /// Note that the neuron has counted a change, and tell it to the controllers that watch all
    /// neurons of the host. Only hosts ask for this.
    Counted {
        /// The position of the change.
        position: WatchPosition,
        /// The new level; `None` if there is nothing to tell, because it is not known what has
        /// changed.
        sample: Option<Sample>,
    },
    /// Keep this, if the neuron is to be judged later. Only after
    /// [`Neuron::keep_record`](super::Neuron::keep_record).
    Record(Record),
}
