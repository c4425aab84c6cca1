//! Everything that is due at one tag happens at that tag: ends, readings, stimuli and changes.

use super::driver::{Driver, id, ms, now, reading, sensor, stimulus, tag};
use crate::{
    Tag,
    command::{Command, ConfigChange, Stimulus},
    neuron::{Config, Rule},
    record::{Event, TimedState},
    signal::SignalBody,
};

/// Returns a neuron with the sensors `plus`, of weight 1, and `minus`, of weight -1.
fn lamp() -> Config {
    Config::new().threshold(0.5).hold(ms(100)).sensor(sensor("plus"), 1.0).sensor(sensor("minus"), -1.0)
}

/// Returns the command for a stimulus or a reading that waits for the end of its window.
fn in_window(at: u64, stimulus: Stimulus) -> Command {
    Command::Stimulate { stimulus, at: Some(tag(at)), within: ms(100) }
}

/// Returns the tags at which a neuron has stamped the end of such states.
fn ends(driver: &Driver, name: &str, such: impl Fn(&TimedState) -> bool) -> Vec<Tag> {
    let stamped = driver.stamped_by(name).into_iter();
    let ends = stamped.filter(|(_, event)| matches!(event, Event::Expired { what, .. } if such(what)));
    ends.map(|(tag, _)| tag).collect()
}

#[test]
fn two_readings_that_end_at_one_tag_end_together() {
    for linger in [ms(0), ms(300)] {
        let mut driver = Driver::alone("lamp", lamp().linger(linger));
        driver.run_to(10);
        driver.stamped("lamp", in_window(20, reading("minus", 1.0)));
        driver.stamped("lamp", in_window(20, reading("plus", 1.0)));
        assert_eq!(driver.level_at(200, "lamp"), 0.0);
        assert_eq!(ends(&driver, "lamp", |_| true), [tag(120), tag(120)]);
        assert!(driver.firings("lamp").is_empty(), "linger {linger:?}");
    }
}

