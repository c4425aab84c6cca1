//! Silent inputs: degraded answers, and how they become plain again.

use super::driver::{Driver, id, missing, ms, reading, sample, sensor, stamped_at, tag};
use crate::{
    Missing, Tag, Value,
    command::{Answer, Command, Refusal, Sample},
    neuron::{Config, Rule},
    record::Event,
    signal::SignalBody,
};

/// A neuron with the inputs `a` and `b`, which the test plays and which have stated that they are
/// at rest.
fn join(config: Config) -> Driver {
    let mut driver = Driver::alone("n", config.input(id("a"), 1.0).input(id("b"), 1.0));
    for source in ["a", "b"] {
        driver.receive_level("n", source, 1, Tag::FIRST, 0.0);
    }
    driver
}

/// Fires when both inputs do.
fn and() -> Driver {
    join(Config::new().threshold(1.9))
}

/// Fires when one of the inputs does.
pub(super) fn or() -> Driver {
    join(Config::new().threshold(0.9))
}

pub(super) fn degraded<const N: usize>(level: f64, names: [&str; N]) -> Value {
    Value { level, missing: missing(names) }
}

#[test]
fn a_silent_input_that_could_matter_is_named_after_patience() {
    let mut driver = and();
    driver.request("n", Command::Watch { watch: 1 });
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    driver.run_to(259);
    assert_eq!(driver.counters("n").evaluations, 1);
    driver.run_to(260);
    assert_eq!(driver.value("n"), degraded(0.0, ["b"]));
    assert_eq!(driver.changes(), [Sample { missing: missing(["b"]), ..sample(0.0, tag(10)) }]);
    assert_eq!((driver.counters("n").silences, driver.counters("n").degraded), (1, 1));
}

#[test]
fn a_silent_input_that_cannot_matter_leaves_the_answer_plain() {
    let mut driver = or();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    assert_eq!(driver.level_at(259, "n"), 0.0);
    driver.run_to(260);
    assert_eq!(driver.value("n"), Value::plain(1.0));
    assert_eq!((driver.counters("n").silences, driver.counters("n").degraded), (1, 0));
}

#[test]
fn a_sum_that_the_missing_input_cannot_change_stays_plain() {
    let config = Config::new().threshold(0.9).input(id("a"), 1.0).input(id("b"), 0.25);
    let mut driver = Driver::alone("n", config);
    for source in ["a", "b"] {
        driver.receive_level("n", source, 1, Tag::FIRST, 0.0);
    }
    for (seq, at, level) in [(2, 10, 1.0), (3, 1010, 0.0), (4, 2010, 1.0)] {
        driver.run_to(at);
        driver.receive_level("n", "a", seq, tag(at), level);
        driver.run_to(at + 500);
        assert_eq!(driver.value("n"), Value::plain(level));
    }
    assert_eq!(driver.counters("n").degraded, 0);
}

#[test]
fn a_stimulus_decides_without_the_missing_inputs() {
    let mut driver = and();
    driver.stimulate_at(10, "n");
    driver.run_to(500);
    assert_eq!(driver.value("n"), Value::plain(1.0));
    assert_eq!(driver.counters("n").silences, 2);
}

#[test]
fn a_silent_input_costs_one_patience_and_not_one_for_each_wave() {
    let mut driver = and();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    driver.run_to(300);
    for (seq, at) in [(3, 300), (4, 400), (5, 500)] {
        driver.run_to(at);
        let evaluations = driver.counters("n").evaluations;
        driver.receive_level("n", "a", seq, tag(at), f64::from(u8::from(seq % 2 == 0)));
        assert_eq!(driver.counters("n").evaluations, evaluations + 1, "at once");
    }
    assert_eq!(driver.counters("n").silences, 1);
}

#[test]
fn an_input_that_renews_is_waited_for() {
    let mut driver = and();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    for millis in (200..2000).step_by(200) {
        driver.run_to(millis);
        driver.receive_null("n", "b", 1, Tag::FIRST);
    }
    driver.run_to(2000);
    assert_eq!((driver.counters("n").evaluations, driver.counters("n").silences), (1, 0));
    driver.receive_level("n", "b", 2, tag(10), 1.0);
    assert_eq!(driver.value("n"), Value::plain(1.0));
}

#[test]
fn an_input_that_only_renews_is_marked_down_after_20_patiences() {
    let mut driver = and();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    for millis in (200..=5000).step_by(200) {
        driver.run_to(millis);
        driver.receive_null("n", "a", 2, tag(10));
        driver.receive_null("n", "b", 1, Tag::FIRST);
    }
    driver.run_to(5009);
    assert_eq!((driver.counters("n").evaluations, driver.counters("n").silences), (1, 0));
    driver.run_to(5010);
    assert_eq!(driver.value("n"), degraded(0.0, ["b"]));
}

