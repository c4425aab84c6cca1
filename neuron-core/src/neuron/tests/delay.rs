//! Edges with a delay: their levels re-enter later.

use super::driver::{Driver, Sent, id, ms, now, stimulus, tag};
#[cfg(feature = "sim")]
use crate::value::Value;
use crate::{
    Tag, Time,
    command::{Answer, Command, ConfigChange, Refusal},
    neuron::{Config, Mode},
    signal::SignalBody,
};

#[test]
fn a_level_re_enters_over_a_delayed_edge_not_before_its_delay() {
    let config = Config::new().threshold(0.5).delayed_input(id("x"), 1.0, ms(10));
    let mut driver = Driver::network([("x", Config::new()), ("n", config)]);
    driver.stimulate_at(1, "x");
    assert_eq!(driver.level_at(10, "n"), 0.0);
    assert_eq!(driver.level_at(11, "n"), 1.0);
    assert_eq!(driver.firings("n"), [tag(11)]);
    assert_eq!(driver.level_at(5010, "n"), 1.0);
    assert_eq!(driver.level_at(5011, "n"), 0.0);
}

#[test]
fn a_neuron_does_not_wait_for_a_source_behind_a_delayed_edge() {
    let config = Config::new().threshold(0.5).delayed_input(id("silent"), 1.0, ms(10));
    let mut driver = Driver::alone("n", config);
    driver.stimulate_at(1, "n");
    assert_eq!(driver.level("n"), 1.0);
    assert_eq!(driver.counters("n").probes, 0);
}

#[cfg(feature = "sim")]
#[test]
fn an_input_that_is_back_with_nothing_new_is_asked_what_it_states() {
    let config = Config::new().threshold(0.5).delayed_input(id("x"), 1.0, ms(10));
    let mut driver = Driver::alone("n", config);
    driver.receive_level("n", "x", 1, tag(1), 0.0);
    driver.run_to(1000);
    driver.lose_input("n", "x");
    assert!(driver.value("n").is_degraded());
    // It is alive, and may have stated more than this.
    driver.receive_level("n", "x", 1, tag(1), 0.0);
    driver.run_to(8000);
    assert!(driver.value("n").is_degraded());
    let sent = driver.sent_from("n", "x");
    assert!(sent.iter().any(|body| matches!(body, SignalBody::Probe { .. })), "{sent:?}");
    driver.receive_null("n", "x", 1, tag(1));
    driver.run_to(15_000);
    assert_eq!(driver.value("n"), Value::plain(0.0));
}

#[cfg(feature = "sim")]
#[test]
fn an_input_that_answers_without_showing_what_it_states_is_asked_with_pauses() {
    let config = Config::new().threshold(0.5).delayed_input(id("x"), 1.0, ms(10));
    let mut driver = Driver::alone("n", config);
    driver.receive_level("n", "x", 1, tag(1), 0.0);
    driver.run_to(1000);
    driver.lose_input("n", "x");
    driver.run_to(2000);
    let probes = driver.counters("n").probes;
    for _ in 0..10 {
        // The second statement is lost.
        driver.receive_null("n", "x", 2, tag(1));
    }
    assert!(driver.value("n").is_degraded());
    assert_eq!(driver.counters("n").probes, probes);
    driver.run_to(8000);
    assert!(driver.counters("n").probes > probes);
}

/// A neuron that keeps itself on, with an input to set it and one to clear it.
fn latch() -> Driver {
    let latch = Config::new().threshold(0.9).input(id("set"), 1.0).input(id("clear"), -2.0);
    let latch = latch.delayed_input(id("latch"), 1.0, ms(10));
    let button = Config::new().hold(ms(50));
    Driver::network([("set", button.clone()), ("clear", button), ("latch", latch)])
}

#[test]
fn a_latch_remembers_and_can_be_cleared() {
    let mut driver = latch();
    driver.stimulate_at(1, "set");
    assert_eq!(driver.level_at(1000, "latch"), 1.0);
    assert_eq!(driver.level_at(3_600_000, "latch"), 1.0);
    driver.stimulate_at(3_600_001, "clear");
    assert_eq!(driver.level_at(3_601_000, "latch"), 0.0);
    assert_eq!(driver.level_at(7_200_000, "latch"), 0.0);
    driver.stimulate_at(7_200_001, "set");
    assert_eq!(driver.level_at(7_201_000, "latch"), 1.0);
    assert_eq!(driver.counters("latch").firings, 2);
}

