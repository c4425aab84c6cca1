//! Clocks that are set while their hosts run, in virtual time.

use std::time::Duration;

use neuron_core::{
    Network, Value,
    sim::{Action, Machine, Outcome, Plan},
};

const HOUR: i64 = 3_600_000_000;

/// When the clock is set right: long after all that wait for its host have given it up.
const SET_AT: Duration = Duration::from_secs(12);

const fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

/// a and t run on pi1; b hears a, c hears b on pi1 again, and t hears s of pi2.
fn network() -> Network {
    Network::builder("clocks")
        .hold(Duration::from_secs(1000))
        .neuron("a", |a| a.threshold(0.9).host("pi1"))
        .neuron("b", |b| b.threshold(0.9).weight("a", 1.0).host("pi2"))
        .neuron("c", |c| c.threshold(0.9).weight("b", 1.0).host("pi1"))
        .neuron("s", |s| s.threshold(0.9).host("pi2"))
        .neuron("t", |t| t.threshold(0.9).weight("s", 1.0).host("pi1"))
        .build()
        .expect("it is right")
}

/// Runs with the clock of pi1 so many microseconds ahead, or behind, until it is set right. The
/// neurons are asked at these times.
fn run(offset: i64, seed: u64, asked: &[Duration]) -> Outcome {
    let mut plan = Plan::new(network(), seed).at(ms(1000), Action::stimulate("s", 1.0));
    let pi1 = "pi1".parse().expect("a name");
    plan.machines.insert(pi1, Machine { offset, ..Machine::default() });
    for at in asked {
        for neuron in ["b", "t", "c"] {
            plan = plan.at(*at, Action::Query(neuron.parse().expect("a name")));
        }
    }
    let outcome = plan.at(SET_AT, Action::SetClock { host: "pi1".parse().expect("a name"), offset: 0 }).run();
    assert_eq!(outcome.failures, []);
    outcome
}

fn answers(outcome: &Outcome) -> Vec<(&str, Option<Value>)> {
    outcome.queries.iter().map(|query| (query.neuron.as_str(), query.answer.clone())).collect()
}

#[test]
fn a_clock_eight_hours_behind_that_is_set_right_makes_all_plain_within_a_patience() {
    for seed in 0..100 {
        let outcome = run(-8 * HOUR, seed, &[SET_AT - ms(1000), SET_AT + ms(100)]);
        let answers = answers(&outcome);
        let is_plain = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_degraded());
        assert!(!is_plain(&answers[0].1), "seed {seed}: before, b lacks a: {answers:?}");
        let after = [("b", Some(Value::plain(0.0))), ("t", Some(Value::plain(1.0))), ("c", Some(Value::plain(0.0)))];
        assert_eq!(answers[3..], after, "seed {seed}");
        let latency = outcome.queries[3..].iter().filter_map(|query| query.latency).max();
        assert!(latency.is_some_and(|latency| latency < ms(100)), "seed {seed}: {latency:?}");
    }
}

#[test]
fn a_clock_that_is_set_forward_by_any_span_marks_no_input_down() {
    for (seed, offset) in [1, 2, 60, 3600, 3 * 3600, 24 * 3600].into_iter().enumerate() {
        let offset = -offset * 1_000_000;
        let outcome = run(offset, seed as u64, &[SET_AT + ms(100)]);
        let plain = |neuron, level| (neuron, Some(Value::plain(level)));
        assert_eq!(answers(&outcome), [plain("b", 0.0), plain("t", 1.0), plain("c", 0.0)], "{offset}");
        if offset > -2 * HOUR {
            assert_eq!((outcome.totals.silences, outcome.totals.degraded), (0, 0), "{offset}");
        }
    }
}