#[test]
fn an_input_that_comes_back_makes_the_answer_plain_again() {
    let mut driver = and();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    driver.run_to(400);
    assert!(driver.value("n").is_degraded());
    driver.receive_level("n", "b", 2, tag(390), 1.0);
    driver.receive_null("n", "a", 2, tag(400));
    driver.receive_null("n", "b", 2, tag(400));
    assert_eq!(driver.value("n"), Value::plain(1.0));
    // The earlier answer does not change.
    let then = Sample { missing: missing(["b"]), ..sample(0.0, tag(10)) };
    assert_eq!(driver.ask("n", Command::OutputAt { tag: tag(10) }), Ok(Answer::Output(then)));
}

#[test]
fn an_input_that_comes_back_without_a_change_makes_the_answer_plain_again() {
    let mut driver = and();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    driver.run_to(400);
    driver.receive_null("n", "b", 1, Tag::FIRST);
    assert_eq!(driver.stamped_by("n").last(), Some(&(tag(400), Event::Recheck)));
    assert!(driver.value("n").is_degraded());
    driver.receive_null("n", "a", 2, tag(400));
    driver.receive_null("n", "b", 1, tag(400));
    assert_eq!(driver.value("n"), Value::plain(0.0));
}

#[test]
fn a_missing_input_is_probed_with_longer_and_longer_pauses() {
    let mut driver = and();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    driver.run_to(260);
    let probe = |body: &SignalBody| matches!(body, SignalBody::Probe { .. });
    let looks = driver.times("n", "b", 2000, probe);
    assert_eq!(looks, [360, 560, 960, 1760]);
    // Once the answer does not lack it any more, it is not probed.
    driver.receive_level("n", "a", 3, tag(2000), 0.0);
    assert_eq!(driver.value("n"), Value::plain(0.0));
    assert_eq!(driver.times("n", "b", 60_000, probe), []);
    assert_eq!(driver.neuron("n").wake_at(), None);
}

#[test]
fn a_degraded_input_makes_the_answer_degraded() {
    let mut driver = or();
    let stream = driver.receive_subscription("n", "s");
    driver.sent();
    driver.run_to(10);
    driver.receive_value("n", "a", 2, tag(10), degraded(0.0, ["q"]));
    driver.receive_null("n", "b", 1, tag(10));
    let value = degraded(0.0, ["q"]);
    let changed = SignalBody::Changed { stream, seq: 2, known: tag(10).prev(), at: tag(10), value };
    assert_eq!(driver.sent_from("n", "s"), [changed]);
    // Until a level decides the answer.
    driver.receive_level("n", "b", 2, tag(20), 1.0);
    driver.receive_null("n", "a", 2, tag(20));
    assert_eq!(driver.value("n"), Value::plain(1.0));
}

#[test]
fn a_degradation_spreads_downstream_and_names_the_root_cause() {
    let gate = |source| Config::new().threshold(0.9).input(id(source), 1.0);
    let mut driver = Driver::network([("n1", gate("a")), ("n2", gate("n1")), ("n3", gate("n2"))]);
    driver.receive_level("n1", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10);
    driver.receive_level("n1", "a", 2, tag(10), 1.0);
    assert_eq!(driver.value("n3"), Value::plain(1.0));
    driver.run_to(3000);
    for name in ["n1", "n2", "n3"] {
        assert_eq!(driver.value(name), degraded(0.0, ["a"]), "{name}");
    }
    // It ends in the same way.
    driver.receive_level("n1", "a", 3, tag(3000), 1.0);
    let stamped = driver.stamped_by("n1").last().map(|(tag, _)| *tag).unwrap();
    driver.receive_null("n1", "a", 3, stamped);
    driver.run_to(3100);
    for name in ["n1", "n2", "n3"] {
        assert_eq!(driver.value(name), Value::plain(1.0), "{name}");
    }
}

#[test]
fn in_its_first_incarnation_a_neuron_waits_20_patiences_for_inputs_that_may_be_starting() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0).input(id("b"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(4999);
    assert!(!driver.neuron("n").is_ready());
    driver.run_to(5000);
    assert_eq!(driver.value("n"), degraded(0.0, ["b"]));
}

#[test]
fn in_a_later_incarnation_it_waits_one_patience() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(1000);
    driver.crash("n");
    driver.resume("n");
    driver.run_to(1249);
    assert!(!driver.neuron("n").is_ready());
    driver.run_to(1250);
    assert_eq!(driver.value("n"), degraded(0.0, ["a"]));
}

