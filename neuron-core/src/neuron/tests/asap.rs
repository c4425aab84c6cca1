//! Neurons that answer as soon as possible.

use super::driver::{Driver, LOSSY, id, missing, tag, xor};
use crate::{
    Missing,
    command::Command,
    neuron::{Config, Mode},
};

#[test]
fn an_asap_neuron_glitches_when_a_wave_arrives_in_parts() {
    let mut driver = xor(Config::new().mode(Mode::Asap));
    driver.run_to(1);
    driver.present(&[("x", 1.0), ("y", 1.0)]);
    driver.run_to(10);
    assert_eq!(driver.level("z"), 0.0);
    assert_eq!(driver.counters("z").firings, 1);
}

#[test]
fn an_asap_neuron_is_correct_once_the_wave_is_complete() {
    for (x, y) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
        let mut driver = xor(Config::new().mode(Mode::Asap));
        driver.run_to(1);
        driver.present(&[("x", x), ("y", y)]);
        assert_eq!(driver.level_at(10, "z"), if x == y { 0.0 } else { 1.0 });
        assert_eq!(driver.level_at(5010, "z"), 0.0);
    }
}

#[test]
fn an_asap_neuron_waits_for_no_input() {
    let config = Config::new().mode(Mode::Asap).threshold(0.5).input(id("x"), 1.0).input(id("silent"), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("n", config)]);
    driver.stimulate_at(1, "x");
    assert_eq!(driver.level("n"), 1.0);
    assert!(driver.firings("n")[0] >= tag(1));
    assert_eq!(driver.counters("n").probes, 0);
}

#[test]
fn levels_that_re_enter_in_order_after_a_silence_are_answered_plainly() {
    let config = Config::new().mode(Mode::Asap).threshold(0.9).input(id("d"), 1.0);
    let mut driver = Driver::network_over(LOSSY, [("n", config)]);
    driver.receive_level("n", "d", 1, tag(0), 1.0);
    driver.run_to(3000);
    assert_eq!(driver.value("n").missing, missing(["d"]));
    driver.request("n", Command::Watch { watch: 1 });
    driver.changes();
    // The input is back, and this statement has overtaken the ones before.
    driver.receive_level("n", "d", 3, tag(3001), 1.0);
    assert_eq!(driver.value("n").missing, missing(["d"]));
    driver.receive_level("n", "d", 2, tag(3000), 0.0);
    let levels: Vec<_> = driver.changes().into_iter().map(|change| (change.level, change.missing)).collect();
    assert_eq!(levels, [(0.0, Missing::NONE), (1.0, Missing::NONE)]);
}
