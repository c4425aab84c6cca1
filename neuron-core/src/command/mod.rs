//! Commands that controllers send to neurons, and the reports that come back.

mod position;
mod refusal;
#[cfg(any(feature = "actor", feature = "sim"))]
mod reply;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

pub use crate::config::ConfigChange;
use crate::{
    config::{Mode, Rule, is_finite},
    counters::Counters,
    id::{ControllerId, HostId, NeuronId, SensorId},
    sensor::Sensor,
    serialize,
    tag::{Tag, Time},
    value::Missing,
};
pub use position::{HostChange, HostChanges, HostPosition, MAX_LISTED, WatchPosition};
pub use refusal::Refusal;
#[cfg(any(feature = "actor", feature = "sim"))]
pub(crate) use reply::is_answer;

/// A command with the number that its reply carries.
///
/// A request that is sent twice with the same number is carried out once and answered twice, unless
/// the neuron was asked for more than 256 other changes in between.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The number of the request. The controller chooses it and never uses it again.
    pub id: u64,
    /// When the controller gives up, by the clock of the neuron: a change that comes later is
    /// refused with [`Refusal::TooLate`]. `None`: it is made whenever it comes.
    pub deadline: Option<Time>,
    /// The command.
    pub command: Command,
}

impl Request {
    /// Returns a request without a deadline.
    pub fn new(id: u64, command: Command) -> Self {
        Self { id, deadline: None, command }
    }
}

/// A stimulus of a neuron, or a reading of one of its sensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Stimulus {
    /// The sensor that was read; `None` for a stimulus of the neuron itself.
    pub sensor: Option<SensorId>,
    /// The level. As a stimulus, 1 makes the neuron fire and 0 ends that; a reading is any finite
    /// number, or `None` if the sensor cannot tell.
    pub level: Option<f64>,
    /// How long it lasts. `None`: as long as is configured for the sensor, or the neuron.
    pub hold: Option<Duration>,
}

impl Stimulus {
    /// Checks that a neuron can take the level.
    ///
    /// # Errors
    /// Returns the refusal of each neuron that is asked.
    pub(crate) fn check_level(&self) -> Result<(), Refusal> {
        match (&self.sensor, self.level) {
            (None, Some(0.0 | 1.0)) | (Some(_), None) => Ok(()),
            (None, _) => Err(Refusal::NotALevel),
            (Some(sensor), Some(level)) if !is_finite(level) => {
                Err(Refusal::NotFinite(format!("reading {level} of {sensor}")))
            }
            (Some(_), Some(_)) => Ok(()),
        }
    }
}

