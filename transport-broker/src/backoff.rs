//! The pauses between attempts to connect.

use std::time::Duration;

/// The pause before the second attempt: short, because most losses are a broker that restarts.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: a broker that is back is found again within this time.
pub const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Exponential back-off: pauses that double from 50 ms to [`MAX_PAUSE`].
///
/// Each pause is shortened by up to a half at random, so that the clients of one broker do not
/// reconnect all at once.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Returns the pause before the next attempt, and counts that attempt.
    pub fn next_pause(&mut self) -> Duration {
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(self.attempts.min(10))).min(MAX_PAUSE);
        self.attempts = self.attempts.saturating_add(1);
        pause.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Returns how many pauses there were.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.next_pause()).collect();
        assert!(pauses[0] >= FIRST_PAUSE / 2 && pauses[0] <= FIRST_PAUSE, "{:?}", pauses[0]);
        assert!(pauses[10..].iter().all(|pause| (MAX_PAUSE / 2..=MAX_PAUSE).contains(pause)), "{pauses:?}");
        assert_eq!(backoff.attempts(), 20);
    }
}
