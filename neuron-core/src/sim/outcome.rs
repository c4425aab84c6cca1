//! What came of a run, judged by the oracle.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{Totals, judge::Judge, world::World};
use crate::{
    id::NeuronId,
    oracle::Mistake,
    tag::Tag,
    value::{Missing, Value},
};

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// A plain answer is not what the network means.
    Wrong(Mistake),
    /// A tag was answered twice, or out of order.
    Twice {
        /// By this neuron.
        neuron: NeuronId,
        /// The tag.
        tag: Tag,
    },
    /// Long after all faults were over, an answer still lacks something, although everybody is there.
    StillDegraded {
        /// Whose answer.
        neuron: NeuronId,
        /// What it lacks.
        missing: Missing,
    },
    /// Long after all faults were over, a level is not what the network means.
    NotCaughtUp {
        /// Whose level.
        neuron: NeuronId,
        /// What it is.
        claimed: f64,
        /// What it should be.
        actual: f64,
    },
    /// Long after all faults were over, and with everybody there, neurons still talk about more than levels that last.
    NotSilent {
        /// Signals in the last five seconds.
        signals: u64,
    },
    /// A level came over a connection with a delay that its source never had, or sooner than the delay.
    Premature {
        /// Where it came.
        neuron: NeuronId,
        /// Where it came from.
        source: NeuronId,
        /// The tag it was given.
        tag: Tag,
    },
    /// A level changed at a tag that the neuron never answered, although nothing was in its way.
    Omitted {
        /// Which neuron.
        neuron: NeuronId,
        /// The tag.
        tag: Tag,
    },
    /// So much happened that the run was broken off.
    Endless,
    /// Somebody asked for a level, and got no answer although the neuron was there all the time.
    Unanswered {
        /// Who did not answer.
        neuron: NeuronId,
        /// The tag that was asked for.
        tag: Tag,
    },
    /// A level counted for longer than a lease and a patience after its source was heard last.
    Fenced {
        /// Where it counted.
        neuron: NeuronId,
        /// Whose level it was.
        source: NeuronId,
    },
    /// A set of changes took effect at some of its neurons only, although none of them crashed or was late.
    Torn {
        /// The tag at which all should have changed.
        tag: Tag,
        /// One that did not.
        neuron: NeuronId,
    },
    /// The tags of a neuron ran ahead of every clock that is to be believed.
    Dragged {
        /// Which neuron.
        neuron: NeuronId,
        /// How far it has spoken.
        tag: Tag,
    },
    /// A neuron came back without its store, and others who knew it did not tell.
    Unnoticed {
        /// Which one.
        neuron: NeuronId,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(mistake) => write!(f, "wrong and plain: {mistake}"),
            Self::Twice { neuron, tag } => write!(f, "{neuron} answered {tag} twice, or out of order"),
            Self::StillDegraded { neuron, missing } => write!(f, "{neuron} still lacks {missing}, which is there"),
            Self::NotCaughtUp { neuron, claimed, actual } => {
                write!(f, "{neuron} ends with {claimed}, where it should be {actual}")
            }
            Self::NotSilent { signals } => write!(f, "{signals} signals after everything is over"),
            Self::Premature { neuron, source, tag } => {
                write!(f, "at {tag} {source} re-entered at {neuron} with what it never said, or too early")
            }
            Self::Omitted { neuron, tag } => write!(f, "{neuron} changed at {tag} and did not say so"),
            Self::Endless => write!(f, "it did not end"),
            Self::Unanswered { neuron, tag } => write!(f, "{neuron} never told its level at {tag}"),
            Self::Fenced { neuron, source } => {
                write!(f, "{neuron} counted a level of {source} for longer than its lease")
            }
            Self::Torn { tag, neuron } => write!(f, "of the changes at {tag} those of {neuron} were not made"),
            Self::Dragged { neuron, tag } => write!(f, "{neuron} was dragged into the future, to {tag}"),
            Self::Unnoticed { neuron } => write!(f, "{neuron} lost its store, and nobody noticed"),
        }
    }
}

/// A question for a level, as [`Act::Ask`](super::Act::Ask) asks it, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Who was asked.
    pub neuron: NeuronId,
    /// For which tag: the moment at which it was asked, by the clock of the one who was asked if that is behind.
    pub tag: Tag,
    /// The answer; none if there was no answer, or a refusal.
    pub answer: Option<Value>,
    /// How long it took, there and back, in true time.
    pub took: Option<Duration>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed of the plan.
    pub seed: u64,
    /// What must not have happened.
    pub failures: Vec<Failure>,
    /// What was counted.
    pub totals: Totals,
    /// A fingerprint of everything that happened, in order: the same plan has the same.
    pub trace: u64,
    /// The questions that were asked, in their order.
    pub asked: Vec<Asked>,
    present: BTreeMap<NeuronId, Value>,
}

impl Outcome {
    /// A neuron's value at the end of the run; at rest if it is not there.
    ///
    /// # Panics
    /// When the network has no such neuron.
    #[expect(clippy::panic, reason = "a test that names nothing has to be told so")]
    pub fn present(&self, neuron: &str) -> &Value {
        self.present.get(neuron).unwrap_or_else(|| panic!("the network has no neuron {neuron}"))
    }

    pub(super) fn of(world: &World<'_>) -> Self {
        let (failures, totals) = Judge::new(world).judge();
        let present = world.nodes.iter().map(|node| {
            let value = node.neuron.as_ref().map(|neuron| neuron.value().clone());
            (node.id.clone(), value.unwrap_or_default())
        });
        let asked = world.asked.values().map(|asked| Asked {
            neuron: world.nodes[asked.neuron].id.clone(),
            tag: asked.tag,
            answer: asked.answer.clone().and_then(Result::ok),
            took: asked.answered.map(|at| at.since(asked.at)),
        });
        Self {
            seed: world.plan.seed,
            failures,
            totals,
            trace: world.trace.0,
            asked: asked.collect(),
            present: present.collect(),
        }
    }
}
