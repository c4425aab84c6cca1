//! What must not happen in a run.

use std::fmt;

use crate::{
    id::{HostId, NeuronId},
    oracle::Mistake,
    tag::Tag,
    value::{Missing, Value},
};

/// A broken promise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// A plain answer is wrong.
    Wrong(Mistake),
    /// A neuron answered a tag twice, or out of order.
    OutOfOrder {
        /// The neuron.
        neuron: NeuronId,
        /// The tag.
        tag: Tag,
    },
    /// An answer is still degraded long after all faults have ended, although every neuron is up.
    StillDegraded {
        /// The neuron that gave the answer.
        neuron: NeuronId,
        /// The neurons that the answer lacks.
        missing: Missing,
    },
    /// A level is still wrong long after all faults have ended.
    NotConverged {
        /// The neuron.
        neuron: NeuronId,
        /// The level of the neuron.
        claimed: f64,
        /// The level according to the oracle.
        actual: f64,
    },
    /// Neurons still send more than renewals long after all faults have ended, although every
    /// neuron is up.
    NotQuiet {
        /// The signals of the last five seconds, without renewals.
        signals: u64,
    },
    /// A level re-entered over an edge with a delay although its source never had it, or sooner
    /// than the delay.
    InvalidReentry {
        /// The neuron at which the level re-entered.
        neuron: NeuronId,
        /// The source of the edge.
        source: NeuronId,
        /// The tag at which the level re-entered.
        tag: Tag,
    },
    /// A level changed at a tag that the neuron never answered, although no fault explains it.
    Omitted {
        /// The neuron.
        neuron: NeuronId,
        /// The tag.
        tag: Tag,
    },
    /// The run was broken off because too much happened.
    StepLimit,
    /// A query was not answered, although the neuron was up all the time.
    Unanswered {
        /// The neuron that was asked.
        neuron: NeuronId,
        /// The tag that it was asked for.
        tag: Tag,
    },
    /// A level counted for longer than a lease and a patience after the last signal from its
    /// source.
    LeaseExceeded {
        /// The neuron at which the level counted.
        neuron: NeuronId,
        /// The source of the level.
        source: NeuronId,
    },
    /// A transaction took effect at some of its neurons only, although none of them crashed or was
    /// late.
    PartialTransaction {
        /// The tag at which all should have changed.
        tag: Tag,
        /// A neuron that did not change.
        neuron: NeuronId,
    },
    /// A command was answered with a tag at which the neuron has no event of a command.
    WrongStamp {
        /// The neuron.
        neuron: NeuronId,
        /// The tag in the answer.
        tag: Tag,
    },
    /// The tags of a neuron ran ahead of every clock that is right.
    ClockDragged {
        /// The neuron.
        neuron: NeuronId,
        /// The last tag that it has promised.
        tag: Tag,
    },
    /// A watch told levels that were not in the order of their tags.
    WatchOutOfOrder {
        /// The neuron that is watched.
        neuron: NeuronId,
        /// The tag that was told too late.
        tag: Tag,
    },
    /// A watch told two levels one after the other, and not that it had missed one between them.
    WatchUncounted {
        /// The neuron that is watched.
        neuron: NeuronId,
        /// The tag of the change that was not told and not counted.
        tag: Tag,
    },
    /// A neuron could not be heard for longer than its lease and patience, and a watch did not say
    /// so.
    WatchNotSilent {
        /// The neuron that is watched.
        neuron: NeuronId,
    },
    /// What a watch told last is not what the neuron said last, long after all faults have ended.
    WatchNotConverged {
        /// The neuron that is watched.
        neuron: NeuronId,
        /// What the watch told last.
        told: Value,
        /// The value of the neuron.
        actual: Value,
    },
    /// The host of an input was gone for longer than hosts wait for each other, and the neuron was
    /// not told.
    UnnoticedHostLoss {
        /// The neuron.
        neuron: NeuronId,
        /// The input.
        source: NeuronId,
    },
    /// Long after all faults have ended, a host does not know that another one lives, or that it
    /// runs an input of its neurons.
    HostNotBack {
        /// The host that does not know.
        host: HostId,
        /// The input.
        source: NeuronId,
    },
    /// A neuron was fenced by a hostile one that is not its neighbour, or does not answer any more
    /// after the lies have ended.
    Silenced {
        /// The neuron.
        neuron: NeuronId,
    },
    /// A hostile neuron without an edge to any other made an answer degraded.
    Disturbed {
        /// The neuron that gave the answer.
        neuron: NeuronId,
        /// How many of its answers were degraded.
        degraded: u64,
    },
    /// A neuron told a hostile one its level, which may not listen to it.
    Overheard {
        /// The neuron that told its level.
        neuron: NeuronId,
    },
    /// A lie that had to be refused was not counted.
    Uncounted {
        /// The neuron that received it.
        neuron: NeuronId,
        /// The kind of the signal.
        kind: &'static str,
    },
    /// Lies made something grow beyond its bound.
    Oversized {
        /// The neuron or the host that holds it.
        holder: String,
        /// What it holds.
        what: &'static str,
        /// How much of it.
        count: usize,
    },
    /// A neuron came back without its store, and the neurons that knew it did not fence it.
    UnnoticedStoreLoss {
        /// The neuron.
        neuron: NeuronId,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(mistake) => write!(f, "wrong and plain: {mistake}"),
            Self::OutOfOrder { neuron, tag } => write!(f, "{neuron} answered {tag} twice, or out of order"),
            Self::StillDegraded { neuron, missing } => write!(f, "{neuron} still lacks {missing}, which is up"),
            Self::NotConverged { neuron, claimed, actual } => {
                write!(f, "{neuron} ends with {claimed}, where it should be {actual}")
            }
            Self::NotQuiet { signals } => write!(f, "{signals} signals after everything is over"),
            Self::InvalidReentry { neuron, source, tag } => {
                write!(f, "at {tag} {source} re-entered at {neuron} with a level it never had, or too early")
            }
            Self::Omitted { neuron, tag } => write!(f, "{neuron} changed at {tag} and did not say so"),
            Self::StepLimit => write!(f, "it did not end"),
            Self::Unanswered { neuron, tag } => write!(f, "{neuron} never told its level at {tag}"),
            Self::LeaseExceeded { neuron, source } => {
                write!(f, "{neuron} counted a level of {source} for longer than its lease")
            }
            Self::PartialTransaction { tag, neuron } => {
                write!(f, "of the changes at {tag} those of {neuron} were not made")
            }
            Self::WrongStamp { neuron, tag } => write!(f, "{neuron} said {tag} to a command, and did nothing then"),
            Self::ClockDragged { neuron, tag } => write!(f, "{neuron} was dragged into the future, to {tag}"),
            Self::WatchOutOfOrder { neuron, tag } => write!(f, "a watch of {neuron} told {tag} too late"),
            Self::WatchUncounted { neuron, tag } => {
                write!(f, "a watch of {neuron} neither told nor counted the change at {tag}")
            }
            Self::WatchNotSilent { neuron } => {
                write!(f, "{neuron} could not be heard, and a watch of it did not say so")
            }
            Self::WatchNotConverged { neuron, told, actual } => {
                write!(f, "a watch of {neuron} ends with {told:?}, where the neuron has {actual:?}")
            }
            Self::UnnoticedHostLoss { neuron, source } => {
                write!(f, "{neuron} was not told that the host of {source} was gone")
            }
            Self::HostNotBack { host, source } => {
                write!(f, "the host {host} does not know that {source} is back")
            }
            Self::Silenced { neuron } => write!(f, "{neuron} was silenced by a hostile machine"),
            Self::Disturbed { neuron, degraded } => {
                write!(f, "a stranger made {degraded} answers of {neuron} degraded")
            }
            Self::Overheard { neuron } => write!(f, "{neuron} told its level to a neuron that may not listen"),
            Self::Uncounted { neuron, kind } => write!(f, "{neuron} refused a lie and did not count it: {kind}"),
            Self::Oversized { holder, what, count } => write!(f, "{holder} holds {count} {what}"),
            Self::UnnoticedStoreLoss { neuron } => write!(f, "{neuron} lost its store, and was not fenced"),
        }
    }
}
