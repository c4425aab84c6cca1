//! When a coherent neuron may answer, and how many signals that costs.

use super::driver::{
    AGES, Driver, GRACE, id, incarnation, missing, now, reading, sample, sensor, stimulus, tag, time, xor,
};
use crate::{
    Tag,
    command::{Answer, Command, Refusal, Sample},
    neuron::Config,
    signal::{SignalBody, StreamId},
    value::Value,
};

const PATTERNS: [(f64, f64); 4] = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];

/// A neuron that fires when `a` or `b` does, and whose patience never ends. The test plays both
/// inputs, which have stated that they are at rest.
fn join() -> Driver {
    let config = Config::new().threshold(0.9).input(id("a"), 1.0).input(id("b"), 1.0);
    let mut driver = Driver::alone("n", config.patience(AGES));
    for source in ["a", "b"] {
        driver.receive_level("n", source, 1, Tag::FIRST, 0.0);
    }
    driver.sent();
    driver
}

#[test]
fn a_neuron_is_not_ready_before_all_inputs_have_sent_a_snapshot() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0).input(id("b"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 1.0);
    assert!(!driver.neuron("n").is_ready());
    driver.receive_level("n", "b", 1, Tag::FIRST, 0.0);
    assert!(driver.neuron("n").is_ready());
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn a_join_waits_for_all_its_inputs_and_answers_once() {
    let mut driver = join();
    let evaluations = driver.counters("n").evaluations;
    driver.run_to(5);
    driver.receive_level("n", "a", 2, tag(5), 1.0);
    assert_eq!(driver.level_at(1000, "n"), 0.0);
    driver.receive_level("n", "b", 2, tag(5), 1.0);
    assert_eq!(driver.level("n"), 1.0);
    assert_eq!(driver.counters("n").evaluations, evaluations + 1);
    assert_eq!(driver.firings("n"), [tag(5)]);
}

#[test]
fn statements_are_applied_in_order_and_once_however_they_arrive() {
    let mut driver = join();
    driver.run_to(10);
    driver.receive_level("n", "a", 3, tag(7), 0.0);
    driver.receive_null("n", "b", 1, tag(10));
    assert_eq!(driver.counters("n").evaluations, 1);
    driver.receive_level("n", "a", 2, tag(5), 1.0);
    driver.receive_level("n", "a", 2, tag(5), 1.0);
    assert_eq!(driver.counters("n").evaluations, 3);
    assert_eq!(driver.counters("n").duplicates, 1);
    assert_eq!(driver.firings("n"), [tag(5)]);
    assert_eq!(driver.level("n"), 0.0);
}

#[test]
fn a_promise_counts_only_after_the_statements_it_follows() {
    let mut driver = join();
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(5), 1.0);
    driver.receive_null("n", "b", 2, tag(10));
    assert_eq!(driver.level("n"), 0.0);
    driver.receive_level("n", "b", 2, tag(3), 1.0);
    assert_eq!(driver.firings("n"), [tag(3)]);
}

#[test]
fn a_wave_never_lets_the_xor_of_1_and_1_fire() {
    let mut driver = xor(Config::new());
    for (round, wave) in [[("x", 1.0), ("y", 1.0)], [("y", 1.0), ("x", 1.0)]].into_iter().enumerate() {
        driver.run_to(1 + 10_000 * round as u64);
        let at = driver.present(&wave);
        assert_eq!(driver.firings("h2").last(), Some(&at));
    }
    // Both begin together and end together.
    driver.run_to(20_000);
    assert_eq!(driver.level("h2"), 0.0);
    assert_eq!(driver.counters("z").firings, 0);
}

