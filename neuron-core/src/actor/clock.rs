//! The one place that reads the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::tag::Time;

/// A clock that shows the time of day when it is started, and is monotonic from then on: it does
/// not follow later corrections of the system's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// When the clock was started.
    start: Instant,
    /// The time of day at `start`.
    anchor: Time,
}

impl Clock {
    /// Returns a clock that is set to the time of day; to 1970 if the system's clock stands before
    /// that.
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: read(), anchor: Time::ZERO.after(since_epoch) }
    }

    /// Returns the present time.
    pub(super) fn now(&self) -> Time {
        self.anchor.after(read() - self.start)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn read() -> Instant {
    Instant::now()
}
