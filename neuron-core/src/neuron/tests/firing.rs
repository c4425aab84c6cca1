//! Sums, thresholds, and numbers that are not finite.

use super::driver::{Driver, id, incarnation, ms, now, reading, sensor, stamped_at, stimulus, tag};
use crate::{
    Source, Tag, Time,
    command::{Answer, Command, ConfigChange, Refusal, Stamp},
    neuron::Config,
    signal::{SignalBody, StreamId},
    value::Value,
};

const NO_NUMBERS: [f64; 5] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e101, -1e101];

#[test]
fn a_sum_exactly_on_the_threshold_fires() {
    let config = Config::new().threshold(0.75).sensor(sensor("a"), 0.25).sensor(sensor("b"), 0.5);
    let mut driver = Driver::alone("n", config);
    driver.feed_at(1, "n", "a", 1.0);
    assert_eq!(driver.level("n"), 0.0);
    driver.feed_at(2, "n", "b", 1.0);
    assert_eq!(driver.level("n"), 1.0);
    driver.feed_at(3, "n", "b", 1.0 - f64::EPSILON);
    assert_eq!(driver.level("n"), 0.0);
}

#[test]
fn a_threshold_of_0_or_less_fires_at_rest() {
    for threshold in [0.0, -0.0, -0.5, -1e100] {
        let driver = Driver::alone("n", Config::new().threshold(threshold));
        assert_eq!(driver.level("n"), 1.0, "{threshold}");
    }
}

#[test]
fn a_negative_weight_and_a_negative_threshold_make_a_not_gate() {
    let not = Config::new().threshold(-0.5).input(id("x"), -1.0);
    let mut driver = Driver::network([("x", Config::new()), ("not", not)]);
    assert_eq!(driver.level("not"), 1.0);
    driver.stimulate_at(1, "x");
    assert_eq!(driver.level("not"), 0.0);
    assert_eq!(driver.level_at(5001, "not"), 1.0);
}

#[test]
fn without_a_threshold_a_neuron_never_fires_by_itself_but_can_be_stimulated() {
    let mut driver = Driver::alone("n", Config::new().sensor(sensor("s"), 1e100));
    driver.feed_at(1, "n", "s", 1e100);
    assert_eq!(driver.level("n"), 0.0);
    driver.stimulate_at(2, "n");
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn a_weight_of_0_never_matters() {
    let config = Config::new().threshold(0.5).sensor(sensor("s"), 0.0).input(id("x"), 0.0);
    let mut driver = Driver::network([("x", Config::new()), ("n", config)]);
    driver.feed_at(1, "n", "s", 1e100);
    driver.stimulate_at(2, "x");
    assert_eq!(driver.level_at(10, "n"), 0.0);
    driver.feed_at(11, "n", "s", -1e100);
    assert_eq!(driver.level_at(20, "n"), 0.0);
    assert_eq!(driver.counters("n").firings, 0);
}

#[test]
fn sums_of_the_largest_numbers_stay_finite() {
    let names: Vec<String> = (0..100).map(|index| format!("s{index}")).collect();
    let config = names.iter().fold(Config::new().threshold(1e100), |config, name| config.sensor(sensor(name), 1e100));
    let mut driver = Driver::alone("n", config);
    for (reading, expected) in [(1e100, 1.0), (-1e100, 0.0), (1e100, 1.0)] {
        for name in &names {
            driver.feed_at(1, "n", name, reading);
        }
        assert_eq!(driver.level("n"), expected);
    }
}

/// Adding 1 to a number of this size has no effect, so the order of the sum matters: it is that of
/// the names, in whatever order the levels arrive.
#[test]
fn sums_are_added_in_the_order_of_names() {
    const LARGE: f64 = 9_007_199_254_740_992.0; // 2^53
    for (weights, expected) in [([LARGE, 1.0, -LARGE], 0.0), ([LARGE, -LARGE, 1.0], 1.0)] {
        for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
            let names = ["a", "b", "c"].into_iter().zip(weights);
            let config =
                names.fold(Config::new().threshold(0.5), |config, (name, weight)| config.input(id(name), weight));
            let mut driver =
                Driver::network([("a", Config::new()), ("b", Config::new()), ("c", Config::new()), ("n", config)]);
            driver.run_to(1);
            driver.present(&order.map(|name| (name, 1.0)));
            assert_eq!(driver.level("n"), expected, "{weights:?}, heard in the order {order:?}");
        }
    }
}

#[test]
fn a_statement_from_an_unknown_source_is_counted_and_ignored_and_the_source_told_to_stop() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.5));
    let stream = StreamId { incarnation: incarnation(1), counter: 1 };
    let statement = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: tag(1), value: Value::plain(1.0) };
    driver.run_to(1);
    driver.receive("n", "stranger", statement);
    assert_eq!(driver.counters("n").unknown, 1);
    assert_eq!(driver.counters("n").kicks, 0);
    assert_eq!(driver.level_at(10, "n"), 0.0);
    let sent = driver.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, id("stranger"));
    assert_eq!(sent[0].signal.body, SignalBody::Unsubscribe { stream });
}

