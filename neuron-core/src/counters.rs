//! The counters of a neuron.

/// The counters of a neuron since its host started it. A restart after a panic does not reset them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// New levels from inputs, and readings and stimuli from controllers. Not the kicks of the
    /// pulse rule, which the code calls spikes.
    pub kicks: u64,
    /// Rises of the level from 0.
    pub firings: u64,
    /// Tags evaluated.
    pub evaluations: u64,
    /// Probes sent: questions to an input whether anything has changed up to a tag.
    pub probes: u64,
    /// Stimuli, readings and statements that arrived after their tag had been answered. Stimuli and
    /// readings moved to a later tag, and the answer to the controller says so.
    pub late: u64,
    /// Refused commands, numbers that are not finite, and early statements without room in the
    /// reorder buffer.
    pub refused: u64,
    /// Statements from neurons that are not inputs, subscriptions of neurons that may not listen,
    /// probes and acknowledgements of neurons that are no subscribers, and word of a later
    /// incarnation that is not believed.
    pub unknown: u64,
    /// Messages that arrived more than once, or from an earlier incarnation of their sender.
    pub duplicates: u64,
    /// Degraded answers: tags answered without an input that could have changed the answer.
    pub degraded: u64,
    /// Inputs that were marked down because they were silent for too long while the neuron waited
    /// for them or while a renewal was due.
    pub silences: u64,
    /// Statements that were sent again because they had not been acknowledged.
    pub resent: u64,
    /// Subscribers that were given up because they did not acknowledge, or because the transport
    /// could not reach them. The next statement to such a subscriber reports the gap.
    pub given_up: u64,
    /// Messages that were rejected because their tag was more than three hours ahead of the local
    /// clock: one of the two clocks is wrong.
    pub ahead: u64,
    /// Levels that were replaced by a newer one before they took effect, because they arrived too
    /// fast over an edge with a delay, or from an input that is far ahead of the others.
    pub superseded: u64,
    /// Restarts of this neuron after a panic.
    pub restarts: u64,
    /// Ends of holds, lingers and refractory periods that moved to a later tag, because a neuron
    /// whose clock is ahead asked for, or stated, tags beyond them: set the clocks.
    pub extended: u64,
}
