//! Exponential back-off.

use std::time::Duration;

use crate::tag::Time;

/// The longest pause between two calls to a peer that does not answer, and between two
/// reconsiderations of a degraded answer: it is short enough for a peer that comes back.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// When something is tried again; each pause is twice the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Backoff {
    /// When the next attempt is due.
    pub(crate) due: Time,
    /// The present pause in microseconds, at most 71 minutes. The pauses that are doubled are never
    /// longer than a few seconds.
    pause: u32,
}

impl Backoff {
    /// The shortest pause after the first one, so that doubling a pause of zero ends.
    const SHORTEST: Duration = Duration::from_millis(25);

    /// Makes one whose first attempt is due after this pause.
    pub(crate) fn after(pause: Duration, now: Time) -> Self {
        Self { due: now.after(pause), pause: u32::try_from(pause.as_micros()).unwrap_or(u32::MAX) }
    }

    /// Returns the present pause.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_micros(self.pause.into())
    }

    /// Doubles the pause, up to `longest`, and starts it now.
    pub(crate) fn grow(&mut self, longest: Duration, now: Time) {
        *self = Self::after((self.pause() * 2).max(Self::SHORTEST).min(longest), now);
    }
}
