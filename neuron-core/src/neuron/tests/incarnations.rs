//! Incarnations: the state that a store keeps, and the fencing of incarnations that have ended.

use super::driver::{Driver, id, incarnation, now, sensor, stamped_at, stimulus, tag, xor};
use crate::{
    Source, Tag, Value,
    command::{Command, ConfigChange, Refusal},
    neuron::Config,
    signal::{Incarnation, SignalBody, StreamId},
};

/// `x` → `n` → `z`.
fn chain() -> Driver {
    let gate = |source| Config::new().threshold(0.9).input(id(source), 1.0);
    Driver::network([("x", Config::new()), ("n", gate("x").sensor(sensor("s"), 1.0)), ("z", gate("n"))])
}

/// A neuron with the input `a`, which the test plays and which is in its second incarnation.
fn listener() -> Driver {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    let (stream, value) = (driver.stream("n", "a"), Value::plain(0.0));
    let snapshot = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: Tag::FIRST, value };
    driver.receive_from_incarnation("n", "a", incarnation(2), snapshot);
    driver.sent();
    driver
}

#[test]
fn the_store_has_the_changes_that_were_acknowledged_and_not_evaluated() {
    let mut driver = chain();
    driver.run_to(10);
    driver.request("n", Command::Reserve);
    driver.stamped("n", Command::Configure(ConfigChange::SetThreshold { threshold: 0.25 }));
    driver.stamped("n", Command::Configure(ConfigChange::SetWeight { source: Source::Neuron(id("x")), weight: 0.5 }));
    driver
        .stamped("n", Command::Configure(ConfigChange::SetWeight { source: Source::Sensor(sensor("t")), weight: 2.0 }));
    driver.stamped("n", Command::Configure(ConfigChange::DeleteWeight { source: Source::Sensor(sensor("s")) }));
    let saved = driver.stored("n");
    let expected = Config::new().threshold(0.25).input(id("x"), 0.5).sensor(sensor("t"), 2.0);
    assert_eq!(saved.config, expected);
    assert_eq!(saved.incarnation, 1);
    // With these, a source that has lost its store is noticed even after a restart.
    assert_eq!(saved.subscribers, [(id("z"), incarnation(1))].into());
    assert_eq!(saved.sources, [(id("x"), incarnation(1))].into());
}

#[test]
fn the_store_has_the_connections_that_were_made_and_not_those_that_ended() {
    let mut driver = chain();
    driver.run_to(10);
    driver.request("z", Command::Reserve);
    driver.stamped("z", Command::Configure(ConfigChange::Connect { source: id("x"), delay: None }));
    driver.request("z", Command::Configure(ConfigChange::Disconnect { source: id("n") }));
    assert_eq!(driver.stored("z").config.inputs, [(id("x"), None)].into());
}

#[test]
fn a_resumed_neuron_keeps_its_configuration_and_greets_its_subscribers() {
    let mut driver = chain();
    driver.run_to(10);
    driver.stamped("n", Command::Configure(ConfigChange::SetWeight { source: Source::Neuron(id("x")), weight: 2.0 }));
    driver.crash("n");
    driver.sent();
    driver.resume("n");
    assert_eq!(driver.neuron("n").incarnation(), incarnation(2));
    let stream = driver.stream("n", "x");
    assert_eq!(stream, StreamId { incarnation: incarnation(2), counter: 1 });
    let sent = driver.sent();
    let says = |to: &str, body| sent.iter().any(|sent| sent.to == id(to) && sent.signal.body == body);
    assert!(says("x", SignalBody::Subscribe { stream }) && says("z", SignalBody::Hello));
    driver.run_to(20);
    assert_eq!(driver.config("n").weights, [(id("x"), 2.0)].into());
    assert_eq!(driver.config("n").connections, [id("z")]);
    driver.stimulate_at(30, "x");
    assert_eq!(driver.value("z"), Value::plain(1.0));
}

#[test]
fn a_resumed_neuron_sends_no_tag_that_its_last_incarnation_promised() {
    let mut driver = chain();
    driver.run_to(10);
    // A tag ahead of the clock, so that only the store can keep the new incarnation from repeating
    // it.
    assert_eq!(driver.stamped("x", stamped_at(tag(1000), stimulus(1.0))).tag, tag(1000));
    assert_eq!(driver.level("z"), 1.0);
    assert!(driver.stored("x").ceiling >= tag(1000));
    driver.crash("x");
    driver.sent();
    driver.resume("x");
    let mut stated = driver.sent().into_iter().filter_map(|sent| match sent.signal.body {
        SignalBody::Changed { at, .. } if sent.from == id("x") => Some(at),
        _ => None,
    });
    assert!(stated.next().is_some_and(|at| at > tag(1000)));
    assert!(driver.stimulate_at(20, "x").tag > tag(1000));
}

