//! What controllers ask of neurons, and what they get back.

use std::{collections::BTreeMap, time::Duration};

pub use crate::config::ConfigChange;
use crate::{
    config::{Mode, Rule},
    counters::Counters,
    id::{ControllerId, NeuronId, SensorId},
    tag::Tag,
    value::Missing,
};

/// A command with the number its reply will carry.
///
/// Sent twice with the same number it is carried out once, and answered twice, as long as the neuron has not been asked for
/// more than 256 other changes in between.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Chosen by the controller, never twice.
    pub id: u64,
    /// What to do.
    pub command: Command,
}

/// One member's part of a wave.
#[derive(Clone, Debug, PartialEq)]
pub struct Stimulus {
    /// The sensor that was read, or nothing for a stimulus of the neuron itself.
    pub sensor: Option<SensorId>,
    /// 1 makes the neuron fire, 0 ends that; a sensor's reading is any finite number.
    pub level: f64,
    /// How long it lasts; the neuron's own hold if not given.
    pub hold: Option<Duration>,
}

/// What a controller can ask of a neuron.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Stimulate the neuron, or give it a reading. Answered with [`Answer::Stamped`].
    Stimulate {
        /// What enters the network.
        stimulus: Stimulus,
        /// The tag it should carry, if the caller has given it one. A tag that the neuron has already spoken about
        /// cannot be used any more: the stimulus then moves to a later one, and the answer says so.
        at: Option<Tag>,
        /// How long the neuron may wait for `at` to come before it evaluates, so that readings of one coincidence
        /// window become one wave.
        within: Duration,
    },
    /// Stimulate the neuron several times in a row, each time at a tag of its own: as many waves. Answered with
    /// [`Answer::Stamped`], the tag of the first; the others have the tags that follow it, one by one. None at all is
    /// answered with [`Answer::Done`].
    Train {
        /// The levels, at most [`MAX_TRAIN`](crate::neuron::MAX_TRAIN): 1 makes the neuron fire, 0 ends that.
        levels: Vec<f64>,
    },
    /// Promise and evaluate nothing at or after the tag in the answer, for at most half the patience, or until the
    /// [`Command::Commit`] that names this request. Answered with [`Answer::Floor`].
    Reserve,
    /// Like [`Command::Reserve`], for changes that are to take effect at one tag together with those of other neurons.
    /// Answered with [`Answer::Floor`] once every source to be connected has been heard; held for ten times the patience.
    Prepare {
        /// The changes. If one would be refused, all are.
        changes: Vec<ConfigChange>,
    },
    /// Take part in a wave that was reserved, or make the changes that were prepared. Answered with [`Answer::Stamped`].
    Commit {
        /// The request that reserved or prepared.
        ticket: u64,
        /// The tag of the wave: the highest floor of its members.
        at: Tag,
        /// What enters here. Empty for changes that were prepared: they are refused with [`Refusal::Expired`] if they are
        /// held no longer, never made at another tag.
        stimuli: Vec<Stimulus>,
    },
    /// Give a reservation back, with what was prepared under it. Answered with [`Answer::Done`].
    Release {
        /// The request that reserved or prepared.
        ticket: u64,
    },
    /// Tell the present level. Answered with [`Answer::Output`].
    Output,
    /// Tell the level at a tag, as soon as it is certain. Answered with [`Answer::Output`].
    OutputAt {
        /// The tag.
        tag: Tag,
    },
    /// Report each change of level from now on. Answered with [`Answer::Output`], the level to start from.
    Watch,
    /// End the watch that this request began. Answered with [`Answer::Done`].
    Unwatch {
        /// The request that began the watch.
        watch: u64,
    },
    /// Tell the configuration. Answered with [`Answer::Config`].
    Config,
    /// Change the configuration. Answered with [`Answer::Stamped`]: for [`ConfigChange::Connect`] once the source has been
    /// heard, for [`ConfigChange::Disconnect`] once the connection has ended.
    Configure(ConfigChange),
    /// Tell the last firings. Answered with [`Answer::Log`].
    Log,
    /// Forget the firings so far. Answered with [`Answer::Done`].
    EmptyLog,
    /// Tell the counters. Answered with [`Answer::Counters`].
    Counters,
}

/// What a neuron sends to a controller.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The answer to a request.
    Reply {
        /// The number of the request.
        request: u64,
        /// What came of it.
        result: Result<Answer, Refusal>,
    },
    /// A change of level, to whoever watches.
    Changed {
        /// The request that began the watch.
        watch: u64,
        /// Counts the changes reported to this watch from 1, so that a lost one is noticed.
        number: u64,
        /// The change.
        sample: Sample,
    },
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It takes effect at a tag.
    Stamped(Stamp),
    /// Which tags a wave, or a set of changes, that is being prepared may carry here.
    Floor {
        /// The lowest.
        floor: Tag,
        /// The highest: two hours ahead of the neuron's clock.
        latest: Tag,
    },
    /// A level.
    Output(Sample),
    /// The configuration.
    Config(Box<ConfigView>),
    /// The last firings, oldest first.
    Log(Vec<Firing>),
    /// The counters.
    Counters(Box<Counters>),
}