#[test]
fn a_number_that_is_not_finite_is_refused_without_effect() {
    let config = Config::new().threshold(0.5).sensor(sensor("s"), 1.0).input(id("x"), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("n", config)]);
    driver.feed_at(1, "n", "s", 1.0);
    driver.run_to(10);
    let before = driver.config("n");
    for number in NO_NUMBERS {
        let commands = [
            Command::Configure(ConfigChange::SetWeight { source: Source::Sensor(sensor("s")), weight: number }),
            Command::Configure(ConfigChange::SetWeight { source: Source::Neuron(id("x")), weight: number }),
            Command::Configure(ConfigChange::SetThreshold { threshold: number }),
            now(reading("s", number)),
        ];
        for command in commands {
            let refused = driver.counters("n").refused;
            let result = driver.ask("n", command.clone());
            assert!(matches!(result, Err(Refusal::NotFinite(_))), "{command:?} gave {result:?}");
            assert_eq!(driver.counters("n").refused, refused + 1);
        }
    }
    driver.run_to(20);
    assert_eq!(driver.config("n"), before);
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn the_largest_magnitude_is_not_refused() {
    let mut driver = Driver::alone("n", Config::new().sensor(sensor("s"), 1.0));
    for number in [1e100, -1e100] {
        driver.stamped(
            "n",
            Command::Configure(ConfigChange::SetWeight { source: Source::Sensor(sensor("s")), weight: number }),
        );
        driver.stamped("n", Command::Configure(ConfigChange::SetThreshold { threshold: number }));
        driver.stamped("n", now(reading("s", number)));
    }
    assert_eq!(driver.counters("n").refused, 0);
}

#[test]
fn a_statement_with_a_level_that_is_not_finite_is_counted_and_ignored() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.5).input(id("x"), 1.0));
    driver.receive_level("n", "x", 1, Tag::FIRST, 0.0);
    driver.run_to(1);
    driver.receive_level("n", "x", 2, tag(1), f64::NAN);
    assert_eq!(driver.counters("n").refused, 1);
    assert_eq!(driver.level("n"), 0.0);
    driver.receive_level("n", "x", 2, tag(1), 1.0);
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn a_neuron_is_stimulated_with_0_or_1_only() {
    let mut driver = Driver::alone("n", Config::new());
    for level in [0.5, -1.0, 2.0, f64::NAN, f64::INFINITY] {
        assert_eq!(driver.ask("n", now(stimulus(level))), Err(Refusal::NotALevel));
    }
    assert_eq!(driver.ask("n", now(reading("s", 1.0))), Err(Refusal::UnknownSensor(sensor("s"))));
    assert_eq!(driver.level("n"), 0.0);
}

#[test]
fn when_the_clock_stands_at_its_end_tags_run_out_without_harm() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.5).sensor(sensor("s"), 1.0));
    driver.run_until(Time::MAX);
    let first = driver.stamped("n", now(stimulus(1.0)));
    assert_eq!(first, Stamp { tag: Tag::at(Time::MAX), moved: false });
    let mut tags = 1;
    while driver.ask("n", now(stimulus(1.0))) != Err(Refusal::TimeExhausted) {
        tags += 1;
        assert!(tags <= 1 << Tag::COUNTER_BITS, "tags run out");
    }
    assert_eq!(driver.level("n"), 1.0);
    let exhausted = Err(Refusal::TimeExhausted);
    assert_eq!(driver.ask("n", now(reading("s", 1.0))), exhausted);
    assert_eq!(driver.ask("n", stamped_at(Tag::MAX.prev(), stimulus(0.0))), Err(Refusal::TooFarAhead(Tag::MAX.prev())));
    assert_eq!(driver.ask("n", Command::Configure(ConfigChange::SetThreshold { threshold: 2.0 })), exhausted);
    assert_eq!(driver.ask("n", Command::Reserve), exhausted);
    assert_eq!(driver.config("n").threshold, Some(0.5));
    assert!(matches!(driver.ask("n", Command::OutputAt { tag: Tag::MAX.prev() }), Ok(Answer::Output(_))));
}

#[test]
fn a_weight_counts_from_the_tag_at_which_it_was_set() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.5).sensor(sensor("s"), 0.25).hold(ms(1000)));
    driver.feed_at(1, "n", "s", 1.0);
    assert_eq!(driver.level("n"), 0.0);
    driver.run_to(2);
    driver
        .stamped("n", Command::Configure(ConfigChange::SetWeight { source: Source::Sensor(sensor("s")), weight: 0.5 }));
    assert_eq!(driver.level("n"), 1.0);
    driver.run_to(3);
    driver.stamped("n", Command::Configure(ConfigChange::DeleteWeight { source: Source::Sensor(sensor("s")) }));
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.ask("n", now(reading("s", 1.0))), Err(Refusal::UnknownSensor(sensor("s"))));
}