#[test]
fn an_active_neuron_asks_for_its_store_not_more_than_once_a_second() {
    let mut driver = chain();
    let mut ceilings = std::collections::BTreeSet::new();
    for millis in 1..=1000 {
        driver.run_to(millis);
        driver.stamped("x", now(stimulus((millis % 2) as f64)));
        ceilings.insert(driver.stored("x").ceiling);
    }
    assert!(ceilings.len() <= 2, "{ceilings:?}");
}

#[test]
fn a_resumed_subscriber_gets_a_new_snapshot() {
    let mut driver = chain();
    driver.stimulate_at(1, "x");
    driver.run_to(10);
    driver.crash("z");
    driver.run_to(500);
    driver.resume("z");
    driver.run_to(510);
    assert_eq!(driver.value("z"), Value::plain(1.0));
}

#[test]
fn an_older_incarnation_is_fenced_and_ignored() {
    let mut driver = listener();
    let stream = driver.stream("n", "a");
    driver.run_to(10);
    let value = Value::plain(1.0);
    let statement = SignalBody::Changed { stream, seq: 2, known: Tag::FIRST, at: tag(5), value };
    driver.receive_from_incarnation("n", "a", incarnation(1), statement);
    assert_eq!(driver.level("n"), 0.0);
    let fenced = SignalBody::Fenced { answered: incarnation(1), known: incarnation(2) };
    assert_eq!(driver.sent_from("n", "a"), [fenced]);
    assert_eq!(driver.counters("n").duplicates, 1);
}

#[test]
fn another_incarnation_with_the_same_number_is_fenced_too() {
    let mut driver = listener();
    let twin = Incarnation { number: 2, nonce: 7 };
    driver.receive_from_incarnation("n", "a", twin, SignalBody::Hello);
    assert_eq!(driver.sent_from("n", "a"), [SignalBody::Fenced { answered: twin, known: incarnation(2) }]);
    // The same holds for a subscriber.
    driver.receive_subscription("n", "s");
    driver.sent();
    let stream = StreamId { incarnation: Incarnation { number: 1, nonce: 7 }, counter: 1 };
    driver.receive_from_incarnation("n", "s", stream.incarnation, SignalBody::Subscribe { stream });
    let fenced = SignalBody::Fenced { answered: stream.incarnation, known: incarnation(1) };
    assert_eq!(driver.sent_from("n", "s"), [fenced]);
}

#[test]
fn a_fenced_neuron_is_silent_and_refuses_every_command() {
    for later in [incarnation(2), incarnation(1 << 20), Incarnation { number: 1, nonce: 7 }] {
        let mut driver = chain();
        driver.run_to(10);
        let waits = driver.request("n", Command::OutputAt { tag: tag(1000) });
        driver.sent();
        let answered = driver.neuron("n").incarnation();
        driver.receive("n", "x", SignalBody::Fenced { answered, known: later });
        let refusal = Refusal::Fenced { ours: 1, known: later.number };
        assert_eq!(driver.replies(waits), [Err(refusal.clone())]);
        for command in [Command::Output { after: Tag::ORIGIN }, Command::Counters, Command::Reserve, now(stimulus(1.0))]
        {
            assert_eq!(driver.ask("n", command), Err(refusal.clone()));
        }
        assert_eq!(driver.neuron("n").fenced_by(), Some(later));
        driver.stimulate_at(20, "x");
        driver.run_to(1000);
        assert!(driver.sent().iter().all(|sent| sent.from != id("n")));
        assert_eq!(driver.neuron("n").wake_at(), None);
    }
}