#[test]
fn each_pattern_costs_one_signal_for_each_connection_and_no_probe() {
    let mut driver = xor(Config::new());
    driver.sent();
    for round in 0..PATTERNS.len() * PATTERNS.len() {
        // Each pattern after each other one.
        let (x, y) = PATTERNS[(round + round / PATTERNS.len()) % PATTERNS.len()];
        driver.run_to(10 + 10 * round as u64);
        driver.present(&[("x", x), ("y", y)]);
        assert_eq!(driver.level("z"), if x == y { 0.0 } else { 1.0 }, "{x} {y}");
        let sent = driver.sent();
        let plain =
            |body: &SignalBody| matches!(body, SignalBody::Changed { .. } | SignalBody::Nothing { wave: true, .. });
        assert_eq!(sent.len(), 7, "{sent:#?}");
        assert!(sent.iter().all(|sent| plain(&sent.signal.body)), "{sent:#?}");
        assert_eq!(driver.counters("z").probes, 0);
    }
}

#[test]
fn the_end_of_a_wave_is_a_wave() {
    let mut driver = xor(Config::new());
    driver.run_to(1);
    driver.present(&[("x", 1.0), ("y", 1.0)]);
    driver.run_to(5000);
    driver.sent();
    driver.run_to(5001);
    assert_eq!(driver.sent().len(), 7);
    assert_eq!([driver.level("x"), driver.level("h2"), driver.level("z")], [0.0; 3]);
}

#[test]
fn nothing_is_sent_at_rest() {
    let mut driver = xor(Config::new());
    driver.sent();
    driver.run_to(86_400_000);
    assert_eq!(driver.sent(), []);
    assert!(["x", "y", "h1", "h2", "h3", "z"].iter().all(|name| driver.neuron(name).wake_at().is_none()));
}

#[test]
fn an_idle_source_is_probed_after_grace_and_answers() {
    let config = Config::new().threshold(0.9).input(id("x"), 1.0).input(id("y"), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("y", Config::new()), ("n", config)]);
    driver.sent();
    driver.stimulate_at(5, "x");
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.sent().len(), 1);
    driver.run_until(time(5).after(GRACE));
    assert_eq!(driver.firings("n"), [tag(5)]);
    let stream = driver.stream("n", "y");
    let [question, answer] = driver.sent().try_into().expect("a question and its answer");
    assert_eq!((question.to, question.signal.body), (id("y"), SignalBody::Probe { stream, upto: tag(5) }));
    let promise = SignalBody::Nothing { stream, after: 1, upto: tag(5), wave: false };
    assert_eq!((answer.to, answer.signal.body), (id("n"), promise));
    // Its promise binds it.
    let late = Command::Stimulate { stimulus: stimulus(1.0), at: Some(tag(5)), within: Default::default() };
    assert!(driver.stamped("y", late).moved);
}

#[test]
fn a_probe_is_passed_on_upstream() {
    let relay = Config::new().threshold(0.9).input(id("y"), 1.0);
    let config = Config::new().threshold(0.9).input(id("x"), 1.0).input(id("relay"), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("y", Config::new()), ("relay", relay), ("n", config)]);
    driver.stimulate_at(5, "x");
    driver.run_until(time(5).after(GRACE));
    assert_eq!(driver.firings("n"), [tag(5)]);
    assert_eq!([driver.counters("n").probes, driver.counters("relay").probes], [1, 1]);
}

#[test]
fn a_source_that_does_not_answer_is_probed_again_with_longer_pauses() {
    let mut driver = join();
    driver.run_to(5);
    driver.receive_level("n", "a", 2, tag(5), 1.0);
    driver.run_to(10_000);
    let probes = driver.counters("n").probes;
    assert!((90..=110).contains(&probes), "{probes} questions in 10 s, one each 100 ms");
    assert_eq!(driver.level("n"), 0.0);
    driver.receive_null("n", "b", 1, tag(5));
    assert_eq!(driver.firings("n"), [tag(5)]);
    driver.sent();
    driver.run_to(20_000);
    assert_eq!(driver.sent(), []);
}