#[test]
fn a_stimulus_and_a_reading_that_end_at_one_tag_end_together() {
    let config = Config::new().threshold(-0.5).hold(ms(100)).sensor(sensor("a"), -1.0);
    let mut driver = Driver::alone("n", config);
    driver.run_to(10);
    driver.stamped("n", in_window(20, stimulus(1.0)));
    driver.stamped("n", in_window(20, reading("a", 1.0)));
    driver.run_to(300);
    // It fires without input, so it never stops.
    assert_eq!(driver.firings("n").len(), 1);
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn a_reading_that_comes_when_another_ends_does_not_meet_it() {
    let both = Config::new().threshold(1.5).hold(ms(100)).sensor(sensor("a"), 1.0).sensor(sensor("b"), 1.0);
    let mut driver = Driver::alone("both", both);
    driver.run_to(10);
    driver.stamped("both", in_window(20, reading("a", 1.0)));
    driver.run_to(110);
    driver.stamped("both", in_window(120, reading("b", 1.0)));
    driver.run_to(300);
    assert!(driver.firings("both").is_empty());
}

#[test]
fn a_reading_that_waits_for_its_window_does_not_prolong_the_one_before() {
    let mut driver = Driver::alone("n", Config::new().threshold(1.0).hold(ms(100)).sensor(sensor("s"), 1.0));
    driver.run_to(10);
    driver.stamped("n", now(reading("s", 1.0)));
    driver.run_to(108);
    driver.stamped("n", in_window(115, reading("s", 1.0)));
    assert_eq!(driver.level_at(109, "n"), 1.0);
    assert_eq!(driver.level_at(110, "n"), 0.0);
    assert_eq!(driver.level_at(115, "n"), 1.0);
    assert_eq!(driver.firings("n"), [tag(10), tag(115)]);
}

#[test]
fn members_of_a_wave_end_together_whatever_else_ends_at_one_of_them() {
    let join = Config::new().threshold(0.5).input(id("x"), 1.0).input(id("y"), -1.0);
    let held = Config::new().hold(ms(100));
    let mut driver =
        Driver::network([("x", held.clone().threshold(5.0).sensor(sensor("s"), 1.0)), ("y", held), ("n", join)]);
    driver.run_to(10);
    let at = driver.present(&[("x", 1.0), ("y", 1.0)]);
    assert_eq!(at, tag(10));
    driver.run_to(60);
    driver.stamped("x", now(Stimulus { hold: Some(ms(50)), ..reading("s", 1.0) }));
    driver.run_to(300);
    for name in ["x", "y"] {
        assert_eq!(ends(&driver, name, |what| *what == TimedState::Stimulus), [at.after(ms(100))], "{name}");
    }
    assert!(driver.firings("n").is_empty());
}

#[test]
fn a_reading_that_waits_for_its_window_does_not_delay_an_end() {
    let mut driver = Driver::alone("n", Config::new().threshold(1.0).sensor(sensor("s"), 0.0));
    driver.run_to(10);
    driver.stamped("n", now(Stimulus { hold: Some(ms(50)), ..stimulus(1.0) }));
    driver.stamped("n", in_window(108, reading("s", 0.0)));
    assert_eq!(driver.level_at(59, "n"), 1.0);
    assert_eq!(driver.level_at(60, "n"), 0.0);
    assert_eq!(ends(&driver, "n", |_| true), [tag(60)]);
}

#[test]
fn a_change_within_a_window_does_not_split_it() {
    let config = Config::new().threshold(9.0).sensor(sensor("a"), 1.0).sensor(sensor("b"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.run_to(10);
    assert_eq!(driver.stamped("n", in_window(20, reading("a", 1.0))).tag, tag(20));
    driver.run_to(12);
    let change = Command::Configure(ConfigChange::SetThreshold { threshold: 1.5 });
    assert_eq!(driver.stamped("n", change).tag, tag(12));
    driver.run_to(14);
    let stamp = driver.stamped("n", in_window(20, reading("b", 1.0)));
    assert_eq!((stamp.tag, stamp.moved), (tag(20), false));
    driver.run_to(20);
    assert_eq!(driver.firings("n"), [tag(20)]);
}

#[test]
fn commands_take_effect_in_the_order_in_which_they_came() {
    let mut driver = Driver::alone("n", Config::new().threshold(1.0));
    driver.run_to(10);
    let mut last = Tag::ORIGIN;
    for threshold in [2.0, -1.0, 3.0] {
        let stamp = driver.stamped("n", Command::Configure(ConfigChange::SetThreshold { threshold }));
        assert!(stamp.tag > last, "{} after {last}", stamp.tag);
        last = stamp.tag;
    }
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.firings("n").len(), 1);
}

#[test]
fn a_hold_of_no_time_ends_at_the_next_tag() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let stamp = driver.stamped("n", now(Stimulus { hold: Some(ms(0)), ..stimulus(1.0) }));
    assert_eq!(driver.level_at(11, "n"), 0.0);
    assert_eq!(driver.firings("n"), [stamp.tag]);
    assert_eq!(ends(&driver, "n", |_| true), [stamp.tag.next()]);
}

#[test]
fn an_end_that_is_near_has_its_tag_though_a_clock_that_is_ahead_asks_beyond_it() {
    let mut driver = Driver::alone("n", Config::new().hold(ms(1000)));
    driver.run_to(10);
    let stream = driver.receive_subscription("n", "ahead");
    let began = driver.stamped("n", now(stimulus(1.0))).tag;
    driver.run_to(900);
    driver.receive("n", "ahead", SignalBody::Probe { stream, upto: tag(1100) });
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(ends(&driver, "n", |_| true), [began.after(ms(1000))]);
    assert_eq!(driver.neuron("n").complete_through(), tag(1100));
    assert_eq!(driver.counters("n").extended, 0);
}

#[test]
fn an_end_that_is_near_has_its_tag_though_a_wave_beyond_it_is_passed_on() {
    let config = Config::new().hold(ms(1000)).input(id("ahead"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.receive_level("n", "ahead", 1, Tag::FIRST, 0.0);
    driver.receive_subscription("n", "z");
    let began = driver.stimulate_at(10, "n").tag;
    driver.receive_null("n", "ahead", 1, began);
    driver.run_to(1000);
    driver.sent();
    let stream = driver.stream("n", "ahead");
    driver.receive("n", "ahead", SignalBody::Nothing { stream, after: 1, upto: tag(1020), wave: true });
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(ends(&driver, "n", |_| true), [began.after(ms(1000))]);
    assert_eq!(driver.counters("n").extended, 0);
    let told = driver.sent_from("n", "z");
    let passes_on = |body: &SignalBody| matches!(body, SignalBody::Nothing { upto, .. } if *upto == tag(1020));
    assert!(told.iter().any(passes_on), "{told:?}");
}

#[test]
fn a_clock_far_ahead_does_not_end_a_hold_but_moves_its_end_which_is_counted() {
    let mut driver = Driver::alone("n", Config::new().hold(ms(1000)));
    driver.run_to(10);
    let stream = driver.receive_subscription("n", "ahead");
    driver.stamped("n", now(stimulus(1.0)));
    driver.run_to(410);
    driver.receive("n", "ahead", SignalBody::Probe { stream, upto: tag(60_000) });
    assert_eq!(driver.neuron("n").complete_through(), tag(60_000));
    assert_eq!(driver.counters("n").extended, 1);
    assert_eq!(driver.level_at(1009, "n"), 1.0);
    assert_eq!(driver.level_at(1010, "n"), 0.0);
    assert_eq!(ends(&driver, "n", |_| true), [tag(60_600)]);
}

#[test]
fn the_order_of_readings_in_a_window_does_not_matter_to_a_sum_of_kicks() {
    // In floating point the sum depends on the order of its terms: in the order of the names of the
    // sensors it is 0, so the neuron does not fire.
    let weights = [("a", 1e16), ("b", 1.0), ("c", -1e16)];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let fired = orders.map(|order| {
        let rule = Rule::Pulse { window: ms(100), refractory: ms(10) };
        let config = weights.iter().fold(Config::new().threshold(1.0).rule(rule), |config, (name, weight)| {
            config.sensor(sensor(name), *weight)
        });
        let mut driver = Driver::alone("n", config);
        driver.run_to(10);
        for index in order {
            driver.stamped("n", in_window(20, reading(weights[index].0, 1.0)));
        }
        driver.run_to(30);
        driver.firings("n").len()
    });
    assert_eq!(fired, [0; 6]);
}