#[test]
fn a_latch_that_is_on_renews_its_level_and_sends_nothing_else() {
    let mut driver = latch();
    driver.stimulate_at(1, "set");
    driver.run_to(1000);
    let stream = driver.stream("latch", "latch");
    driver.sent();
    driver.run_to(60_000);
    let sent = driver.sent();
    // One renewal every third of the lease of 2 s.
    assert!((88..=89).contains(&sent.len()), "{} in 59 s", sent.len());
    for Sent { from, to, signal } in sent {
        assert_eq!((from, to), (id("latch"), id("latch")));
        assert!(matches!(signal.body, SignalBody::Nothing { stream: said, wave: false, .. } if said == stream));
    }
    assert_eq!(driver.level("latch"), 1.0);
}

#[test]
fn a_latch_that_is_off_sends_nothing() {
    let mut driver = latch();
    driver.stimulate_at(1, "set");
    driver.stimulate_at(1000, "clear");
    driver.run_to(2000);
    driver.sent();
    driver.run_to(3_600_000);
    assert_eq!(driver.sent(), []);
}

#[test]
fn a_connection_to_itself_without_a_delay_is_refused() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    let before = driver.config("n");
    let connect = |delay| Command::Configure(ConfigChange::Connect { source: id("n"), delay });
    assert_eq!(driver.ask("n", connect(None)), Err(Refusal::SelfConnection(id("n"))));
    assert_eq!(driver.ask("n", connect(Some(ms(0)))), Err(Refusal::NoDelay));
    assert_eq!(driver.config("n"), before);
    assert_eq!(driver.counters("n").refused, 2);
}

#[test]
fn a_connection_to_itself_with_a_delay_works() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    driver.run_to(1);
    driver.stamped("n", Command::Configure(ConfigChange::SetWeight { source: id("n").into(), weight: 1.0 }));
    let result = driver.ask("n", Command::Configure(ConfigChange::Connect { source: id("n"), delay: Some(ms(10)) }));
    assert!(matches!(result, Ok(Answer::Stamped(_))), "{result:?}");
    assert_eq!(driver.config("n").inputs, [(id("n"), Some(ms(10)))].into());
    driver.stimulate_at(2, "n");
    assert_eq!(driver.level_at(60_000, "n"), 1.0);
    // It keeps itself on: ending the stimulus is not enough.
    driver.stamped("n", now(stimulus(0.0)));
    assert_eq!(driver.level_at(60_100, "n"), 1.0);
}

#[test]
fn a_delayed_edge_from_a_source_that_fires_shows_its_level() {
    for mode in [Mode::Coherent, Mode::Asap] {
        let n = Config::new().threshold(0.9).mode(mode);
        let mut driver = Driver::network([("x", Config::new()), ("n", n)]);
        driver.stimulate_at(1, "x");
        driver.stamped("n", Command::Configure(ConfigChange::SetWeight { source: id("x").into(), weight: 1.0 }));
        // The level is from long before the connection.
        driver.run_to(3000);
        let connect = ConfigChange::Connect { source: id("x"), delay: Some(ms(5)) };
        let connected = driver.stamped("n", Command::Configure(connect)).tag;
        driver.run_to(3010);
        assert_eq!(driver.level("n"), 1.0, "{mode:?}");
        assert!(driver.firings("n").iter().all(|fired| *fired >= connected), "{mode:?}");
    }
}

#[test]
fn a_connection_to_itself_with_a_negative_weight_oscillates() {
    let config = Config::new().threshold(-0.5).delayed_input(id("n"), -1.0, ms(100));
    let mut driver = Driver::alone("n", config);
    driver.run_to(1050);
    // It fires at the first tag, and from then on every 200 ms.
    assert_eq!(driver.counters("n").firings, 6);
}

#[test]
fn levels_that_re_enter_while_nothing_can_be_evaluated_are_bounded_and_the_newest_wins() {
    const STATEMENTS: u64 = 10_000;
    let config = Config::new().threshold(0.9).delayed_input(id("a"), 1.0, ms(1)).input(id("b"), 1.0);
    let mut driver = Driver::alone("n", config);
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.receive_level("n", "b", 1, Tag::FIRST, 0.0);
    for number in 0..STATEMENTS {
        // b renews, so it is waited for.
        driver.run_to(10 + number / 4);
        driver.receive_null("n", "b", 1, Tag::FIRST);
        let at = Tag::at(Time::from_micros(10_000 + number * 250));
        driver.receive_level("n", "a", number + 2, at, f64::from(u8::from(number % 2 == 0)));
        assert!(driver.neuron("n").parts.evaluation.waiting_events().count() <= 4096);
    }
    assert!(driver.counters("n").superseded > 0);
    driver.receive_null("n", "b", 1, tag(20_000));
    driver.run_to(20_000);
    assert_eq!(driver.level("n"), 0.0, "the last level of a was 0");
}
