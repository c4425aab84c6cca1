//! How long readings count, and what the silence of a sensor means.

use super::driver::{Driver, id, missing, ms, now, reading, sensor, stimulus};
use crate::{
    Value,
    command::{Command, ConfigChange, Stimulus},
    id::Source,
    neuron::{Config, Rule, Sensor, WhenSilent},
};

const UNKNOWN: WhenSilent = WhenSilent::Unknown;

/// Returns a neuron that fires while the sensor `t` shows at least 1.
fn thermostat(attached: Sensor) -> Config {
    Config::new().threshold(1.0).sensor_with(sensor("t"), attached)
}

fn unknown(from: &str) -> Stimulus {
    Stimulus { level: None, ..reading(from, 0.0) }
}

fn lacking<const N: usize>(names: [&str; N]) -> Value {
    Value { level: 0.0, missing: missing(names) }
}

#[test]
fn a_reading_counts_for_the_hold_of_its_sensor() {
    let config = thermostat(Sensor::new(1.0).hold(ms(60_000))).sensor(sensor("other"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.feed_at(10, "n", "t", 1.0);
    assert_eq!(driver.level_at(60_009, "n"), 1.0);
    assert_eq!(driver.level_at(60_010, "n"), 0.0);
    driver.feed_at(70_000, "n", "other", 1.0);
    assert_eq!(driver.level_at(74_999, "n"), 1.0);
    assert_eq!(driver.level_at(75_000, "n"), 0.0);
}

#[test]
fn the_caller_of_a_reading_chooses_another_hold() {
    let mut driver = Driver::alone("n", thermostat(Sensor::new(1.0).hold(ms(60_000))));
    driver.run_to(10);
    driver.stamped("n", now(Stimulus { hold: Some(ms(50)), ..reading("t", 1.0) }));
    assert_eq!(driver.level_at(59, "n"), 1.0);
    assert_eq!(driver.level_at(60, "n"), 0.0);
}

#[test]
fn a_reading_counts_until_the_next_one() {
    let mut driver = Driver::alone("n", thermostat(Sensor::new(1.0).until_next()));
    driver.feed_at(10, "n", "t", 1.0);
    driver.run_to(20);
    assert_eq!(driver.neuron("n").wake_at(), None, "nothing ends by itself");
    assert_eq!(driver.level_at(100_000_000, "n"), 1.0);
    driver.feed_at(100_000_010, "n", "t", 0.5);
    assert_eq!(driver.level_at(100_000_010, "n"), 0.0);
}

#[test]
fn a_sensor_that_is_unknown_while_silent_is_named_before_and_after_a_reading() {
    let mut driver = Driver::alone("n", thermostat(Sensor::new(1.0).hold(ms(100)).when_silent(UNKNOWN)));
    driver.run_to(1);
    assert_eq!(driver.value("n"), lacking(["t"]));
    for (at, level) in [(10, 0.0), (200, 1.0)] {
        driver.feed_at(at, "n", "t", level);
        driver.run_to(at + 99);
        assert_eq!(driver.value("n"), Value::plain(level));
        driver.run_to(at + 100);
        assert_eq!(driver.value("n"), lacking(["t"]));
    }
}

#[test]
fn a_sensor_that_repeats_itself_in_time_is_never_missing() {
    let mut driver = Driver::alone("n", thermostat(Sensor::new(1.0).hold(ms(100)).when_silent(UNKNOWN)));
    for at in (10..2_000).step_by(100) {
        driver.feed_at(at, "n", "t", 0.0);
        driver.run_to(at + 99);
        assert_eq!(driver.value("n"), Value::plain(0.0));
    }
}

#[test]
fn an_unknown_sensor_matters_only_where_it_could_change_the_level() {
    let attached = Sensor::new(1.0).when_silent(UNKNOWN);
    let mut no_threshold = Driver::alone("n", Config::new().sensor_with(sensor("t"), attached));
    no_threshold.run_to(10);
    assert_eq!(no_threshold.value("n"), Value::plain(0.0));

    let mut no_weight = Driver::alone("n", thermostat(Sensor { weight: 0.0, ..attached }));
    no_weight.run_to(10);
    assert_eq!(no_weight.value("n"), Value::plain(0.0));

    let mut stimulated = Driver::alone("n", thermostat(attached));
    stimulated.run_to(10);
    stimulated.stamped("n", now(Stimulus { hold: Some(ms(50)), ..stimulus(1.0) }));
    assert_eq!(stimulated.value("n"), Value::plain(1.0));
    stimulated.run_to(60);
    assert_eq!(stimulated.value("n"), lacking(["t"]));
}

#[test]
fn a_mark_for_an_unknown_sensor_travels_and_ends() {
    let follows = Config::new().threshold(0.5).input(id("n"), 1.0);
    let attached = Sensor::new(1.0).hold(ms(100)).when_silent(UNKNOWN);
    let mut driver = Driver::network([("n", thermostat(attached)), ("lamp", follows)]);
    driver.run_to(20);
    assert_eq!(driver.value("lamp"), lacking(["t"]));
    driver.feed_at(30, "n", "t", 1.0);
    driver.run_to(40);
    assert_eq!(driver.value("lamp"), Value::plain(1.0));
    driver.run_to(200);
    assert_eq!(driver.value("lamp"), lacking(["t"]));
}

#[test]
fn a_sensor_can_say_that_it_does_not_know() {
    let mut driver = Driver::alone("n", thermostat(Sensor::new(1.0).hold(ms(100))));
    driver.feed_at(10, "n", "t", 1.0);
    driver.run_to(20);
    driver.stamped("n", now(unknown("t")));
    assert_eq!(driver.value("n"), lacking(["t"]));
    driver.run_to(119);
    assert_eq!(driver.value("n"), lacking(["t"]), "that holds like a reading");
    driver.run_to(120);
    assert_eq!(driver.value("n"), Value::plain(0.0));
}

#[test]
fn only_a_sensor_can_be_unknown() {
    let mut driver = Driver::alone("n", Config::new().threshold(1.0));
    driver.run_to(10);
    let answer = driver.ask("n", now(Stimulus { level: None, ..stimulus(1.0) }));
    assert_eq!(answer, Err(crate::command::Refusal::NotALevel));
}

#[test]
fn a_pulse_neuron_lacks_a_sensor_that_says_that_it_does_not_know() {
    let rule = Rule::Pulse { window: Rule::WINDOW, refractory: Rule::REFRACTORY };
    let mut driver = Driver::alone("n", thermostat(Sensor::new(1.0).hold(ms(100))).rule(rule));
    driver.run_to(10);
    driver.stamped("n", now(unknown("t")));
    assert_eq!(driver.value("n"), lacking(["t"]));
    driver.run_to(110);
    assert_eq!(driver.value("n"), Value::plain(0.0));
    driver.feed_at(200, "n", "t", 1.0);
    assert_eq!(driver.value("n"), Value::plain(1.0));
}

#[test]
fn a_restart_forgets_readings_and_keeps_what_silence_means() {
    let attached = Sensor::new(1.0).until_next().when_silent(UNKNOWN);
    let mut driver = Driver::alone("n", thermostat(attached));
    driver.feed_at(10, "n", "t", 1.0);
    driver.run_to(20);
    assert_eq!(driver.value("n"), Value::plain(1.0));
    driver.restart("n");
    driver.run_to(40);
    assert_eq!(driver.value("n"), lacking(["t"]));
    assert_eq!(driver.config("n").sensors[&sensor("t")], attached);
}

#[test]
fn a_new_weight_keeps_what_silence_means_and_deleting_it_forgets_that() {
    let attached = Sensor::new(1.0).until_next().when_silent(UNKNOWN);
    let mut driver = Driver::alone("n", thermostat(attached));
    driver.run_to(10);
    let source = || Source::Sensor(sensor("t"));
    let set = |weight| Command::Configure(ConfigChange::SetWeight { source: source(), weight });
    driver.stamped("n", set(2.0));
    driver.run_to(20);
    assert_eq!(driver.config("n").sensors[&sensor("t")], Sensor { weight: 2.0, ..attached });
    driver.stamped("n", Command::Configure(ConfigChange::DeleteWeight { source: source() }));
    driver.stamped("n", set(3.0));
    driver.run_to(30);
    assert_eq!(driver.config("n").sensors[&sensor("t")], Sensor::new(3.0));
    assert_eq!(driver.value("n"), Value::plain(0.0));
}
