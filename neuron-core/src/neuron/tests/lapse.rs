//! Leases: levels that lapse without a renewal.

use super::{
    driver::{Driver, id, ms, tag},
    silence::{degraded, or},
};
use crate::{Tag, Value, command::Command, neuron::Config, record::Event, signal::SignalBody};

#[test]
fn a_level_that_lasts_lapses_after_lease_and_patience() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    driver.run_to(1000);
    driver.receive_null("n", "a", 2, tag(10));
    driver.run_to(3249);
    assert_eq!(driver.value("n"), Value::plain(1.0));
    driver.run_to(3250);
    assert_eq!(driver.value("n"), degraded(0.0, ["a"]));
    assert_eq!(driver.stamped_by("n").last(), Some(&(tag(3250), Event::Recheck)));
}

#[test]
fn a_degradation_lapses_like_a_level() {
    let config = Config::new().threshold(1.9).input(id("a"), 1.0).input(id("b"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.receive_value("n", "a", 1, Tag::FIRST, degraded(0.0, ["q"]));
    driver.receive_level("n", "b", 1, Tag::FIRST, 0.0);
    assert_eq!(driver.value("n"), Value::plain(0.0));
    driver.run_to(2249);
    assert_eq!(driver.counters("n").silences, 0);
    driver.run_to(2250);
    assert_eq!(driver.counters("n").silences, 1);
}

#[test]
fn a_level_at_rest_never_lapses() {
    let mut driver = or();
    driver.run_to(86_400_000);
    assert_eq!(driver.value("n"), Value::plain(0.0));
    assert_eq!(driver.counters("n").silences, 0);
}

#[test]
fn a_level_that_comes_over_a_delayed_edge_lapses_too() {
    let config = Config::new().threshold(0.9).delayed_input(id("a"), 1.0, ms(10));
    let mut driver = Driver::alone("n", config);
    driver.receive_level("n", "a", 1, Tag::FIRST, 1.0);
    driver.run_to(2249);
    assert_eq!(driver.value("n"), Value::plain(1.0));
    driver.run_to(2250);
    assert_eq!(driver.value("n"), degraded(0.0, ["a"]));
}

#[test]
fn levels_that_last_are_renewed_each_third_of_the_lease_and_nothing_is_sent_at_rest() {
    let mut driver = Driver::alone("n", Config::new().hold(ms(20_000)).lease(ms(3000)));
    let stream = driver.receive_subscription("n", "s");
    driver.receive_subscription("n", "t");
    driver.stimulate_at(1, "n");
    driver.run_to(1500);
    driver.sent();
    driver.run_to(11_500);
    let sent = driver.sent();
    assert_eq!(sent.len(), 20, "one each second on each of two connections, for ten seconds");
    let renewal = SignalBody::Nothing { stream, after: 2, upto: tag(1), wave: false };
    assert!(sent.iter().all(|sent| sent.signal.body == renewal), "{sent:?}");
    driver.run_to(20_001);
    driver.sent();
    driver.run_to(86_400_000);
    assert_eq!(driver.sent(), []);
    assert_eq!(driver.neuron("n").wake_at(), None);
}

#[test]
fn a_level_is_not_renewed_for_a_subscriber_that_was_sent_something_else() {
    let mut driver = Driver::alone("n", Config::new().hold(ms(20_000)).lease(ms(3000)));
    let stream = driver.receive_subscription("n", "s");
    driver.receive_subscription("n", "t");
    driver.stimulate_at(1, "n");
    driver.run_to(1500);
    driver.receive("n", "s", SignalBody::Probe { stream, upto: tag(1500) });
    driver.sent();
    driver.run_to(2500);
    let to: Vec<_> = driver.sent().into_iter().map(|sent| sent.to).collect();
    assert_eq!(to, [id("t")]);
}

#[test]
fn levels_of_inputs_that_are_up_never_lapse() {
    let gate = |source| Config::new().threshold(0.9).input(id(source), 1.0);
    let mut driver = Driver::network([("x", Config::new().hold(ms(60_000))), ("n", gate("x")), ("z", gate("n"))]);
    driver.stimulate_at(1, "x");
    driver.run_to(60_000);
    assert_eq!([driver.value("n"), driver.value("z")], [Value::plain(1.0), Value::plain(1.0)]);
    assert_eq!([driver.counters("n").silences, driver.counters("z").silences], [0, 0]);
}

#[test]
fn a_level_lapses_even_if_the_neuron_is_always_late() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10);
    driver.receive_level("n", "a", 2, tag(10), 1.0);
    for stalled_to in [5_000, 10_000] {
        assert_eq!(driver.value("n"), Value::plain(1.0));
        driver.stall_to(stalled_to);
        driver.request("n", Command::Output { after: Tag::ORIGIN });
    }
    assert_eq!(driver.value("n"), degraded(0.0, ["a"]), "being late excuses an input only once");
}
