//! The clocks of hosts: none shows the true time.

use crate::tag::Time;

/// A clock that was set once and runs a little too fast or too slow. It never goes backwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// When it was set, in true time.
    set: u64,
    /// What it showed then.
    showed: u64,
    /// How much faster than true time it runs, in millionths.
    drift: i64,
}

impl Clock {
    pub(super) fn set(now: Time, offset: i64, drift: i32) -> Self {
        Self { set: now.as_micros(), showed: now.as_micros().saturating_add_signed(offset), drift: drift.into() }
    }

    /// What it shows at a true time.
    pub(super) fn shows(&self, now: Time) -> Time {
        let passed = now.as_micros() - self.set;
        let gained = i128::from(passed) * i128::from(self.drift) / 1_000_000;
        Time::from_micros(self.showed + passed).plus(gained)
    }

    /// The first true time, not before `now`, at which it shows `time` or later.
    pub(super) fn when(&self, time: Time, now: Time) -> Time {
        let ahead = i128::from(time.as_micros()) - i128::from(self.showed);
        let passed = ahead * 1_000_000 / (1_000_000 + i128::from(self.drift));
        let guess = Time::from_micros(self.set).plus(passed);
        let mut at = guess.max(now);
        while self.shows(at) < time {
            at = Time::from_micros(at.as_micros() + 1);
        }
        at
    }
}

impl Time {
    fn plus(self, micros: i128) -> Self {
        let sum = i128::from(self.as_micros()) + micros;
        Self::from_micros(u64::try_from(sum.max(0)).unwrap_or(u64::MAX))
    }
}