#[test]
fn a_source_that_answers_late_is_probed_again_later() {
    let mut driver = join();
    driver.run_to(5);
    driver.receive_level("n", "a", 2, tag(5), 1.0);
    driver.run_until(time(5).after(GRACE));
    assert_eq!(driver.counters("n").probes, 1);
    let asked = driver.millis();
    driver.run_to(asked + 20);
    driver.receive_null("n", "b", 1, tag(5));
    // Twice the 20 ms that the answer took, instead of the 25 ms of the transport.
    driver.run_to(asked + 30);
    driver.receive_level("n", "a", 3, tag(asked + 30), 0.0);
    driver.run_until(time(asked + 30).after(GRACE));
    assert_eq!(driver.counters("n").probes, 2);
    driver.run_to(asked + 30 + 39);
    assert_eq!(driver.counters("n").probes, 2);
    driver.run_to(asked + 30 + 42);
    assert_eq!(driver.counters("n").probes, 3);
}

#[test]
fn a_stream_that_was_replaced_is_ignored() {
    let mut driver = join();
    driver.run_to(5);
    let old = StreamId { incarnation: incarnation(0), counter: 9 };
    driver.receive(
        "n",
        "a",
        SignalBody::Changed { stream: old, seq: 2, known: Tag::ORIGIN, at: tag(5), value: Value::plain(1.0) },
    );
    driver.receive_null("n", "b", 1, tag(5));
    assert_eq!(driver.level_at(10, "n"), 0.0);
    assert_eq!(driver.counters("n").duplicates, 1);
}

#[test]
fn a_subscriber_gets_the_present_level_first() {
    let mut driver = Driver::alone("n", Config::new());
    driver.stimulate_at(5, "n");
    let stream = StreamId { incarnation: incarnation(1), counter: 1 };
    driver.run_to(7);
    driver.sent();
    driver.receive("n", "late-comer", SignalBody::Subscribe { stream });
    let snapshot = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: tag(5), value: Value::plain(1.0) };
    assert_eq!(driver.sent_from("n", "late-comer"), [snapshot]);
    // It is asked again before the answer arrives: it renews, and sends no other snapshot.
    driver.receive("n", "late-comer", SignalBody::Subscribe { stream });
    let alive = SignalBody::Nothing { stream, after: 1, upto: tag(5), wave: false };
    assert_eq!(driver.sent_from("n", "late-comer"), [alive]);
    driver.receive("n", "late-comer", SignalBody::Unsubscribe { stream });
    driver.run_to(10_000);
    assert_eq!(driver.sent(), []);
}

#[test]
fn the_last_tag_is_never_sent() {
    let mut driver = join();
    driver.receive_level("n", "a", 2, Tag::MAX, 1.0);
    driver.receive_null("n", "b", 1, Tag::MAX);
    assert_eq!(driver.counters("n").ahead, 2);
    assert_eq!(driver.level("n"), 0.0);
    // A statement of a is missing, so its stream cannot continue; after a while the neuron asks for
    // another one.
    let before = driver.stream("n", "a");
    driver.run_to(10_000);
    assert!(driver.stream("n", "a") > before);
    // The neuron still waits for both inputs.
    driver.receive_level("n", "a", 1, tag(10), 1.0);
    assert_eq!(driver.level("n"), 0.0);
    driver.receive_null("n", "b", 1, tag(10));
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn no_tag_in_a_gap_is_answered_before_the_tags_below_it_are_known() {
    let config = Config::new().threshold(0.9).input(id("a"), 1.0).input(id("c"), 0.1);
    let mut driver = Driver::alone("n", config.sensor(sensor("s"), 0.5));
    for source in ["a", "c"] {
        driver.receive_level("n", source, 1, Tag::FIRST, 0.0);
    }
    driver.receive_null("n", "a", 1, tag(10));
    driver.run_to(12);
    driver.stamped("n", now(reading("s", 1.0)));
    // a restarts: its level between 10 and 20 stays unknown, and the reading lies there.
    let stream = StreamId { incarnation: incarnation(1), counter: 3 };
    driver.receive_from_incarnation("n", "a", incarnation(2), SignalBody::Hello);
    let snapshot = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: tag(20), value: Value::plain(0.0) };
    driver.receive_from_incarnation("n", "a", incarnation(2), snapshot);
    // But c has a change at an earlier tag.
    driver.receive_level("n", "c", 2, tag(8), 1.0);
    assert_eq!(driver.counters("n").evaluations, 2);
    driver.receive_null("n", "c", 2, tag(20));
    assert_eq!(driver.counters("n").evaluations, 4);
    let level = |driver: &mut Driver, tag| driver.ask("n", Command::OutputAt { tag });
    assert_eq!(level(&mut driver, tag(9)), Ok(Answer::Output(sample(0.0, tag(9)))));
    let degraded = Sample { missing: missing(["a"]), ..sample(0.0, tag(15)) };
    assert_eq!(level(&mut driver, tag(15)), Ok(Answer::Output(degraded)));
    assert_eq!(level(&mut driver, tag(20)), Ok(Answer::Output(sample(0.0, tag(20)))));
    assert_eq!(level(&mut driver, tag(11)), Err(Refusal::Unknown(tag(11))), "nothing was evaluated in the gap by then");
}

