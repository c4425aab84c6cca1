//! The broker's clock, as seen from here.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait for an echo before another one is sent.
const ECHO_TIMEOUT: Duration = Duration::from_secs(5);

/// An estimate of the broker's clock: what it showed at one instant.
///
/// The broker's clock may drift, and may be set. If it is set forward, messages seem to come from
/// the future, which corrects the estimate at once. If it is set back, messages seem to be old. So
/// before a message is taken for old, the estimate is checked with an echo: a message to the broker
/// that comes back with the broker's time.
///
/// Use it in this order for each message: [`age`](Self::age); if
/// [`start_check`](Self::start_check) says so, send an echo; once that comes back,
/// [`on_echo`](Self::on_echo).
#[derive(Debug)]
pub(crate) struct BrokerClock {
    /// What the broker's clock showed, in nanoseconds since 1970.
    broker_time: i128,
    /// When it showed that, by the local clock.
    local_time: Instant,
    /// When the last echo was sent, if it has not come back.
    echo_sent: Option<Instant>,
}

impl BrokerClock {
    pub(crate) fn new(broker_time: i128, local_time: Instant) -> Self {
        Self { broker_time, local_time, echo_sent: None }
    }

    /// Measures how long ago a message came to the broker, in nanoseconds; at least 0.
    ///
    /// `sent` is the broker's time of the message. If it lies ahead of the estimate, the estimate
    /// is corrected.
    pub(crate) fn measure_age(&mut self, sent: i128, now: Instant) -> i128 {
        let elapsed = now.saturating_duration_since(self.local_time).as_nanos().cast_signed();
        let age = self.broker_time.saturating_add(elapsed).saturating_sub(sent);
        if age < 0 {
            self.set(sent, now);
        }
        age.max(0)
    }

    /// Returns whether to send an echo now, because a message of this age may only seem old; then
    /// it counts as sent.
    ///
    /// A message is suspicious from half of the lifetime on, so that a clock that drifts is
    /// corrected before it makes a message expire. One echo is under way at a time, for up to
    /// [`ECHO_TIMEOUT`].
    pub(crate) fn start_check(&mut self, age: i128, lifetime: i128, now: Instant) -> bool {
        let is_waiting = self.echo_sent.is_some_and(|sent| now.saturating_duration_since(sent) < ECHO_TIMEOUT);
        if is_waiting || age <= lifetime / 2 {
            return false;
        }
        self.echo_sent = Some(now);
        true
    }

    /// Corrects the estimate by an echo that has come back: it was at the broker no earlier than it
    /// left here.
    pub(crate) fn on_echo(&mut self, sent: i128) {
        if let Some(local) = self.echo_sent.take() {
            self.set(sent, local);
        }
    }

    fn set(&mut self, broker_time: i128, local_time: Instant) {
        self.broker_time = broker_time;
        self.local_time = local_time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;
    const LIFETIME: i128 = 2 * SECOND;
    /// What the broker's clock shows at first.
    const THEN: i128 = 1_700_000_000 * SECOND;

    fn clock() -> (BrokerClock, impl Fn(u64) -> Instant) {
        let begin = Instant::now();
        (BrokerClock::new(THEN, begin), move |seconds| begin + Duration::from_secs(seconds))
    }

    #[test]
    fn the_age_of_a_message_is_the_time_that_it_has_waited() {
        let (mut clock, at) = clock();
        assert_eq!(clock.measure_age(THEN + 7 * SECOND, at(10)), 3 * SECOND);
        // One echo is sent, and it changes nothing.
        assert!(clock.start_check(3 * SECOND, LIFETIME, at(10)) && !clock.start_check(3 * SECOND, LIFETIME, at(11)));
        clock.on_echo(THEN + 10 * SECOND);
        assert_eq!(clock.measure_age(THEN + 7 * SECOND, at(10)), 3 * SECOND);
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed_after_an_echo() {
        let (mut clock, at) = clock();
        let hour = 3600 * SECOND;
        let age = clock.measure_age(THEN + 10 * SECOND - hour, at(10));
        assert_eq!(age, hour);
        assert!(clock.start_check(age, LIFETIME, at(10)));
        clock.on_echo(THEN + 10 * SECOND - hour);
        assert_eq!(clock.measure_age(THEN + 11 * SECOND - hour, at(11)), 0);
    }

    #[test]
    fn a_clock_that_is_set_forward_makes_nothing_older() {
        let (mut clock, at) = clock();
        let hour = 3600 * SECOND;
        assert_eq!(clock.measure_age(THEN + 10 * SECOND + hour, at(10)), 0);
        assert_eq!(clock.measure_age(THEN + 10 * SECOND + hour, at(13)), 3 * SECOND);
    }

    #[test]
    fn a_clock_that_drifts_is_corrected_before_a_message_expires() {
        let (mut clock, at) = clock();
        // It loses a second in ten, and a message comes every second.
        for second in 1..1000 {
            let sent = THEN + i128::from(second) * SECOND * 9 / 10;
            let age = clock.measure_age(sent, at(second));
            assert!(age <= LIFETIME, "{age} ns after {second} s");
            if clock.start_check(age, LIFETIME, at(second)) {
                clock.on_echo(sent);
            }
        }
    }

    #[test]
    fn a_lost_echo_is_sent_again() {
        let (mut clock, at) = clock();
        assert!(clock.start_check(LIFETIME, LIFETIME, at(10)));
        assert!(!clock.start_check(LIFETIME, LIFETIME, at(14)) && clock.start_check(LIFETIME, LIFETIME, at(15)));
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let (mut clock, at) = clock();
        assert_eq!(clock.measure_age(i128::MAX, at(1)), 0);
        assert!(clock.measure_age(i128::MIN, at(2)) > LIFETIME);
    }
}
