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
    /// Commands refused, numbers that are not finite, and statements that came early and found no room.
    pub refused: u64,
    /// Statements from neurons that are no inputs.
    pub unknown: u64,
    /// Messages that came more than once, or from an earlier life of their sender.
    pub duplicates: u64,
    /// Tags answered without an input that could have changed the answer.
    pub degraded: u64,
    /// Inputs given up, because they were silent for too long while they were waited for, or while their level had to be renewed.
    pub silences: u64,
    /// Statements sent again, because they had not been acknowledged.
    pub resent: u64,
    /// Subscribers given up, because they did not acknowledge, or because nothing could be handed over to them. What they
    /// missed is a gap, which the first statement after it tells.
    pub given_up: u64,
    /// Messages with a tag more than two hours ahead of the clock here, which are not believed: a clock is wrong.
    pub ahead: u64,
    /// Levels that came faster than they could be taken in, over a delayed edge or from an input that is far ahead of the
    /// others; a newer one took their place.
    pub superseded: u64,
    /// Times that this neuron was restarted after a panic.
    pub restarts: u64,
}
