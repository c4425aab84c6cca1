//! The one place that reads the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::tag::Time;

/// A clock that shows the time of day when it is made, and from then on never jumps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    anchor: Instant,
    shown: Time,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { anchor: read(), shown: Time::ZERO.after(since_epoch) }
    }

    pub(crate) fn now(&self) -> Time {
        self.shown.after(read() - self.anchor)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn read() -> Instant {
    Instant::now()
}
