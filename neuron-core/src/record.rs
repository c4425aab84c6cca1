//! The record: every event that a neuron stamps and every level that it claims.
//!
//! A network is a function from the record of stamped events to levels. The
//! [oracle](crate::oracle) computes that function and judges the claims by it.

use std::{cmp::Ordering, time::Duration};

use crate::{
    config::ConfigChange,
    id::{NeuronId, SensorId},
    tag::Tag,
    value::Value,
};

/// An event that a neuron stamps itself. It takes effect at its tag.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A new incarnation begins: no stimulus, no reading, no memory, and every edge that re-enters
    /// shows level 0.
    Restart,
    /// A stimulus begins or ends.
    Stimulus {
        /// 1 makes the neuron fire; 0 ends an earlier stimulus.
        level: f64,
        /// How long it lasts: it ends at the tag of the event plus this.
        hold: Duration,
    },
    /// A sensor was read.
    Reading {
        /// The sensor.
        sensor: SensorId,
        /// The level that it shows; `None` if it is unknown.
        level: Option<f64>,
        /// How long it counts: it ends at the tag of the event plus this.
        hold: Duration,
    },
    /// A state with a time limit has expired, at the tag at which it began plus its span.
    Expired {
        /// The state.
        what: TimedState,
        /// The tag at which the state began. The event has no effect if the state has begun anew
        /// since.
        began: Tag,
    },
    /// The end of a state has moved to a later tag. Nothing else happens at this tag.
    ///
    /// The neuron must evaluate or promise this tag, which lies beyond the end, long before the end
    /// is due by its own clock: the clock that the tag comes from is ahead.
    Extended {
        /// The state.
        what: TimedState,
        /// The tag at which the state began.
        began: Tag,
        /// The tag at which it ends now.
        until: Tag,
    },
    /// A level arrives over an edge that does not make the neuron wait: an edge with a delay, or
    /// any edge into an `asap` neuron.
    Reentry {
        /// The neuron that the edge comes from.
        source: NeuronId,
        /// The value that the edge shows from this tag on.
        value: Value,
    },
    /// A recheck: an own event that evaluates anew, because a level was not renewed, or, while the
    /// answer is degraded, because an input came back or a statement was late. Nothing else happens
    /// at this tag.
    Recheck,
    /// A range of tags was missed, so a neuron with a memory (linger, or the pulse rule) starts
    /// afresh: no kicks up to and including this tag, no refractory period, and its last level
    /// counts as 0.
    ResetMemory,
    /// The configuration changes.
    Configured(ConfigChange),
}

impl Event {
    /// Orders the events of one neuron at one tag as they are applied: a restart, changes of the
    /// configuration, ends, levels that re-enter, readings, a stimulus; then what follows from an
    /// evaluation.
    ///
    /// So the result does not depend on the order in which the events came: changes keep that
    /// order, of the same source or sensor there is one event of each kind, and an end has no
    /// effect on what begins at the same tag.
    pub fn cmp_within_tag(&self, other: &Self) -> Ordering {
        fn key(event: &Event) -> (u8, &str) {
            match event {
                Event::Restart => (0, ""),
                Event::Configured(_) => (1, ""),
                Event::Expired { .. } => (2, ""),
                Event::Reentry { source, .. } => (3, source.as_str()),
                Event::Reading { sensor, .. } => (4, sensor.as_str()),
                Event::Stimulus { .. } => (5, ""),
                Event::Recheck | Event::Extended { .. } => (6, ""),
                Event::ResetMemory => (7, ""),
            }
        }
        key(self).cmp(&key(other))
    }

    /// Returns the change of the configuration that this event makes; `None` for all other events.
    pub fn config_change(&self) -> Option<&ConfigChange> {
        match self {
            Self::Configured(change) => Some(change),
            _ => None,
        }
    }
}

/// A state of a neuron that ends by itself after a configured time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimedState {
    /// A stimulus, for its hold.
    Stimulus,
    /// The reading of a sensor, for its hold.
    Reading(SensorId),
    /// The neuron stays on for its linger although the sum is below the threshold.
    Linger,
    /// The refractory period after a pulse.
    Refractory,
}

/// Returns the tag at which something ends that began with the tag `began` and lasts for `span`:
/// the sum, and at least the next tag.
pub(crate) fn end_of(began: Tag, span: Duration) -> Tag {
    began.after(span).max(began.next())
}

/// What a neuron claims about its own level: it is `value` from `at` on, and it was the value of
/// the claim before up to `known`.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The last tag at which the claim before still holds.
    pub known: Tag,
    /// The first tag at which this claim holds. It holds up to the `known` of the next claim.
    pub at: Tag,
    /// The value. A degraded one claims no level, only which neurons are missing.
    pub value: Value,
}

/// One entry of the record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An event was stamped.
    Stamped {
        /// The tag at which the event takes effect.
        tag: Tag,
        /// The event.
        event: Event,
    },
    /// A tag was evaluated.
    Evaluated(Claim),
}
