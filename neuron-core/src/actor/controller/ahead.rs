//! Tags that lie ahead of the controller's clock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    id::ControllerId,
    tag::{Tag, Time},
};

/// A tag further ahead of the clock than this is logged.
const FAR: Duration = Duration::from_secs(10);

/// Logs waves and changes whose tags lie far ahead of the clock.
#[derive(Debug, Default)]
pub(super) struct AheadLog {
    /// How many there were.
    count: AtomicU64,
}

impl AheadLog {
    /// Returns how far a tag lies ahead of the clock, and logs it if that is far.
    pub(super) fn note(&self, tag: Tag, now: Time, controller: &ControllerId) -> Duration {
        let ahead = tag.time().since(now);
        // Each of many is counted, and few are logged.
        if ahead > FAR && (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two() {
            tracing::warn!(%controller, %tag, ?ahead, "a tag lies far ahead of the clock: is a clock wrong?");
        }
        ahead
    }
}
