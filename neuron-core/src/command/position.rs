//! Where a change stands among all changes.

use crate::signal::Incarnation;

/// The position of a change of level among all changes of a neuron. Positions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchPosition {
    /// The incarnation of the neuron.
    pub incarnation: Incarnation,
    /// How many changes there were in that incarnation, up to and including this one, counted from
    /// when the neuron was first watched in it. A stretch of tags whose level the neuron itself
    /// does not know counts as one more.
    pub number: u64,
}
