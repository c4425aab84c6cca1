//! Restarts: what an incarnation keeps of the one before.

use std::time::Duration;

use super::driver::{Driver, id, incarnation, ms, now, sample, sensor, stimulus, tag};
use crate::{
    Source, Time,
    command::{Answer, Command, ConfigChange, Refusal, Stamp},
    neuron::{Config, Sensor},
    signal::{SignalBody, StreamId},
};

/// `x` → `n` → `z`.
fn chain() -> Driver {
    let gate = |source| Config::new().threshold(0.9).input(id(source), 1.0);
    Driver::network([("x", Config::new()), ("n", gate("x").sensor(sensor("s"), 1.0)), ("z", gate("n"))])
}

#[test]
fn a_restart_keeps_the_configuration_with_acknowledged_changes_that_were_not_evaluated() {
    let mut driver = chain();
    driver.run_to(10);
    driver.request("n", Command::Reserve);
    let expected = driver.config("n");
    driver.stamped("n", Command::Configure(ConfigChange::SetThreshold { threshold: 0.25 }));
    driver.stamped("n", Command::Configure(ConfigChange::SetWeight { source: Source::Neuron(id("x")), weight: 0.5 }));
    driver
        .stamped("n", Command::Configure(ConfigChange::SetWeight { source: Source::Sensor(sensor("t")), weight: 2.0 }));
    driver.stamped("n", Command::Configure(ConfigChange::DeleteWeight { source: Source::Sensor(sensor("s")) }));
    assert_eq!(driver.config("n"), expected);
    driver.restart("n");
    driver.run_to(20);
    let config = driver.config("n");
    assert_eq!(config.threshold, Some(0.25));
    assert_eq!(config.weights, [(id("x"), 0.5)].into());
    assert_eq!(config.sensors, [(sensor("t"), Sensor::new(2.0))].into());
    assert_eq!(config.inputs, expected.inputs);
    assert_eq!(config.connections, expected.connections);
    driver.stimulate_at(30, "x");
    assert_eq!(driver.level("z"), 1.0);
}

#[test]
fn a_disconnection_that_was_stamped_is_carried_out() {
    let mut driver = chain();
    driver.run_to(10);
    driver.request("n", Command::Reserve);
    let request = driver.request("n", Command::Configure(ConfigChange::Disconnect { source: id("x") }));
    driver.restart("n");
    driver.run_to(20);
    assert_eq!(driver.replies(request), [Ok(Answer::Stamped(Stamp { tag: tag(10), moved: false }))]);
    assert_eq!(driver.config("n").inputs, [].into());
    assert_eq!(driver.config("x").connections, []);
}

#[test]
fn a_restart_keeps_an_acknowledged_connection() {
    let mut driver = chain();
    driver.run_to(10);
    driver.request("z", Command::Reserve);
    driver.stamped("z", Command::Configure(ConfigChange::SetWeight { source: id("x").into(), weight: -1.0 }));
    driver.stamped("z", Command::Configure(ConfigChange::Connect { source: id("x"), delay: None }));
    driver.restart("z");
    driver.run_to(20);
    assert_eq!(driver.config("z").inputs, [(id("n"), None), (id("x"), None)].into());
    driver.stimulate_at(30, "x");
    assert_eq!([driver.level("n"), driver.level("z")], [1.0, 0.0]);
}

#[test]
fn a_restart_ends_the_linger() {
    let lamp = Config::new().threshold(0.9).sensor(sensor("s"), 1.0).linger(ms(60_000));
    let mut driver = Driver::alone("lamp", lamp);
    driver.feed_at(1, "lamp", "s", 1.0);
    assert_eq!(driver.level_at(10_000, "lamp"), 1.0);
    driver.restart("lamp");
    assert_eq!(driver.level("lamp"), 0.0);
    assert_eq!(driver.neuron("lamp").wake_at(), None);
}

#[test]
fn a_restart_drops_stimuli_and_readings() {
    let mut driver = chain();
    driver.request("n", Command::Watch { watch: 1 });
    driver.stimulate_at(1, "n");
    driver.feed_at(2, "n", "s", 1.0);
    driver.run_to(10);
    assert_eq!([driver.level("n"), driver.level("z")], [1.0, 1.0]);
    driver.changes();
    driver.restart("n");
    driver.run_to(100);
    assert_eq!([driver.level("n"), driver.level("z")], [0.0, 0.0]);
    let [change] = driver.changes().try_into().expect("the watch reports that it is off");
    assert_eq!(change.level, 0.0);
    // The levels between the incarnations are unknown.
    assert_eq!(driver.reported(), 1 + 1);
    assert_eq!(driver.counters("n").restarts, 1);
    assert_eq!(driver.counters("n").firings, 1);
    driver.run_to(10_000);
    assert_eq!(driver.changes(), []);
}