/// A command to a neuron.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Stimulates the neuron, or gives it a reading. The answer is [`Answer::Stamped`].
    Stimulate {
        /// The stimulus or the reading.
        stimulus: Stimulus,
        /// The tag that it should carry; `None` to let the neuron choose one. If the neuron has
        /// already promised its level at that tag, the stimulus moves to a later tag and the answer
        /// says so.
        at: Option<Tag>,
        /// How long the neuron may wait for the time of `at` before it evaluates, so that the
        /// readings of one coincidence window form one wave.
        within: Duration,
    },
    /// Stimulates the neuron several times in a row, each time at a tag of its own, which makes as
    /// many waves. The answer is [`Answer::Stamped`] with the first tag; the others have the tags
    /// that follow it. An empty train is answered with [`Answer::Done`].
    Train {
        /// The levels, at most [`MAX_TRAIN`](crate::neuron::MAX_TRAIN) of them: 1 makes the neuron
        /// fire, 0 ends that.
        levels: Vec<f64>,
    },
    /// Reserves tags for a wave: the neuron promises and evaluates nothing at or after the tag in
    /// the answer, until the [`Command::Commit`] that names this request, at most for half of the
    /// patience. The answer is [`Answer::Floor`].
    Reserve,
    /// Like [`Command::Reserve`], for changes that are to take effect at one tag together with
    /// those of other neurons. The answer is [`Answer::Floor`], once every source that is to be
    /// connected has sent its snapshot. The neuron holds the changes for ten times the patience.
    Prepare {
        /// The changes. If one of them is refused, all are.
        changes: Vec<ConfigChange>,
        /// The stimuli and readings that enter with them. If one is refused, all are.
        stimuli: Vec<Stimulus>,
    },
    /// Takes part in a wave that was reserved, or makes the changes that were prepared. The answer
    /// is [`Answer::Stamped`].
    Commit {
        /// The number of the request that reserved or prepared.
        ticket: u64,
        /// The tag of the wave or of the changes: the highest floor of all members.
        at: Tag,
        /// The stimuli and readings of a wave; empty for changes that were prepared. Changes that
        /// are not held any more are refused with [`Refusal::Expired`], never made at another tag;
        /// nor does what was prepared with them enter at another one.
        stimuli: Vec<Stimulus>,
    },
    /// Gives up a reservation and the changes that were prepared under it. The answer is
    /// [`Answer::Done`].
    Release {
        /// The number of the request that reserved or prepared.
        ticket: u64,
    },
    /// Asks for the present level. The answer is [`Answer::Output`], as soon as the level takes
    /// everything up to `after` into account.
    Output {
        /// The last tag that the caller knows of: a caller reads its own writes.
        /// [`Tag::ORIGIN`] if it knows of none.
        after: Tag,
    },
    /// Asks for the level at a tag. The answer is [`Answer::Output`], as soon as the level is
    /// certain.
    OutputAt {
        /// The tag.
        tag: Tag,
    },
    /// Begins a watch, or renews it: the neuron reports each change of its level from now on, as
    /// [`Report::Changed`]. The answer is [`Answer::Watched`], once there is a level.
    ///
    /// A neuron forgets a watch that has not been renewed for
    /// [`WATCH_LEASE`](crate::neuron::WATCH_LEASE), and each watch when its host crashes. The next
    /// renewal begins it again; from the position in the answer the controller sees what it has
    /// missed.
    Watch {
        /// The number of the watch. The controller chooses it, and uses it for no other one.
        watch: u64,
    },
    /// Ends a watch, also one of a whole host if it was sent to a neuron there. The answer is
    /// [`Answer::Done`].
    Unwatch {
        /// The number of the watch.
        watch: u64,
    },
    /// Asks for the configuration. The answer is [`Answer::Config`], as soon as it includes
    /// everything up to `after`.
    Config {
        /// As for [`Command::Output`].
        after: Tag,
    },
    /// Changes the configuration. The answer is [`Answer::Stamped`]: for [`ConfigChange::Connect`]
    /// once the source has sent its snapshot, for [`ConfigChange::Disconnect`] once the connection
    /// has ended.
    Configure(ConfigChange),
    /// Asks for the last firings. The answer is [`Answer::Log`], as soon as it includes everything
    /// up to `after`.
    Log {
        /// As for [`Command::Output`].
        after: Tag,
    },
    /// Clears the log of firings. The answer is [`Answer::Done`].
    EmptyLog,
    /// Asks for the counters. The answer is [`Answer::Counters`].
    Counters,
    /// Lets a neuron of another host listen to this one, though the network of the host has no such
    /// edge. The answer is [`Answer::Done`]. A neuron that is driven by hand lets every neuron
    /// listen.
    Admit {
        /// The neuron that is about to subscribe.
        listener: NeuronId,
    },
    /// Asks on which host the neuron runs. The host answers, with [`Answer::Host`]; a neuron that
    /// is driven by hand answers with [`Answer::Done`].
    Host,
    /// Begins a watch of all neurons that run on the same host as this one, or renews it: each of
    /// them reports its changes, as [`Report::Changed`]. The host answers, with
    /// [`Answer::WatchedHost`]; a neuron that is driven by hand answers with [`Answer::Done`].
    ///
    /// A host forgets a watch as a neuron does: see [`Command::Watch`].
    WatchHost {
        /// The number of the watch. The controller chooses it, and uses it for no other one.
        watch: u64,
        /// Up to where the controller knows which neurons have changed.
        known: HostPosition,
    },
    /// Asks for the last change of the level. The answer is [`Answer::Watched`], once there is a
    /// level. From then on the neuron counts its changes, as if it were watched.
    LastChange {
        /// The number of the watch that wants to know; the answer repeats it.
        watch: u64,
    },
}

impl Command {
    /// Returns whether the command ends when the controller gives up: it changes something, and not
    /// only gives back or ends what the controller itself has begun, or its answer may have to
    /// wait.
    pub(crate) fn has_deadline(&self) -> bool {
        match self {
            Self::Stimulate { .. }
            | Self::Train { .. }
            | Self::Reserve
            | Self::Prepare { .. }
            | Self::Commit { .. }
            | Self::Configure(_)
            | Self::EmptyLog
            | Self::Admit { .. }
            | Self::Output { .. }
            | Self::OutputAt { .. }
            | Self::Config { .. }
            | Self::Log { .. } => true,
            Self::Release { .. }
            | Self::Watch { .. }
            | Self::Unwatch { .. }
            | Self::WatchHost { .. }
            | Self::LastChange { .. }
            | Self::Counters
            | Self::Host => false,
        }
    }
}