#[test]
fn an_input_far_ahead_of_the_others_keeps_only_its_newest_levels() {
    let mut driver = join();
    let mut last = Tag::FIRST;
    driver.request("n", Command::Watch { watch: 1 });
    for seq in 2..=10_001 {
        last = last.next().next();
        driver.receive_level("n", "a", seq, last, f64::from(u8::from(seq % 2 == 0)));
    }
    let superseded = driver.counters("n").superseded;
    assert_eq!(superseded, 10_000 - 4096);
    driver.receive_null("n", "b", 1, last.next());
    driver.run_to(10);
    // The dropped levels are a gap that is not claimed; the newest level is known.
    let asked = driver.ask("n", Command::OutputAt { tag: last.prev() });
    assert_eq!(asked, Err(Refusal::Unknown(last.prev())));
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.neuron("n").complete_through(), last);
    // The watch has reported all changes, and that one more may have been missed.
    assert_eq!((driver.changes().len(), driver.reported()), (4096, 4097));
}

#[test]
fn with_many_levels_waiting_a_slower_input_is_probed_at_once() {
    let mut driver = join();
    let mut last = Tag::FIRST;
    let mut asked_after = |upto: u64, driver: &mut Driver| {
        (2..upto).find(|seq| {
            last = last.next();
            driver.receive_level("n", "a", *seq, last, f64::from(u8::from(seq % 2 == 0)));
            driver
                .sent_from("n", "b")
                .iter()
                .any(|body| matches!(body, SignalBody::Probe { upto, .. } if *upto == last))
        })
    };
    assert_eq!(asked_after(3000, &mut driver), Some(1025));
}

#[test]
fn no_tag_is_evaluated_after_a_later_one_was_left_out() {
    let inputs = ["a", "b", "c"].map(|source| (id(source), 1.0));
    let config = inputs.into_iter().fold(Config::new().threshold(2.9), |config, (id, weight)| config.input(id, weight));
    let mut driver = Driver::alone("n", config);
    // a is unknown before tag 5 ms, and b between its first tag and 100 ms; c has sent nothing.
    for (source, seq, known, at) in
        [("a", 1, Tag::ORIGIN, tag(5)), ("b", 1, Tag::ORIGIN, Tag::FIRST), ("b", 2, Tag::FIRST, tag(100))]
    {
        let stream = driver.stream("n", source);
        driver.receive("n", source, SignalBody::Changed { stream, seq, known, at, value: Value::plain(0.0) });
    }
    driver.stimulate_at(10, "n");
    for millis in (200..=5_000).step_by(200) {
        driver.run_to(millis);
        driver.receive_null("n", "a", 1, tag(50)); // it is at it
    }
    // c is marked down, so the tags before 100 ms were skipped, and the stimulus has begun.
    driver.receive_level("n", "c", 1, Tag::FIRST, 0.0);
    assert!(!driver.neuron("n").is_ready(), "at its first tag it was not stimulated yet");
    driver.receive_null("n", "c", 1, tag(100));
    driver.receive_null("n", "a", 1, tag(100));
    assert_eq!(driver.value("n"), Value::plain(1.0));
}