#[test]
fn a_restarted_neuron_gets_the_levels_of_its_inputs_again() {
    let mut driver = chain();
    driver.stimulate_at(1, "x");
    driver.run_to(10);
    driver.restart("n");
    driver.run_to(100);
    assert_eq!([driver.level("n"), driver.level("z")], [1.0, 1.0]);
    driver.run_to(5001);
    assert_eq!([driver.level("n"), driver.level("z")], [0.0, 0.0]);
}

#[test]
fn a_new_incarnation_greets_its_subscribers_and_subscribes_again() {
    let mut driver = chain();
    driver.run_to(10);
    let old = driver.stream("n", "x");
    driver.sent();
    driver.restart("n");
    assert_eq!(driver.neuron("n").incarnation(), incarnation(2));
    let sent = driver.sent();
    let of_n: Vec<_> = sent.iter().filter(|sent| sent.from == id("n")).collect();
    assert!(of_n.iter().all(|sent| sent.signal.incarnation == incarnation(2)));
    let stream = driver.stream("n", "x");
    assert!(stream > old);
    let says = |to: &str, body| of_n.iter().any(|sent| sent.to == id(to) && sent.signal.body == body);
    assert!(says("x", SignalBody::Subscribe { stream }));
    assert!(says("z", SignalBody::Hello));
    driver.run_to(20);
    assert!(driver.neuron("n").is_ready());
}

#[test]
fn a_new_incarnation_sends_only_later_tags() {
    let mut driver = chain();
    driver.run_to(10);
    // A tag ahead of the clock, so that only the promises of the last incarnation can keep the new
    // one from repeating it.
    let ahead = Command::Stimulate { stimulus: stimulus(1.0), at: Some(tag(1000)), within: Default::default() };
    assert_eq!(driver.stamped("x", ahead).tag, tag(1000));
    assert_eq!(driver.neuron("x").complete_through(), tag(1000));
    driver.sent();
    driver.restart("x");
    assert_eq!(driver.level("x"), 0.0);
    let mut stated = driver.sent().into_iter().filter_map(|sent| match sent.signal.body {
        SignalBody::Changed { at, .. } if sent.from == id("x") => Some(at),
        _ => None,
    });
    assert!(stated.next().is_some_and(|at| at > tag(1000)));
    assert!(driver.stimulate_at(20, "x").tag > tag(1000));
}

#[test]
fn a_waiting_query_is_refused_at_a_restart() {
    let mut driver = chain();
    driver.run_to(10);
    let question = driver.request("n", Command::OutputAt { tag: tag(1000) });
    let connection =
        driver.request("n", Command::Configure(ConfigChange::Connect { source: id("silent"), delay: None }));
    driver.restart("n");
    assert_eq!(driver.replies(question), [Err(Refusal::Restarted)]);
    assert_eq!(driver.replies(connection), [Err(Refusal::Restarted)]);
    assert!(!driver.config("n").inputs.contains_key("silent"));
}

#[test]
fn the_level_before_a_restart_is_unknown_where_it_was_not_promised() {
    let mut driver = chain();
    driver.stimulate_at(10, "x");
    driver.run_to(20);
    driver.restart("x");
    driver.run_to(30);
    let level = |driver: &mut Driver, tag| driver.ask("x", Command::OutputAt { tag });
    assert_eq!(level(&mut driver, tag(10)), Ok(Answer::Output(sample(1.0, tag(10)))));
    assert_eq!(level(&mut driver, tag(15)), Err(Refusal::Unknown(tag(15))));
    assert_eq!(level(&mut driver, tag(25)), Ok(Answer::Output(sample(0.0, tag(25)))));
}

#[test]
fn a_subscriber_reports_the_gap_of_a_restart_as_unknown() {
    let mut driver = chain();
    driver.stimulate_at(10, "x");
    driver.restart("x");
    driver.run_to(100);
    assert_eq!([driver.level("x"), driver.level("n"), driver.level("z")], [0.0; 3]);
    assert_eq!(driver.firings("z"), [tag(10)]);
    let meanwhile = tag(10).next();
    assert!(driver.neuron("n").complete_through() > meanwhile);
    assert_eq!(driver.ask("n", Command::OutputAt { tag: meanwhile }), Err(Refusal::Unknown(meanwhile)));
}

#[test]
fn a_neuron_that_restarts_when_tags_have_run_out_stays_silent() {
    let mut driver = chain();
    driver.run_until(Time::MAX);
    while driver.ask("x", now(stimulus(1.0))) != Err(Refusal::TimeExhausted) {}
    driver.restart("x");
    driver.run_until(Time::MAX);
    assert!(!driver.neuron("x").is_ready());
}

