//! The broker's clock, as seen from here.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait for the answer to what was asked, before it is asked again.
const ASKING: Duration = Duration::from_secs(5);

/// The broker's clock: what it said at a moment. It may drift, and somebody may set it; so what seems old is looked into, by
/// something that is sent to the broker and comes back with its time.
///
/// Whoever reads asks for the age of each message; if the age is [doubtful](Clock::is_doubtful), it sends something, and tells
/// when it has [come back](Clock::came_back).
#[derive(Debug)]
pub(crate) struct Clock {
    /// Nanoseconds of the broker's clock at a moment,
    then: i128,
    /// which was this one here.
    at: Instant,
    /// When something was sent that has not come back.
    asked: Option<Instant>,
}

impl Clock {
    pub(crate) fn new(then: i128, at: Instant) -> Self {
        Self { then, at, asked: None }
    }

    /// How long ago something came to the broker, in nanoseconds. What comes from later than now tells that its clock has been
    /// set forward.
    pub(crate) fn age(&mut self, sent: i128, now: Instant) -> i128 {
        let elapsed = now.saturating_duration_since(self.at).as_nanos().cast_signed();
        let age = self.then.saturating_add(elapsed).saturating_sub(sent);
        if age < 0 {
            (self.then, self.at) = (sent, now);
        }
        age.max(0)
    }

    /// Whether something is to be sent to find out what time it is at the broker, because of something so old that its clock may
    /// have been set back. Half of what messages are worth is old enough: a clock that drifts is found out before it costs one.
    pub(crate) fn is_doubtful(&mut self, age: i128, lifetime: i128, now: Instant) -> bool {
        let waits = self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < ASKING);
        if waits || age <= lifetime / 2 {
            return false;
        }
        self.asked = Some(now);
        true
    }

    /// What was sent has come back: it was at the broker no earlier than it left.
    pub(crate) fn came_back(&mut self, sent: i128) {
        if let Some(asked) = self.asked.take() {
            (self.then, self.at) = (sent, asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;
    const LIFETIME: i128 = 2 * SECOND;
    /// What the broker's clock says at first.
    const THEN: i128 = 1_700_000_000 * SECOND;

    fn clock() -> (Clock, impl Fn(u64) -> Instant) {
        let begin = Instant::now();
        (Clock::new(THEN, begin), move |seconds| begin + Duration::from_secs(seconds))
    }

    #[test]
    fn what_has_waited_is_as_old_as_that() {
        let (mut clock, at) = clock();
        assert_eq!(clock.age(THEN + 7 * SECOND, at(10)), 3 * SECOND);
        // It is asked for once, and the answer changes nothing.
        assert!(clock.is_doubtful(3 * SECOND, LIFETIME, at(10)) && !clock.is_doubtful(3 * SECOND, LIFETIME, at(11)));
        clock.came_back(THEN + 10 * SECOND);
        assert_eq!(clock.age(THEN + 7 * SECOND, at(10)), 3 * SECOND);
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed_as_soon_as_it_has_answered() {
        let (mut clock, at) = clock();
        let hour = 3600 * SECOND;
        let age = clock.age(THEN + 10 * SECOND - hour, at(10));
        assert_eq!(age, hour);
        assert!(clock.is_doubtful(age, LIFETIME, at(10)));
        clock.came_back(THEN + 10 * SECOND - hour);
        assert_eq!(clock.age(THEN + 11 * SECOND - hour, at(11)), 0);
    }

    #[test]
    fn a_clock_that_is_set_forward_makes_nothing_older() {
        let (mut clock, at) = clock();
        let hour = 3600 * SECOND;
        assert_eq!(clock.age(THEN + 10 * SECOND + hour, at(10)), 0);
        assert_eq!(clock.age(THEN + 10 * SECOND + hour, at(13)), 3 * SECOND);
    }

    #[test]
    fn a_clock_that_drifts_is_found_out_before_anything_seems_too_old() {
        let (mut clock, at) = clock();
        // It loses a second in ten, and something comes every second.
        for second in 1..1000 {
            let sent = THEN + i128::from(second) * SECOND * 9 / 10;
            let age = clock.age(sent, at(second));
            assert!(age <= LIFETIME, "{age} ns after {second} s");
            if clock.is_doubtful(age, LIFETIME, at(second)) {
                clock.came_back(sent);
            }
        }
    }

    #[test]
    fn an_answer_that_does_not_come_is_asked_for_again() {
        let (mut clock, at) = clock();
        assert!(clock.is_doubtful(LIFETIME, LIFETIME, at(10)));
        assert!(!clock.is_doubtful(LIFETIME, LIFETIME, at(14)) && clock.is_doubtful(LIFETIME, LIFETIME, at(15)));
    }

    #[test]
    fn numbers_beyond_all_measure_are_survived() {
        let (mut clock, at) = clock();
        assert_eq!(clock.age(i128::MAX, at(1)), 0);
        assert!(clock.age(i128::MIN, at(2)) > LIFETIME);
    }
}
