//! What a neuron counts.

/// What a neuron has seen and done since its host started it; restarts do not set it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// New levels that came from inputs, and readings and stimuli that came from controllers.
    pub kicks: u64,
    /// How often the level rose from 0.
    pub firings: u64,
    /// Tags evaluated.
    pub evaluations: u64,
    /// Inputs asked whether they have anything up to a tag.
    pub probes: u64,
    /// Stimuli, readings and statements that came after their tag had been answered. The former two moved to a later
    /// tag, and their sender was told.
    pub late: u64,
    /// Commands refused, and numbers that are not finite.
    pub refused: u64,
    /// Statements from neurons that are no inputs.
    pub unknown: u64,
    /// Messages that came more than once, or from an earlier life of their sender.
    pub duplicates: u64,
    /// Tags never answered, because an input restarted and what it said meanwhile is not known.
    pub skipped: u64,
    /// Levels that came over a delayed edge faster than they could re-enter; a newer one took their place.
    pub superseded: u64,
    /// Times that this neuron was restarted after a panic.
    pub restarts: u64,
}
