//! A clock that is set forward by hours.

use super::{
    driver::{Driver, LOSSY, id, ms, stamped_at, stimulus, tag},
    silence::or,
};
use crate::{
    Tag, Value,
    command::{Answer, Command},
    neuron::{Config, Input, WATCH_LEASE},
    signal::SignalBody,
    tag::Time,
};

/// Eight hours in milliseconds.
const STEP: u64 = 8 * 3_600_000;

impl Driver {
    /// Sets the clock of all neurons forward by so many milliseconds.
    fn set_forward(&mut self, millis: u64) {
        self.now = self.now.after(ms(millis));
        let names: Vec<_> = self.neurons.keys().cloned().collect();
        for name in names {
            let now = self.now;
            self.neuron_mut(name.as_str()).clock_stepped(ms(millis), now);
            self.give(&name, Input::Wake);
        }
    }

    fn run_for(&mut self, millis: u64) {
        self.run_until(self.now.after(ms(millis)));
    }
}

/// A neuron whose input `a` is on, and `b` at rest.
fn with_a_level() -> Driver {
    let mut driver = or();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    driver.receive_null("n", "b", 1, tag(10));
    assert_eq!(driver.value("n"), Value::plain(1.0));
    driver
}

#[test]
fn a_level_lasts_for_its_lease_by_the_time_that_has_passed() {
    let mut driver = with_a_level();
    driver.run_to(1000);
    driver.set_forward(STEP);
    driver.run_for(1000);
    assert_eq!((driver.value("n"), driver.counters("n").silences), (Value::plain(1.0), 0));
    // It was heard at 10 ms: lease and patience are over after 2.25 s.
    driver.run_for(300);
    assert_eq!(driver.counters("n").silences, 1);
}

#[test]
fn an_input_that_is_waited_for_is_waited_for_as_long_as_before() {
    let mut driver = or();
    driver.run_to(10);
    driver.stamped("n", stamped_at(tag(10), stimulus(1.0)));
    driver.run_to(100);
    driver.set_forward(STEP);
    driver.run_for(150);
    assert_eq!(driver.counters("n").silences, 0);
    let now = Tag::at(driver.now);
    driver.receive_null("n", "a", 1, now);
    driver.receive_null("n", "b", 1, now);
    driver.run_for(3000);
    assert_eq!((driver.counters("n").silences, driver.value("n").is_degraded()), (0, false));
}

#[test]
fn a_hold_ends_at_its_tag_and_is_not_moved() {
    let mut driver = Driver::network([("x", Config::new()), ("z", Config::new().threshold(0.9).input(id("x"), 1.0))]);
    let stamp = driver.stimulate_at(10, "x");
    driver.run_to(1000);
    driver.set_forward(STEP);
    let answer = driver.ask("z", Command::OutputAt { tag: tag(5009) });
    assert!(matches!(&answer, Ok(Answer::Output(sample)) if sample.level == 1.0), "{answer:?}");
    let answer = driver.ask("z", Command::OutputAt { tag: tag(5010) });
    assert!(matches!(&answer, Ok(Answer::Output(sample)) if sample.level == 0.0), "{answer:?}");
    assert_eq!((driver.level("x"), driver.level("z")), (0.0, 0.0));
    assert_eq!(driver.firings("z"), [stamp.tag]);
    assert_eq!(driver.counters("x").extended, 0);
}

#[test]
fn a_watch_and_a_reservation_last_as_long_as_before() {
    let mut driver = Driver::alone("n", Config::new());
    driver.ask("n", Command::Watch { watch: 7 }).expect("it is watched");
    let ticket = driver.request("n", Command::Reserve);
    driver.set_forward(STEP);
    let at = Tag::at(driver.now);
    let commit = Command::Commit { ticket, at, stimuli: vec![stimulus(1.0)] };
    let answer = driver.ask("n", commit);
    assert!(matches!(&answer, Ok(Answer::Stamped(stamp)) if stamp.tag == at && !stamp.moved), "{answer:?}");
    assert_eq!(driver.changes().len(), 1, "the watch holds");
    driver.run_for(WATCH_LEASE.as_millis() as u64 + 1);
    driver.changes();
    driver.stamped("n", stamped_at(Tag::at(driver.now), stimulus(1.0)));
    assert_eq!(driver.changes(), [], "it has not been renewed");
}

/// What a source of tags far ahead has stated is not believed. Once the clock is set right it is
/// asked for at once, and not after a pause.
#[test]
fn a_source_that_was_not_believed_is_called_at_once() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    let ahead = |driver: &Driver| Tag::at(driver.now.after(ms(STEP)));
    for millis in [10, 1000, 2000, 4000] {
        driver.run_to(millis);
        let (seq, at) = (2, ahead(&driver));
        driver.receive_level("n", "a", seq, at, 1.0);
    }
    assert!(driver.counters("n").ahead > 0);
    driver.run_to(4001);
    driver.sent();
    driver.set_forward(STEP);
    let stream = driver.stream("n", "a");
    assert!(driver.sent_from("n", "a").contains(&SignalBody::Subscribe { stream }));
}

/// A subscriber has asked for tags that were not believed, and has given the neuron up. It is told
/// at once what is known up to the present time.
#[test]
fn a_subscriber_is_told_at_once_what_is_known_up_to_now() {
    let mut driver = Driver::network_over(LOSSY, [("n", Config::new())]);
    let stream = driver.receive_subscription("n", "s");
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    driver.run_to(10);
    let upto = Tag::at(driver.now.after(ms(STEP)));
    driver.receive("n", "s", SignalBody::Probe { stream, upto });
    assert_eq!(driver.counters("n").ahead, 1);
    driver.sent();
    driver.set_forward(STEP);
    let now = Tag::at(driver.now);
    let told = SignalBody::Nothing { stream, after: 1, upto: now, wave: false };
    assert_eq!(driver.sent_from("n", "s"), [told]);
}

/// A caller that knows nothing of the step passes a later time to the next turn.
#[test]
fn a_turn_hours_later_takes_no_silent_input_for_dead() {
    let mut driver = with_a_level();
    driver.run_to(1000);
    driver.now = driver.now.after(ms(STEP));
    driver.run_for(1);
    assert_eq!((driver.value("n"), driver.counters("n").silences), (Value::plain(1.0), 0));
}

#[test]
fn a_clock_that_begins_in_1970_may_be_set_right() {
    let mut driver = Driver::network([("x", Config::new()), ("z", Config::new().threshold(0.9).input(id("x"), 1.0))]);
    driver.stimulate_at(10, "x");
    driver.run_to(20);
    let years = Time::from_micros(1_800_000_000_000_000);
    driver.set_forward(years.since(driver.now).as_millis() as u64);
    driver.run_for(1000);
    let stamp = driver.stamped("x", stamped_at(Tag::at(driver.now), stimulus(1.0)));
    assert!(stamp.tag >= Tag::at(years.before(ms(1))), "{stamp:?}");
    assert_eq!(driver.level("z"), 1.0);
    assert_eq!((driver.counters("z").silences, driver.counters("z").degraded), (0, 0));
}
