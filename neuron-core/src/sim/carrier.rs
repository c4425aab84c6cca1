//! How messages fare between two hosts.

use std::time::Duration;

/// How long a message is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Anything from nothing to this, equally likely.
    UpTo(Duration),
    /// Mostly around this, between a fifth and twice of it; one message in fifty takes ten times as long, one in five
    /// hundred thirty times.
    Around(Duration),
}

/// How messages fare from one host to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// How long they take.
    pub delay: Delay,
    /// How many in a hundred are lost.
    pub loss: u8,
    /// How many in a hundred come twice.
    pub duplicates: u8,
    /// Whether they overtake each other.
    pub reorders: bool,
}

impl Link {
    /// Around a millisecond, in order, nothing lost and nothing doubled.
    pub const GOOD: Self =
        Self { delay: Delay::UpTo(Duration::from_millis(2)), loss: 0, duplicates: 0, reorders: false };

    /// How long one message takes.
    pub(super) fn takes(&self, rng: &mut fastrand::Rng) -> Duration {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(match self.delay {
            Delay::UpTo(longest) => rng.u64(1..=micros(longest)),
            Delay::Around(usual) => {
                let usual = micros(usual);
                let tail = match rng.u16(0..500) {
                    0 => 30,
                    1..=10 => 10,
                    _ => 1,
                };
                rng.u64(usual / 5..=usual * 2) * tail + 1
            }
        })
    }

    /// How many copies of one message arrive.
    pub(super) fn copies(&self, rng: &mut fastrand::Rng) -> usize {
        let lost = rng.u8(0..100) < self.loss;
        let doubled = rng.u8(0..100) < self.duplicates;
        if lost { usize::from(doubled) } else { 1 + usize::from(doubled) }
    }
}
