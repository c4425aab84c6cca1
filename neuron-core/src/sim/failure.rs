//! What must not happen in a run.

use std::fmt;

use crate::{id::NeuronId, oracle::Mistake, tag::Tag, value::Missing};

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
            Self::UnnoticedStoreLoss { neuron } => write!(f, "{neuron} lost its store, and was not fenced"),
        }
    }
}
