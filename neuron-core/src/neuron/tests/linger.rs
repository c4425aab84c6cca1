//! The lamp that goes out a minute after the last movement.

use super::driver::{Driver, ms, now, reading, sensor, stimulus};
use crate::neuron::Config;

fn lamp() -> Driver {
    Driver::alone("lamp", Config::new().threshold(0.9).sensor(sensor("movement"), 1.0).linger(ms(60_000)))
}

#[test]
fn a_neuron_stays_on_for_its_linger_and_not_longer() {
    let mut driver = lamp();
    driver.feed_at(1, "lamp", "movement", 1.0);
    assert_eq!(driver.level_at(5001, "lamp"), 1.0);
    assert_eq!(driver.level_at(65_000, "lamp"), 1.0);
    assert_eq!(driver.level_at(65_001, "lamp"), 0.0);
    assert_eq!(driver.neuron("lamp").wake_at(), None);
}

#[test]
fn a_sum_that_reaches_the_threshold_again_ends_the_linger() {
    let mut driver = lamp();
    driver.feed_at(1, "lamp", "movement", 1.0);
    driver.feed_at(30_000, "lamp", "movement", 1.0);
    assert_eq!(driver.level_at(94_999, "lamp"), 1.0);
    assert_eq!(driver.level_at(95_000, "lamp"), 0.0);
    assert_eq!(driver.counters("lamp").firings, 1);
}

#[test]
fn a_change_below_the_threshold_does_not_prolong_the_linger() {
    let mut driver = lamp();
    driver.feed_at(1, "lamp", "movement", 1.0);
    driver.feed_at(30_000, "lamp", "movement", 0.5);
    assert_eq!(driver.level_at(65_000, "lamp"), 1.0);
    assert_eq!(driver.level_at(65_001, "lamp"), 0.0);
}

#[test]
fn a_neuron_that_was_off_does_not_linger() {
    let mut driver = lamp();
    driver.feed_at(1, "lamp", "movement", 0.5);
    driver.run_to(2);
    driver.stamped("lamp", now(reading("movement", 0.0)));
    assert_eq!(driver.counters("lamp").firings, 0);
    assert_eq!(driver.neuron("lamp").wake_at(), None);
}

#[test]
fn a_stimulus_that_is_ended_lingers_too() {
    let mut driver = lamp();
    driver.stimulate_at(1, "lamp");
    driver.run_to(100);
    driver.stamped("lamp", now(stimulus(0.0)));
    assert_eq!(driver.level_at(60_099, "lamp"), 1.0);
    assert_eq!(driver.level_at(60_100, "lamp"), 0.0);
}