/// A message from a neuron to a controller.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The answer to a request.
    Reply {
        /// The number of the request.
        request: u64,
        /// The answer, or the reason why there is none.
        result: Result<Answer, Refusal>,
    },
    /// A change of level, to a controller that watches.
    Changed {
        /// The number of the watch.
        watch: u64,
        /// The position of the change, so that a lost one is noticed.
        position: WatchPosition,
        /// The new level.
        sample: Sample,
    },
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The command was carried out.
    Done,
    /// The command takes effect at a tag.
    Stamped(Stamp),
    /// The range of tags that this neuron accepts for a wave, or a set of changes, that is being
    /// prepared.
    Floor {
        /// The lowest tag.
        floor: Tag,
        /// The highest tag: two hours ahead of the neuron's clock.
        latest: Tag,
    },
    /// A level.
    Output(Sample),
    /// A watch holds.
    Watched {
        /// The number of the watch.
        watch: u64,
        /// The position of the last change.
        position: WatchPosition,
        /// The last change: the present level, and the tag since which it holds.
        sample: Sample,
    },
    /// The configuration.
    Config(Box<ConfigView>),
    /// The last firings, oldest first.
    Log(Vec<Firing>),
    /// The counters.
    Counters(Box<Counters>),
    /// Where the neuron runs.
    Host {
        /// The name of the host.
        host: HostId,
        /// The version of this library that it runs.
        version: String,
        /// The life in which it counts the changes of its neurons: see [`HostPosition::life`]. So
        /// no other host can answer in its place: the life is told to controllers only.
        life: u64,
    },
    /// A watch of a host holds.
    WatchedHost(Box<HostChanges>),
}

/// The tag at which a command takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// The tag.
    pub tag: Tag,
    /// Whether the tag is later than the one that was asked for, because the neuron had already
    /// promised its level there.
    pub moved: bool,
}

/// A level and the tag that it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// The level: 1 if the neuron fires, else 0.
    pub level: f64,
    /// The tag. For a change, the first tag of the new level; for [`Command::OutputAt`], the tag
    /// that was asked for; else the last evaluated tag.
    pub tag: Tag,
    /// The missing neurons that could have changed the level; empty for a plain answer.
    pub missing: Missing,
}

impl Sample {
    /// Returns whether the neuron fires.
    pub fn fires(&self) -> bool {
        self.level != 0.0
    }

    /// Returns whether neurons were missing that could have changed the level.
    pub fn is_degraded(&self) -> bool {
        !self.missing.is_empty()
    }
}

/// One firing: a rise of the level from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Firing {
    /// The tag of the rise.
    pub tag: Tag,
}

/// The present configuration of a neuron, and its connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigView {
    /// The present level.
    pub output: Sample,
    /// The threshold; `None` if there is none.
    pub threshold: Option<f64>,
    /// The weights of neurons, connected or not.
    pub weights: BTreeMap<NeuronId, f64>,
    /// The sensors that are attached to it.
    pub sensors: BTreeMap<SensorId, Sensor>,
    /// The neurons that this one is connected to as its inputs, each with the delay of the edge;
    /// `None` for an edge that the neuron waits for.
    #[serde(serialize_with = "serialize::delays")]
    pub inputs: BTreeMap<NeuronId, Option<Duration>>,
    /// The neurons that subscribe to this one.
    pub connections: Vec<NeuronId>,
    /// How long a stimulus or a reading lasts.
    #[serde(serialize_with = "serialize::duration")]
    pub hold: Duration,
    /// How long the neuron stays on once the sum has fallen below the threshold.
    #[serde(serialize_with = "serialize::duration")]
    pub linger: Duration,
    /// When the neuron may answer.
    pub mode: Mode,
    /// What makes the neuron fire.
    pub rule: Rule,
}

/// Names a request of a controller that is answered later, or that other requests refer to: a
/// transaction, a connection being made or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionId {
    /// The controller that asked.
    pub(crate) controller: ControllerId,
    /// The number of its request.
    pub(crate) request: u64,
}