#[test]
fn a_query_that_waits_for_a_silent_input_is_answered_degraded() {
    let mut driver = or();
    driver.run_to(10);
    let request = driver.request("n", Command::OutputAt { tag: tag(5) });
    driver.run_to(259);
    assert_eq!(driver.replies(request), []);
    driver.run_to(260);
    let answer = Sample { missing: missing(["a", "b"]), ..sample(0.0, tag(5)) };
    assert_eq!(driver.replies(request), [Ok(Answer::Output(answer))]);
    // The level at the tag before was not answered, and is unknown.
    let before = driver.ask("n", Command::OutputAt { tag: tag(4) });
    assert_eq!(before, Err(Refusal::Unknown(tag(4))));
}

#[test]
fn all_queries_that_wait_for_a_silent_input_are_answered_degraded() {
    let mut driver = or();
    driver.run_to(10);
    let requests: Vec<(u64, Tag)> = [5, 7, 9]
        .into_iter()
        .map(|millis| (driver.request("n", Command::OutputAt { tag: tag(millis) }), tag(millis)))
        .collect();
    driver.run_to(300);
    for (request, at) in requests {
        let answer = Sample { missing: missing(["a", "b"]), ..sample(0.0, at) };
        assert_eq!(driver.replies(request), [Ok(Answer::Output(answer))]);
    }
}

#[test]
fn an_input_is_not_marked_down_when_the_neuron_itself_was_stalled() {
    let mut driver = and();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    // The neuron does not run, and the signals of a and b wait to be delivered.
    driver.stall_to(5000);
    driver.receive_null("n", "b", 1, Tag::FIRST);
    driver.run_to(5200);
    assert_eq!(driver.counters("n").silences, 0);
    driver.receive_level("n", "b", 2, tag(10), 1.0);
    assert_eq!(driver.value("n"), Value::plain(1.0));
}

#[test]
fn a_lingering_neuron_starts_afresh_after_a_degraded_answer() {
    let lamp = Config::new().threshold(0.9).input(id("a"), 1.0).linger(ms(60_000));
    let mut driver = Driver::alone("lamp", lamp);
    driver.receive_level("lamp", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10);
    driver.receive_level("lamp", "a", 2, tag(10), 1.0);
    driver.run_to(2260);
    assert_eq!(driver.value("lamp"), degraded(1.0, ["a"]), "it lingers, for all it knows");
    driver.run_to(3000);
    driver.receive_level("lamp", "a", 3, tag(2900), 0.0);
    driver.receive_null("lamp", "a", 3, tag(3000));
    assert_eq!(driver.value("lamp"), Value::plain(0.0));
    let forgets = driver.stamped_by("lamp").into_iter().filter(|(_, event)| *event == Event::ResetMemory);
    assert_eq!(forgets.count(), 1);
    // From then on it lingers as usual.
    driver.receive_level("lamp", "a", 4, tag(3001), 1.0);
    driver.receive_level("lamp", "a", 5, tag(3002), 0.0);
    assert_eq!(driver.value("lamp"), Value::plain(1.0));
}

#[test]
fn a_pulse_neuron_forgets_the_kicks_before_a_degraded_answer() {
    let rule = Rule::Pulse { window: ms(10_000), refractory: ms(100) };
    let config = Config::new().threshold(2.0).rule(rule).input(id("a"), 1.0).sensor(sensor("s"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.feed_at(10, "n", "s", 1.0);
    driver.run_to(260);
    assert_eq!(driver.value("n"), degraded(0.0, ["a"]), "a may have kicked as well");
    // a is back, and has not kicked. The earlier reading does not count any more.
    driver.receive_null("n", "a", 1, tag(260));
    assert_eq!(driver.value("n").missing, Missing::NONE);
    driver.run_to(300);
    driver.stamped("n", stamped_at(tag(300), reading("s", 1.0)));
    driver.receive_null("n", "a", 1, tag(300));
    assert_eq!(driver.firings("n"), []);
    driver.stamped("n", stamped_at(tag(301), reading("s", 1.0)));
    driver.receive_null("n", "a", 1, tag(301));
    assert_eq!(driver.firings("n"), [tag(301)]);
}

#[test]
fn an_input_that_waits_itself_is_not_marked_down_at_the_start() {
    let gate = |source| Config::new().threshold(0.9).input(id(source), 1.0);
    let mut driver = Driver::network([("m", gate("q")), ("n", gate("m"))]);
    driver.run_to(4000);
    assert!(!driver.neuron("n").is_ready(), "{:?}", driver.value("n"));
    driver.run_to(6000);
    assert_eq!(driver.value("n"), degraded(0.0, ["q"]));
}