#[test]
fn only_the_answer_of_a_peer_to_a_message_of_this_incarnation_fences() {
    let mut driver = chain();
    driver.run_to(10);
    let own = driver.neuron("n").incarnation();
    let guessed = Incarnation { nonce: own.nonce.wrapping_add(1), ..own };
    let known = incarnation(2);
    let claims = [
        // A stranger, even one that has been told the nonce.
        ("stranger", SignalBody::Fenced { answered: own, known }),
        ("stranger", SignalBody::Fenced { answered: own, known: own }),
        // A subscriber and an input that have not heard of this incarnation, or take it for
        // another.
        ("x", SignalBody::Fenced { answered: guessed, known }),
        ("z", SignalBody::Fenced { answered: incarnation(0), known }),
        // No number of restarts makes up for this one.
        ("x", SignalBody::Fenced { answered: own, known: incarnation(u32::MAX) }),
        ("z", SignalBody::Fenced { answered: own, known: incarnation(own.number + (1 << 20) + 1) }),
    ];
    for (count, (from, claim)) in claims.into_iter().enumerate() {
        driver.receive("n", from, claim);
        assert_eq!(driver.neuron("n").fenced_by(), None, "{from}");
        assert_eq!(driver.counters("n").unknown, count as u64 + 1);
    }
    driver.stimulate_at(20, "x");
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn an_incarnation_that_is_not_later_does_not_fence() {
    let mut driver = chain();
    driver.restart("n");
    for earlier in [incarnation(2), incarnation(1), Incarnation { number: 1, nonce: 7 }, incarnation(0)] {
        let answered = driver.neuron("n").incarnation();
        driver.receive("n", "x", SignalBody::Fenced { answered, known: earlier });
    }
    assert_eq!(driver.neuron("n").fenced_by(), None);
    assert_eq!(driver.counters("n").unknown, 0);
    driver.stimulate_at(10, "x");
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn a_neuron_resumed_from_an_old_copy_of_its_store_is_fenced() {
    let mut driver = chain();
    driver.run_to(10);
    let copy = driver.stored("n");
    driver.restart("n");
    driver.restart("n");
    driver.run_to(100);
    driver.crash("n");
    driver.resume_from("n", copy);
    driver.run_to(200);
    assert_eq!(driver.ask("n", Command::Output { after: Tag::ORIGIN }), Err(Refusal::Fenced { ours: 2, known: 3 }));
}

#[test]
fn once_all_neurons_are_back_the_answers_are_plain_and_the_network_is_quiet() {
    const ALL: [&str; 6] = ["x", "y", "h1", "h2", "h3", "z"];
    for victim in ALL {
        let mut driver = xor(Config::new());
        driver.stimulate_at(1, "x");
        driver.run_to(100);
        driver.crash(victim);
        driver.run_to(20_000);
        driver.resume(victim);
        driver.stimulate_at(25_000, "x");
        driver.run_to(27_000);
        let levels = ALL.map(|name| driver.value(name));
        assert_eq!(levels, [1.0, 0.0, 1.0, 0.0, 0.0, 1.0].map(Value::plain), "{victim} had crashed");
        driver.run_to(60_000);
        driver.sent();
        driver.run_to(86_400_000);
        assert_eq!(driver.sent(), [], "{victim} had crashed");
    }
}

#[test]
fn a_resumed_neuron_remembers_which_incarnations_of_an_input_have_ended() {
    let mut driver = listener();
    driver.crash("n");
    driver.resume("n");
    driver.sent();
    driver.receive_from_incarnation("n", "a", incarnation(1), SignalBody::Hello);
    let fenced = SignalBody::Fenced { answered: incarnation(1), known: incarnation(2) };
    assert_eq!(driver.sent_from("n", "a"), [fenced]);
}

#[test]
fn a_fenced_neuron_stays_silent_through_a_restart() {
    let mut driver = chain();
    driver.run_to(10);
    let answered = driver.neuron("n").incarnation();
    driver.receive("n", "x", SignalBody::Fenced { answered, known: incarnation(2) });
    driver.sent();
    driver.restart("n");
    driver.run_to(10_000);
    assert_eq!(driver.sent_from("n", "x"), []);
    assert_eq!(driver.neuron("n").fenced_by(), Some(incarnation(2)));
    assert_eq!(driver.neuron("n").wake_at(), None);
}

#[test]
fn no_message_of_another_neuron_forces_a_save() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(2000);
    driver.take_saves();
    let mut counter = 0;
    let mut subscribe_and_leave = |driver: &mut Driver, number: u32| {
        counter += 1;
        let stream = StreamId { incarnation: incarnation(number), counter };
        driver.receive("n", "a", SignalBody::Subscribe { stream });
        driver.receive("n", "a", SignalBody::Unsubscribe { stream });
    };
    for millis in 2000..5000 {
        driver.run_to(millis);
        subscribe_and_leave(&mut driver, 1);
    }
    assert_eq!(driver.take_saves(), 3, "one each second");
    driver.receive_subscription("n", "b");
    assert_eq!(driver.stored("n").subscribers, [].into());
    driver.run_to(5000);
    assert_eq!(driver.take_saves(), 1);
    assert_eq!(driver.stored("n").subscribers, [(id("b"), incarnation(1))].into());
    driver.run_to(100_000);
    assert_eq!(driver.take_saves(), 0);
}

#[test]
fn a_source_that_restarts_again_and_again_forces_no_save() {
    let mut driver = listener();
    driver.run_to(2000);
    driver.take_saves();
    for number in 3..1003 {
        driver.receive_from_incarnation("n", "a", incarnation(number), SignalBody::Hello);
    }
    assert_eq!(driver.take_saves(), 1);
    driver.run_to(3000);
    assert_eq!(driver.stored("n").sources, [(id("a"), incarnation(1002))].into());
}

#[test]
fn a_source_that_says_where_it_runs_in_a_later_incarnation_is_subscribed_to_anew() {
    let mut driver = listener();
    let home = || SignalBody::Home { host: "there".parse().unwrap() };
    driver.receive_from_incarnation("n", "a", incarnation(2), home());
    assert_eq!(driver.sent_from("n", "a"), []);
    // It was started anew, and does not know who listens to it.
    driver.receive_from_incarnation("n", "a", incarnation(3), home());
    assert!(matches!(driver.sent_from("n", "a")[..], [SignalBody::Subscribe { .. }]));
}
