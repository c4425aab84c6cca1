//! When to try to connect again.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause: a broker that is back is found again within that.
pub const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Pauses that double, from 50 ms to [`LONGEST`], each of them shortened by up to a half at random, so that those who lost one
/// broker do not come back all at once.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The pause before the next attempt.
    pub fn pause(&mut self) -> Duration {
        let pause = (FIRST * 2_u32.saturating_pow(self.attempts.min(10))).min(MAX_PAUSE);
        self.attempts = self.attempts.saturating_add(1);
        pause.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// How many pauses there were.
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
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.pause()).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST, "{:?}", pauses[0]);
        assert!(pauses[10..].iter().all(|pause| (MAX_PAUSE / 2..=MAX_PAUSE).contains(pause)), "{pauses:?}");
        assert_eq!(backoff.attempts(), 20);
    }
}
