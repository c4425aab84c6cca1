//! The condition of the link between two hosts.

use std::time::Duration;

/// How long a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Any time from 1 µs to this, uniformly distributed.
    UpTo(Duration),
    /// Usually about this: from a fifth of it to twice it. One message in fifty takes ten times as
    /// long, one in five hundred takes thirty times as long.
    Around(Duration),
}

/// How messages travel from one host to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkCondition {
    /// How long a message takes.
    pub delay: Delay,
    /// The share of messages that are lost, in percent.
    pub loss: u8,
    /// The share of messages that arrive twice, in percent.
    pub duplicates: u8,
    /// Whether messages may overtake each other.
    pub reorders: bool,
}

impl LinkCondition {
    /// Up to 2 ms, in order, without losses and duplicates.
    pub const GOOD: Self =
        Self { delay: Delay::UpTo(Duration::from_millis(2)), loss: 0, duplicates: 0, reorders: false };

    /// Draws the delay of one message.
    pub(super) fn draw_delay(&self, rng: &mut fastrand::Rng) -> Duration {
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

    /// Draws how many copies of one message arrive: 0, 1 or 2.
    pub(super) fn draw_copies(&self, rng: &mut fastrand::Rng) -> usize {
        let lost = rng.u8(0..100) < self.loss;
        let doubled = rng.u8(0..100) < self.duplicates;
        if lost { usize::from(doubled) } else { 1 + usize::from(doubled) }
    }
}