/// The tag at which something takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The tag.
    pub tag: Tag,
    /// The tag is later than the one that was asked for, because the neuron had already spoken about that one.
    pub moved: bool,
}

/// A level and the tag it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// 1 when the neuron fires, else 0.
    pub level: f64,
    /// For a change: since when. For [`Command::OutputAt`]: the tag asked for. Else: the last evaluated tag.
    pub tag: Tag,
    /// The neurons that were missing and could have changed the level; empty for a plain answer.
    pub missing: Missing,
}

/// One firing: the level rose from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// When, in tag time.
    pub tag: Tag,
}

/// A neuron's configuration as it stands, and what it is connected to.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigView {
    /// The present level.
    pub output: Sample,
    /// The threshold, if one is set.
    pub threshold: Option<f64>,
    /// Weights of neurons, connected or not.
    pub weights: BTreeMap<NeuronId, f64>,
    /// Weights of sensors.
    pub sensors: BTreeMap<SensorId, f64>,
    /// The neurons this one is subscribed to, each with the delay of the edge.
    pub inputs: BTreeMap<NeuronId, Option<Duration>>,
    /// The neurons that are subscribed to this one.
    pub connections: Vec<NeuronId>,
    /// How long a stimulus or a reading lasts.
    pub hold: Duration,
    /// How long the neuron stays on after its support has gone.
    pub linger: Duration,
    /// When it may answer.
    pub mode: Mode,
    /// What makes it fire.
    pub rule: Rule,
}

/// Why a neuron did not do what it was asked to. Its state is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A number is not finite, or its magnitude is above [`MAX_MAGNITUDE`](crate::neuron::MAX_MAGNITUDE).
    #[error("{0} must be a finite number between -1e100 and 1e100")]
    NotFinite(String),
    /// A neuron's own level is 0 or 1.
    #[error("a neuron is stimulated with 1, or with 0 to end that; other levels are for sensors")]
    NotALevel,
    /// No such sensor is attached to this neuron.
    #[error("no sensor {0} is attached here; set its weight to attach it")]
    UnknownSensor(SensorId),
    /// There is no connection from this source.
    #[error("there is no connection from {0}")]
    NotConnected(NeuronId),
    /// The connection exists already, or is being made.
    #[error("{0} is connected already")]
    AlreadyConnected(NeuronId),
    /// A neuron cannot be its own input without a delay.
    #[error("a connection of {0} to itself needs a delay")]
    SelfConnection(NeuronId),
    /// A delay of less than a microsecond is no delay.
    #[error("a delay must be at least a microsecond; leave it out for a connection without one")]
    NoDelay,
    /// The level at that tag is not known: it lies before the neuron's first evaluation, in a stretch that it missed,
    /// or further back than it remembers.
    #[error("the level at {0} is not known: it is older than what the neuron remembers, or was never evaluated")]
    Unknown(Tag),
    /// A tag lies more than two hours ahead of the neuron's clock.
    #[error("the tag {0} lies too far ahead; at most two hours are waited for")]
    TooFarAhead(Tag),
    /// Another watch or question would be one too many.
    #[error("the limit of {0} is reached")]
    TooMany(String),
    /// What was prepared is not held any more.
    #[error("what was prepared has been given back, because the rest took too long; prepare it again")]
    Expired,
    /// Tags have run out: the clock stands at its end.
    #[error("no tag is left to stamp with")]
    TimeExhausted,
    /// The neuron restarted before it could answer.
    #[error("the neuron restarted before it could answer")]
    Restarted,
    /// The neuron was started from a store that has been overtaken: others have heard a later life of it, or another one
    /// with the same number. It has fallen silent.
    #[error(
        "the neuron lives its life number {ours}, but others have heard another life of it, number {known}: it runs twice, or was \
         started without the store of that life; stop the other one, or put the store back. If that is lost for good, save \
         incarnation {known} and the present time as its ceiling in a new store (see `HostError::Fenced`)"
    )]
    Fenced {
        /// The number of the life that was started.
        ours: u32,
        /// The number of the life that others have heard.
        known: u32,
    },
}

/// Names a request of a controller that is answered later, or that others refer to: a transaction, a connection being
/// made or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionId {
    /// The controller that asked.
    pub(crate) controller: ControllerId,
    /// The number of its request.
    pub(crate) request: u64,
}
