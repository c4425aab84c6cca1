//! Why a command is refused.

use crate::{
    id::{NeuronId, SensorId},
    tag::{Tag, Time},
};

/// The reason why a neuron refused a command. The command has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A number is not finite, or its magnitude is above
    /// [`MAX_MAGNITUDE`](crate::neuron::MAX_MAGNITUDE).
    #[error("{0} must be a finite number between -1e100 and 1e100")]
    NotFinite(String),
    /// A stimulus has a level other than 0 and 1.
    #[error("a neuron is stimulated with 1, or with 0 to end that; other levels are for sensors")]
    NotALevel,
    /// No such sensor is attached to this neuron.
    #[error("no sensor {0} is attached here; set its weight to attach it")]
    UnknownSensor(SensorId),
    /// There is no connection from this source.
    #[error("there is no connection from {0}")]
    NotConnected(NeuronId),
    /// The connection exists already, or is being established.
    #[error("{0} is connected already")]
    AlreadyConnected(NeuronId),
    /// A connection of a neuron to itself has no delay.
    #[error("a connection of {0} to itself needs a delay")]
    SelfConnection(NeuronId),
    /// A delay is shorter than a microsecond.
    #[error("a delay must be at least a microsecond; leave it out for a connection without one")]
    NoDelay,
    /// The level at that tag is not known: the tag lies before the first evaluation, in a range
    /// that the neuron missed, or further back than its log reaches.
    #[error("the level at {0} is not known: it is older than what the neuron remembers, or was never evaluated")]
    Unknown(Tag),
    /// A tag lies too far ahead of the neuron's clock: more than two hours for what is to happen
    /// then, more than three hours for a question.
    #[error("the tag {0} lies too far ahead; at most two hours are waited for")]
    TooFarAhead(Tag),
    /// A limit on the number of watches, queries or reservations is reached.
    #[error("the limit of {0} is reached")]
    TooMany(String),
    /// The reservation, or the changes that were prepared, are not held any more.
    #[error("what was prepared has been given back, because the rest took too long; prepare it again")]
    Expired,
    /// The request came after its deadline: it was held up on the way, or the clocks differ. A
    /// controller that still waits sends it again, with a deadline by the neuron's clock.
    #[error("the request came too late: its deadline was over when it arrived")]
    TooLate {
        /// The time of the neuron.
        now: Time,
    },
    /// The answer does not fit into a message, or is longer than the broker takes.
    #[error(
        "the answer is too large for one message (1 MiB, or what the broker takes); a controller on the neuron's own host can read it"
    )]
    TooLarge,
    /// There is no tag left: the clock has reached its end.
    #[error("no tag is left to stamp with")]
    TimeExhausted,
    /// The neuron cannot be saved. It does nothing that it is asked to, and says nothing, until a save
    /// succeeds, which is tried again and again: then it goes on from what was saved last. Holds why
    /// the last save failed.
    #[error("it cannot be saved, so it is silent until it can be: {0}")]
    Unsaved(String),
    /// The neuron restarted before it could answer.
    #[error("the neuron restarted before it could answer")]
    Restarted,
    /// The neuron is fenced: other neurons know a later incarnation of it, or another one with the
    /// same number. So it runs twice, or was started from an outdated store.
    #[error(
        "this is incarnation {ours}, but other neurons know incarnation {known}: it runs twice, or its store is an old \
         copy or was lost; stop the other one, or put the right store back. If that is lost for good, save incarnation \
         {known} and the present time as its ceiling in a new store (see `HostError::Fenced`)"
    )]
    Fenced {
        /// The number of the incarnation that was started.
        ours: u32,
        /// The number of the incarnation that other neurons know.
        known: u32,
    },
}
