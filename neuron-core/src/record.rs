//! The record: everything that a neuron stamps, and everything it claims.
//!
//! A network is a function from the record of stamped events to levels. [`oracle`](crate::oracle) computes it; the
//! claims are what it judges.

use crate::{
    config::ConfigChange,
    id::{NeuronId, SensorId},
    tag::Tag,
    value::Value,
};

/// What a neuron stamps: its *own* events. From its tag on, an event counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A new life begins: no stimulus, no reading, no memory; edges that re-enter stand at 0.
    Restart,
    /// The neuron is made to fire (1), or that is ended (0).
    Stimulus {
        /// 1 or 0.
        level: f64,
    },
    /// A sensor was read.
    Reading {
        /// Which one.
        sensor: SensorId,
        /// What it shows; 0 is its level at rest.
        level: f64,
    },
    /// Something that lasts a given time is over.
    End {
        /// What is over.
        what: Lasting,
        /// The tag at which it began. If it has begun anew since, this says nothing.
        of: Tag,
    },
    /// A level comes over an edge that nobody waits for: one with a delay, or one into an `asap` neuron.
    Reentry {
        /// Where it comes from.
        source: NeuronId,
        /// What the edge shows from now on.
        value: Value,
    },
    /// Nothing has happened here: the neuron looks again at its inputs, because one of them fell silent or came back.
    Look,
    /// A stretch of tags was missed, so a neuron with a memory (linger, or the pulse rule) begins anew: no kicks up to
    /// and including this tag, no refractory period, and it was off before.
    Forget,
    /// The configuration is changed from this tag on.
    Configured(ConfigChange),
}

impl Event {
    /// Returns the change of the configuration that this event makes; `None` for all other events.
    pub fn config_change(&self) -> Option<&ConfigChange> {
        match self {
            Self::Configured(change) => Some(change),
            _ => None,
        }
    }
}

/// What lasts a given time and then ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// A stimulus, for its hold.
    Stimulus,
    /// A reading, for its hold.
    Reading(SensorId),
    /// The neuron stays on although its support has gone.
    Linger,
    /// After a pulse, no other may follow.
    Refractory,
}

/// What a neuron says of its own level: it is `value` from `at` on, and it was the one before up to `known`.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Up to here the claim before holds.
    pub known: Tag,
    /// From here on this one holds, up to the `known` of the next.
    pub at: Tag,
    /// The level. A degraded one claims nothing but what is missing.
    pub value: Value,
}

/// One entry of the record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An event was stamped.
    Stamped {
        /// From here on it counts.
        tag: Tag,
        /// What happened.
        event: Event,
    },
    /// A tag was evaluated.
    Evaluated(Claim),
}