#[test]
fn a_source_that_restarts_before_its_first_snapshot_is_subscribed_to_again() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.sent();
    // a is a subscriber of n as well; its new incarnation subscribes first and greets afterwards.
    let stream = StreamId { incarnation: incarnation(2), counter: 1 };
    driver.receive_from_incarnation("n", "a", incarnation(2), SignalBody::Subscribe { stream });
    driver.receive_from_incarnation("n", "a", incarnation(2), SignalBody::Hello);
    let again = driver.sent().into_iter().filter(|sent| matches!(sent.signal.body, SignalBody::Subscribe { .. }));
    assert_eq!(again.count(), 1);
}

#[test]
fn a_request_that_is_repeated_after_a_crash_is_answered_and_not_carried_out_twice() {
    let mut driver = chain();
    driver.run_to(10);
    let changes = [
        ConfigChange::Disconnect { source: id("n") },
        ConfigChange::Connect { source: id("n"), delay: None },
        ConfigChange::Connect { source: id("x"), delay: Some(ms(5)) },
        ConfigChange::SetThreshold { threshold: 0.5 },
    ];
    let mut asked = Vec::new();
    for change in changes {
        let request = driver.request("z", Command::Configure(change.clone()));
        let now = driver.millis();
        driver.run_to(now + 10);
        asked.push((request, change, driver.replies(request)));
    }
    // A stimulus that a crash has taken away is not answered as if it held.
    let stimulus = driver.request("z", Command::Train { levels: vec![1.0] });
    let config = driver.config("z");
    driver.resume("z");
    driver.run_to(500);
    for (request, change, before) in asked {
        assert!(matches!(before[..], [Ok(Answer::Stamped(_))]), "{change:?}: {before:?}");
        driver.request_again("z", request, Command::Configure(change));
        assert_eq!(driver.replies(request), [before.clone(), before].concat());
    }
    let stimulated = driver.replies(stimulus);
    driver.request_again("z", stimulus, Command::Train { levels: vec![1.0] });
    assert_ne!(driver.replies(stimulus).last(), stimulated.last());
    let again = driver.config("z");
    assert_eq!((again.inputs, again.threshold), (config.inputs, config.threshold));
}

#[test]
fn a_connection_whose_end_was_saved_is_answered_after_a_crash() {
    let mut driver = chain();
    driver.run_to(10);
    // The source does not answer, so the end waits to be evaluated.
    driver.crash("n");
    let change = ConfigChange::Disconnect { source: id("n") };
    let request = driver.request("z", Command::Configure(change.clone()));
    assert_eq!(driver.replies(request), []);
    driver.resume("z");
    driver.request_again("z", request, Command::Configure(change));
    assert!(matches!(driver.replies(request)[..], [Ok(Answer::Stamped(Stamp { moved: false, .. }))]));
}

fn set(threshold: f64) -> Command {
    Command::Configure(ConfigChange::SetThreshold { threshold })
}

#[test]
fn the_last_64_changes_are_saved_whatever_the_clock_and_the_tags_are() {
    let mut driver = Driver::alone("n", Config::new());
    for number in 0..100 {
        driver.stamped("n", set(f64::from(number)));
    }
    assert_eq!(driver.stored("n").changes.len(), 64);
    driver.run_to(601_000);
    driver.stamped("n", set(0.5));
    assert_eq!(driver.stored("n").changes.len(), 64);
}

#[test]
fn a_stamp_far_ahead_lets_no_saved_change_be_forgotten() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    let first = driver.request("n", set(0.7));
    driver.run_to(20);
    driver.request("n", set(0.8));
    let far = Command::Stimulate { stimulus: stimulus(1.0), at: Some(tag(3_600_000)), within: Duration::ZERO };
    driver.request_as("other", "n", far);
    driver.crash("n");
    driver.resume("n");
    driver.run_to(100);
    driver.request_again("n", first, set(0.7));
    driver.run_to(200);
    assert_eq!(driver.stored("n").config.threshold, Some(0.8));
}

#[test]
fn changes_of_one_controller_do_not_displace_the_saved_ones_of_another() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    let first = driver.request("n", set(0.7));
    driver.run_to(20);
    driver.request("n", set(0.8));
    driver.run_to(30);
    for index in 0..64 {
        let weight = ConfigChange::SetWeight { source: id(&format!("s{index}")).into(), weight: 1.0 };
        driver.request_as("greedy", "n", Command::Configure(weight));
    }
    driver.run_to(40);
    driver.crash("n");
    driver.resume("n");
    driver.run_to(50);
    driver.request_again("n", first, set(0.7));
    driver.run_to(60);
    assert_eq!(driver.config("n").threshold, Some(0.8));
}
