//! Neurons that fire for an instant.

use super::driver::{Driver, id, ms, now, sensor, stimulus, tag};
use crate::{
    neuron::{Config, Rule},
    record::Event,
};

/// A pulse neuron with the sensors `s` and `brake`.
fn pulse(threshold: f64) -> Driver {
    let rule = Rule::Pulse { window: Rule::WINDOW, refractory: Rule::REFRACTORY };
    let config = Config::new().threshold(threshold).rule(rule);
    Driver::alone("n", config.sensor(sensor("s"), 1.0).sensor(sensor("brake"), -1.0))
}

#[test]
fn two_kicks_of_one_source_add_up() {
    let mut driver = pulse(2.0);
    driver.feed_at(1, "n", "s", 1.0);
    assert_eq!(driver.level_at(399, "n"), 0.0);
    driver.feed_at(400, "n", "s", 1.0);
    assert_eq!(driver.firings("n"), [tag(400)]);
}

#[test]
fn the_level_is_1_during_the_refractory_period_and_0_after() {
    let mut driver = pulse(1.0);
    driver.feed_at(1, "n", "s", 1.0);
    assert_eq!(driver.level_at(100, "n"), 1.0);
    assert_eq!(driver.level_at(101, "n"), 0.0);
    assert_eq!(driver.level_at(10_000, "n"), 0.0);
}

#[test]
fn a_kick_counts_inside_the_window_and_not_at_its_end() {
    for (second, expected) in [(500, vec![tag(500)]), (501, vec![])] {
        let mut driver = pulse(2.0);
        driver.feed_at(1, "n", "s", 1.0);
        driver.feed_at(second, "n", "s", 1.0);
        assert_eq!(driver.firings("n"), expected);
    }
}

#[test]
fn a_kick_inside_the_refractory_period_is_ignored() {
    let mut driver = pulse(1.0);
    driver.feed_at(1, "n", "s", 1.0);
    driver.feed_at(50, "n", "s", 1.0);
    driver.feed_at(100, "n", "s", 1.0);
    assert_eq!(driver.level_at(200, "n"), 0.0);
    driver.feed_at(200, "n", "s", 1.0);
    assert_eq!(driver.firings("n"), [tag(1), tag(200)]);
}

#[test]
fn a_kick_that_was_ignored_does_not_count_later() {
    let mut driver = pulse(2.0);
    driver.feed_at(1, "n", "s", 2.0);
    driver.feed_at(50, "n", "s", 1.0);
    driver.feed_at(150, "n", "s", 1.0);
    assert_eq!(driver.firings("n"), [tag(1)]);
}

#[test]
fn firing_uses_the_kicks_up() {
    let mut driver = pulse(2.0);
    driver.feed_at(1, "n", "s", 1.0);
    driver.feed_at(2, "n", "s", 1.0);
    driver.feed_at(200, "n", "s", 1.0);
    assert_eq!(driver.firings("n"), [tag(2)]);
    driver.feed_at(201, "n", "s", 1.0);
    assert_eq!(driver.firings("n"), [tag(2), tag(201)]);
}

#[test]
fn an_explicit_0_takes_back_the_kicks() {
    let mut driver = pulse(2.0);
    driver.feed_at(1, "n", "s", 1.0);
    driver.run_to(2);
    driver.stamped("n", now(stimulus(0.0)));
    driver.feed_at(3, "n", "s", 1.0);
    assert_eq!(driver.firings("n"), []);
}

#[test]
fn an_explicit_0_ends_the_refractory_period() {
    let mut driver = pulse(1.0);
    driver.feed_at(1, "n", "s", 1.0);
    driver.run_to(10);
    driver.stamped("n", now(stimulus(0.0)));
    assert_eq!(driver.level("n"), 0.0);
    driver.feed_at(20, "n", "s", 1.0);
    assert_eq!(driver.firings("n"), [tag(1), tag(20)]);
    // The end of the first period, at 101, does not end the second one.
    assert_eq!(driver.level_at(119, "n"), 1.0);
    assert_eq!(driver.level_at(120, "n"), 0.0);
}

#[test]
fn a_reading_of_0_is_not_a_kick() {
    let mut driver = pulse(0.0);
    driver.feed_at(1, "n", "s", 0.0);
    assert_eq!(driver.firings("n"), []);
}

#[test]
fn it_never_fires_because_a_kick_expires() {
    let mut driver = pulse(2.0);
    driver.feed_at(1, "n", "brake", 1.0);
    driver.feed_at(400, "n", "s", 1.0);
    driver.feed_at(401, "n", "s", 1.0);
    // At 501 the brake has expired; the sum is 2 until 900.
    assert_eq!(driver.level_at(899, "n"), 0.0);
    assert_eq!(driver.firings("n"), []);
}

#[test]
fn a_stimulus_fires_for_an_instant() {
    let mut driver = pulse(2.0);
    driver.stimulate_at(1, "n");
    assert_eq!(driver.level_at(100, "n"), 1.0);
    assert_eq!(driver.level_at(101, "n"), 0.0);
    assert_eq!(driver.firings("n"), [tag(1)]);
}

#[test]
fn the_rise_of_an_input_is_a_kick_and_its_level_is_not() {
    let rule = Rule::Pulse { window: ms(500), refractory: ms(100) };
    let config = Config::new().threshold(2.0).rule(rule).input(id("x"), 1.0).sensor(sensor("s"), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("n", config)]);
    driver.stimulate_at(1, "x");
    driver.stimulate_at(100, "x");
    driver.feed_at(501, "n", "s", 1.0);
    assert_eq!(driver.level_at(1000, "n"), 0.0);
    driver.stimulate_at(10_000, "x");
    driver.feed_at(10_001, "n", "s", 1.0);
    driver.run_to(10_010);
    assert_eq!(driver.firings("n"), [tag(10_001)]);
}

#[test]
fn too_many_kicks_reset_the_memory() {
    const KICKS: u64 = 4097;
    let mut driver = pulse(1e9);
    for _ in 0..KICKS {
        driver.feed_at(1, "n", "s", 1.0);
    }
    driver.run_to(2);
    assert_eq!(driver.counters("n").superseded, 1);
    let forgotten = driver.stamped_by("n").iter().filter(|(_, event)| *event == Event::ResetMemory).count();
    assert_eq!(forgotten, 1, "the record says so, and what it answers follows from the record");
    assert!(driver.value("n").missing.is_empty());
}
