//! The clocks of hosts. None of them shows the true time.

use crate::tag::Time;

/// An hour in microseconds: the largest error of a clock that still counts as right.
pub(super) const HOUR: i64 = 3_600_000_000;

/// A clock that was set once and runs slightly too fast or too slow. It never goes backwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The true time at which the clock was set, in microseconds.
    set_at: u64,
    /// The time that the clock showed then, in microseconds.
    set_to: u64,
    /// How much faster than true time the clock runs, in millionths.
    drift: i64,
}

impl Clock {
    /// Sets a clock at the true time `now`; `offset` is its error in microseconds, positive if it
    /// is ahead.
    pub(super) fn new(now: Time, offset: i64, drift: i32) -> Self {
        Self { set_at: now.as_micros(), set_to: now.as_micros().saturating_add_signed(offset), drift: drift.into() }
    }

    /// Returns what the clock shows at a true time.
    pub(super) fn read(&self, now: Time) -> Time {
        let passed = now.as_micros() - self.set_at;
        let gained = i128::from(passed) * i128::from(self.drift) / 1_000_000;
        add(Time::from_micros(self.set_to + passed), gained)
    }

    /// Returns the first true time, not before `now`, at which the clock shows `time` or later.
    pub(super) fn true_time_of(&self, time: Time, now: Time) -> Time {
        let ahead = i128::from(time.as_micros()) - i128::from(self.set_to);
        let passed = ahead * 1_000_000 / (1_000_000 + i128::from(self.drift));
        let guess = add(Time::from_micros(self.set_at), passed);
        let mut at = guess.max(now);
        while self.read(at) < time {
            at = Time::from_micros(at.as_micros() + 1);
        }
        at
    }
}

fn add(time: Time, micros: i128) -> Time {
    let sum = i128::from(time.as_micros()) + micros;
    Time::from_micros(u64::try_from(sum.max(0)).unwrap_or(u64::MAX))
}
