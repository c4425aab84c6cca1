//! The one place that reads the clock.
//!
//! Why: docs/decisions/0051-a-clock-that-is-set-forward-is-followed.md

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::tag::Time;

/// By how much the time of day must differ from the host's before the host takes notice. A service
/// that keeps a clock right sets it at once only if it is off by more than a fraction of a second.
const NOTICED: Duration = Duration::from_secs(1);

/// How often the time of day is compared with the host's.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Where the time of day comes from: the system's clock, or what a program has set in its place.
#[derive(Clone)]
pub(super) struct TimeOfDay(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl TimeOfDay {
    /// Reads the time of day by calling `read`.
    pub(super) fn new(read: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Returns the time of day; 1970 if the clock stands before that.
    pub(super) fn read(&self) -> Time {
        Time::ZERO.after((self.0)().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl Default for TimeOfDay {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimeOfDay")
    }
}

/// The clock of a host. It shows the time of day when it is started, runs on evenly, and moves
/// forward when the time of day is set forward. It never goes backwards. Clones are one clock.
///
/// It shows two times: [`now`](Self::now), from which tags are made, and [`steady`](Self::steady),
/// which is not moved, and by which waiting is measured.
#[derive(Clone, Debug)]
pub(super) struct Clock(Arc<State>);

#[derive(Debug)]
struct State {
    time_of_day: TimeOfDay,
    /// When the clock was started.
    start: Instant,
    /// The time of day at `start`.
    anchor: Time,
    /// By how many microseconds it has been moved forward since.
    forward: AtomicU64,
    /// By how many microseconds the time of day was behind when that was noticed last.
    behind: AtomicU64,
}

/// What has become of the time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockChange {
    /// It was set forward by this much, and the clock has followed.
    Forward(Duration),
    /// It was set back by this much, which the clock does not follow. It is `behind` the clock in
    /// all.
    Back {
        /// By how much it was set back.
        by: Duration,
        /// By how much it is behind the clock.
        behind: Duration,
    },
}

impl Clock {
    /// Returns a clock that is set to the time of day.
    pub(super) fn start(time_of_day: TimeOfDay) -> Self {
        let anchor = time_of_day.read();
        let (forward, behind) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(State { time_of_day, start: read(), anchor, forward, behind }))
    }

    /// Returns the present time.
    pub(super) fn now(&self) -> Time {
        self.steady().after(self.forward())
    }

    /// Returns the time that has passed since 1970 if the clock was right at its start: it is not
    /// moved when the time of day is set.
    pub(super) fn steady(&self) -> Time {
        self.0.anchor.after(read() - self.0.start)
    }

    /// Returns by how much the clock has been moved forward since its start.
    pub(super) fn forward(&self) -> Duration {
        Duration::from_micros(self.forward_micros())
    }

    /// Returns the same in microseconds.
    pub(super) fn forward_micros(&self) -> u64 {
        self.0.forward.load(Ordering::Acquire)
    }

    /// Compares the clock with the time of day, and moves it forward if that was set forward.
    /// `None` means that the time of day has not been set since the last call. To be called by one
    /// task only.
    pub(super) fn follow(&self) -> Option<ClockChange> {
        // Read first: if the process is held up between the two, the host must not run ahead.
        let time_of_day = self.0.time_of_day.read();
        self.compare(self.now(), time_of_day)
    }

    fn compare(&self, now: Time, time_of_day: Time) -> Option<ClockChange> {
        let ahead = time_of_day.since(now);
        if ahead >= NOTICED {
            self.0.forward.fetch_add(ahead.as_micros() as u64, Ordering::AcqRel);
            self.0.behind.store(0, Ordering::Relaxed);
            return Some(ClockChange::Forward(ahead));
        }
        let behind = now.since(time_of_day);
        let known = Duration::from_micros(self.0.behind.load(Ordering::Relaxed));
        let is_set = behind.abs_diff(known) >= NOTICED;
        if is_set {
            self.0.behind.store(behind.as_micros() as u64, Ordering::Relaxed);
        }
        let by = behind.saturating_sub(known);
        (is_set && by >= NOTICED).then_some(ClockChange::Back { by, behind })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn read() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn day(day: u64) -> Time {
        Time::from_micros(day * 86_400_000_000)
    }

    fn clock_at(time: Time) -> Clock {
        Clock::start(TimeOfDay::new(move || UNIX_EPOCH + Duration::from_micros(time.as_micros())))
    }

    #[test]
    fn a_clock_that_is_set_forward_is_followed_and_that_is_told_once() {
        let clock = clock_at(day(100));
        let now = clock.now();
        assert_eq!(clock.compare(now, now), None);
        assert_eq!(clock.compare(now, now.after(HOUR * 8)), Some(ClockChange::Forward(HOUR * 8)));
        assert!(clock.now() >= now.after(HOUR * 8));
        assert!(clock.steady() < now.after(HOUR));
        assert_eq!(clock.compare(clock.now(), now.after(HOUR * 8)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_is_not_followed_and_that_is_told_once() {
        let clock = clock_at(day(100));
        let now = clock.now();
        let back = Some(ClockChange::Back { by: HOUR, behind: HOUR });
        assert_eq!(clock.compare(now, now.before(HOUR)), back);
        assert_eq!(clock.compare(now, now.before(HOUR)), None);
        let further = Some(ClockChange::Back { by: HOUR * 2, behind: HOUR * 3 });
        assert_eq!(clock.compare(now, now.before(HOUR * 3)), further);
        assert!(clock.now() >= now);
    }

    #[test]
    fn a_clock_that_is_set_back_and_right_again_is_told_the_next_time() {
        let clock = clock_at(day(100));
        let now = clock.now();
        let back = Some(ClockChange::Back { by: HOUR, behind: HOUR });
        assert_eq!(clock.compare(now, now.before(HOUR)), back);
        assert_eq!(clock.compare(now, now), None);
        assert_eq!(clock.compare(now, now.before(HOUR)), back);
    }

    #[test]
    fn a_clock_that_drifts_by_less_than_a_second_is_let_run() {
        let clock = clock_at(day(100));
        let now = clock.now();
        assert_eq!(clock.compare(now, now.after(NOTICED - Duration::from_millis(1))), None);
        assert_eq!(clock.compare(now, now.before(NOTICED - Duration::from_millis(1))), None);
        assert!(clock.now() < now.after(HOUR));
    }

    #[test]
    fn a_clock_before_1970_shows_1970() {
        let clock = Clock::start(TimeOfDay::new(|| UNIX_EPOCH - HOUR));
        assert!(clock.now() < Time::ZERO.after(HOUR));
    }
}
