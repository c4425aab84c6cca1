//! The hold of a stimulus, and its tag.

use super::driver::{Driver, id, ms, now, reading, sensor, stamped_at, stimulus, tag, time};
use crate::{
    Tag,
    command::{Command, Refusal, Stamp, Stimulus},
    neuron::Config,
};

#[test]
fn a_stimulus_lasts_for_its_hold_and_not_longer() {
    let mut driver = Driver::alone("n", Config::new());
    driver.stimulate_at(1, "n");
    assert_eq!(driver.level_at(5000, "n"), 1.0);
    assert_eq!(driver.level_at(5001, "n"), 0.0);
    assert_eq!(driver.neuron("n").wake_at(), None);
}

#[test]
fn a_stimulus_during_hold_starts_it_afresh() {
    let mut driver = Driver::alone("n", Config::new());
    driver.stimulate_at(1, "n");
    driver.stimulate_at(3000, "n");
    assert_eq!(driver.level_at(7999, "n"), 1.0);
    assert_eq!(driver.level_at(8000, "n"), 0.0);
    assert_eq!(driver.firings("n"), [tag(1)]);
}

#[test]
fn a_shorter_stimulus_during_hold_ends_sooner() {
    let mut driver = Driver::alone("n", Config::new());
    driver.stimulate_at(1, "n");
    driver.run_to(100);
    driver.stamped("n", now(Stimulus { hold: Some(ms(50)), ..stimulus(1.0) }));
    assert_eq!(driver.level_at(149, "n"), 1.0);
    assert_eq!(driver.level_at(150, "n"), 0.0);
}

#[test]
fn an_explicit_0_ends_a_stimulus() {
    let mut driver = Driver::alone("n", Config::new());
    driver.stimulate_at(1, "n");
    driver.run_to(100);
    driver.stamped("n", now(stimulus(0.0)));
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.neuron("n").wake_at(), None);
}

#[test]
fn each_reading_has_a_hold_of_its_own() {
    let config = Config::new().threshold(1.0).sensor(sensor("a"), 1.0).sensor(sensor("b"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.feed_at(1, "n", "a", 1.0);
    driver.feed_at(2000, "n", "b", 1.0);
    driver.run_to(3000);
    driver.stamped("n", now(reading("a", 0.0)));
    assert_eq!(driver.level_at(6999, "n"), 1.0);
    assert_eq!(driver.level_at(7000, "n"), 0.0);
}

#[test]
fn readings_with_equal_tags_are_evaluated_once() {
    let config = Config::new().threshold(1.9).sensor(sensor("a"), 1.0).sensor(sensor("b"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.run_to(1);
    let evaluations = driver.counters("n").evaluations;
    for from in ["a", "b"] {
        let command = Command::Stimulate { stimulus: reading(from, 1.0), at: Some(tag(10)), within: ms(10) };
        assert_eq!(driver.stamped("n", command), Stamp { tag: tag(10), moved: false });
    }
    assert_eq!(driver.counters("n").evaluations, evaluations);
    driver.run_to(10);
    assert_eq!(driver.counters("n").evaluations, evaluations + 1);
    assert_eq!(driver.firings("n"), [tag(10)]);
}

#[test]
fn equal_tags_from_two_sources_are_evaluated_once() {
    let join = Config::new().threshold(1.9).input(id("x"), 1.0).input(id("y"), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("y", Config::new()), ("n", join)]);
    driver.run_to(1);
    let evaluations = driver.counters("n").evaluations;
    for name in ["x", "y"] {
        driver.stamped(name, stamped_at(tag(1), stimulus(1.0)));
    }
    assert_eq!(driver.counters("n").evaluations, evaluations + 1);
    assert_eq!(driver.firings("n"), [tag(1)]);
}

#[test]
fn two_stimuli_of_one_neuron_never_share_a_tag() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(1);
    let first = Command::Stimulate { stimulus: stimulus(1.0), at: Some(tag(10)), within: ms(10) };
    let second = Command::Stimulate { stimulus: stimulus(0.0), at: Some(tag(10)), within: ms(10) };
    assert_eq!(driver.stamped("n", first), Stamp { tag: tag(10), moved: false });
    assert_eq!(driver.stamped("n", second), Stamp { tag: tag(10).next(), moved: true });
    assert_eq!(driver.level_at(10, "n"), 0.0);
    assert_eq!(driver.firings("n"), [tag(10)]);
}

#[test]
fn a_stimulus_for_a_promised_tag_moves_to_a_later_one_and_is_counted() {
    let mut driver = Driver::alone("n", Config::new().hold(ms(1)));
    driver.stimulate_at(10, "n");
    driver.run_to(20);
    assert_eq!(driver.counters("n").late, 0);
    let stamp = driver.stamped("n", stamped_at(tag(5), stimulus(1.0)));
    assert_eq!(stamp, Stamp { tag: tag(20), moved: true });
    assert_eq!(driver.counters("n").late, 1);
    assert_eq!(driver.firings("n"), [tag(10), tag(20)]);
}

#[test]
fn a_past_tag_that_was_not_promised_can_still_be_used() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(20);
    let stamp = driver.stamped("n", stamped_at(tag(5), stimulus(1.0)));
    assert_eq!(stamp, Stamp { tag: tag(5), moved: false });
    assert_eq!(driver.counters("n").late, 0);
    assert_eq!(driver.level("n"), 1.0);
    // The hold is measured in tag time: a stimulus that began early ends early.
    assert_eq!(driver.level_at(5005, "n"), 0.0);
}

#[test]
fn a_stimulus_for_a_tag_too_far_ahead_is_refused() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(20);
    for at in [tag(7_200_021), tag(10_800_021), Tag::MAX] {
        assert_eq!(driver.ask("n", stamped_at(at, stimulus(1.0))), Err(Refusal::TooFarAhead(at)));
    }
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.stimulate_at(21, "n").tag, tag(21));
}

#[test]
fn a_stimulus_for_a_tag_ahead_of_the_clock_lasts_its_hold_by_the_local_clock() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    assert_eq!(driver.stamped("n", stamped_at(tag(60_000), stimulus(1.0))).tag, tag(60_000));
    assert_eq!(driver.level("n"), 1.0);
    assert_eq!(driver.neuron("n").wake_at(), Some(time(5010)));
    assert_eq!(driver.level_at(5010, "n"), 0.0);
}
