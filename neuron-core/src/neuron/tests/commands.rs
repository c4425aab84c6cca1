//! Commands of controllers, and their answers.

use super::driver::{Driver, id, now, sample, stimulus, tag};
use crate::{
    Tag, Time,
    command::{Answer, Command, ConfigChange, Refusal, Stamp},
    neuron::{Config, MAX_TRAIN},
};

/// A neuron with one input, which the test plays and which has stated that it is at rest.
fn relay() -> Driver {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver
}

#[test]
fn the_same_request_twice_is_carried_out_once_and_answered_twice() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(1);
    let request = driver.request("n", now(stimulus(1.0)));
    driver.run_to(1000);
    driver.request_again("n", request, now(stimulus(1.0)));
    let stamp = Ok(Answer::Stamped(Stamp { tag: tag(1), moved: false }));
    assert_eq!(driver.replies(request), [stamp.clone(), stamp]);
    assert_eq!(driver.counters("n").kicks, 1);
    assert_eq!(driver.counters("n").duplicates, 1);
    assert_eq!(driver.level_at(5001, "n"), 0.0);
}

#[test]
fn connecting_a_source_twice_is_refused_without_effect() {
    let config = Config::new().threshold(0.9).input(id("x"), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("n", config)]);
    let before = driver.config("n");
    driver.sent();
    let connect = |source, delay| Command::Configure(ConfigChange::Connect { source: id(source), delay });
    assert_eq!(driver.ask("n", connect("x", None)), Err(Refusal::AlreadyConnected(id("x"))));
    let delay = Some(std::time::Duration::from_millis(10));
    assert_eq!(driver.ask("n", connect("x", delay)), Err(Refusal::AlreadyConnected(id("x"))));
    assert_eq!(driver.sent(), []);
    let waits = driver.request("n", connect("silent", None));
    assert_eq!(driver.ask("n", connect("silent", None)), Err(Refusal::AlreadyConnected(id("silent"))));
    assert_eq!(driver.replies(waits), []);
    assert_eq!(driver.config("n"), before);
    driver.stimulate_at(5, "x");
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn a_new_connection_counts_once_its_snapshot_has_arrived() {
    let mut driver = Driver::network([("x", Config::new()), ("n", Config::new().threshold(0.9))]);
    driver.stimulate_at(1, "x");
    driver.run_to(10);
    driver.stamped("n", Command::Configure(ConfigChange::SetWeight { source: id("x").into(), weight: 1.0 }));
    let stamp = driver.stamped("n", Command::Configure(ConfigChange::Connect { source: id("x"), delay: None }));
    driver.run_to(20);
    assert_eq!(driver.firings("n"), [stamp.tag]);
    let request = driver.request("n", Command::Configure(ConfigChange::Disconnect { source: id("x") }));
    // The answer comes once the connection has taken effect: the source is known up to its tag.
    assert_eq!(driver.replies(request), []);
    driver.run_to(30);
    assert_eq!(driver.replies(request), [Ok(Answer::Stamped(Stamp { tag: tag(20), moved: false }))]);
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.config("x").connections, []);
    let again = driver.ask("n", Command::Configure(ConfigChange::Disconnect { source: id("x") }));
    assert_eq!(again, Err(Refusal::NotConnected(id("x"))));
}

#[test]
fn the_level_at_a_tag_is_answered_once_the_inputs_are_known_up_to_it() {
    let mut driver = relay();
    driver.run_to(10);
    let request = driver.request("n", Command::OutputAt { tag: tag(5) });
    // A query waits, so the input is probed without grace.
    assert_eq!(driver.counters("n").probes, 1);
    assert_eq!(driver.replies(request), []);
    driver.receive_level("n", "a", 2, tag(4), 1.0);
    assert_eq!(driver.replies(request), []);
    driver.receive_null("n", "a", 2, tag(5));
    assert_eq!(driver.replies(request), [Ok(Answer::Output(sample(1.0, tag(5))))]);
    // An earlier tag is answered at once.
    let before = driver.ask("n", Command::OutputAt { tag: tag(4).prev() });
    assert_eq!(before, Ok(Answer::Output(sample(0.0, tag(4).prev()))));
}

#[test]
fn the_level_at_a_future_tag_is_answered_as_soon_as_that_tag_has_been_evaluated() {
    let mut driver = relay();
    driver.run_to(10);
    let ahead = tag(3_600_000);
    let request = driver.request("n", Command::OutputAt { tag: ahead });
    assert_eq!(driver.replies(request), []);
    // The clock of the source is an hour ahead.
    driver.receive_level("n", "a", 2, ahead, 1.0);
    assert_eq!(driver.replies(request), [Ok(Answer::Output(sample(1.0, ahead)))]);
}

#[test]
fn the_level_at_a_future_tag_is_answered_when_its_time_has_come() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let request = driver.request("n", Command::OutputAt { tag: tag(50) });
    driver.stimulate_at(49, "n");
    assert_eq!(driver.replies(request), []);
    driver.run_to(50);
    assert_eq!(driver.replies(request), [Ok(Answer::Output(sample(1.0, tag(50))))]);
}

#[test]
fn the_level_before_the_first_evaluation_is_not_known() {
    let mut driver = relay();
    driver.run_to(10);
    let unknown = driver.ask("n", Command::OutputAt { tag: Tag::ORIGIN });
    assert_eq!(unknown, Err(Refusal::Unknown(Tag::ORIGIN)));
    let first = driver.ask("n", Command::OutputAt { tag: Tag::FIRST });
    assert_eq!(first, Ok(Answer::Output(sample(0.0, Tag::FIRST))));
}

#[test]
fn a_query_waits_while_the_neuron_is_not_ready() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.run_to(10);
    let request = driver.request("n", Command::OutputAt { tag: Tag::FIRST });
    assert_eq!(driver.replies(request), []);
    driver.receive_level("n", "a", 1, Tag::FIRST, 1.0);
    assert_eq!(driver.replies(request), [Ok(Answer::Output(sample(1.0, Tag::FIRST)))]);
}

#[test]
fn a_train_is_as_many_waves_in_its_order() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let train = Command::Train { levels: vec![1.0, 1.0, 0.0, 1.0, 0.0, 1.0] };
    assert_eq!(driver.ask("n", train), Ok(Answer::Stamped(Stamp { tag: tag(10), moved: false })));
    let mut at = tag(10);
    for level in [1.0, 1.0, 0.0, 1.0, 0.0, 1.0] {
        assert_eq!(driver.ask("n", Command::OutputAt { tag: at }), Ok(Answer::Output(sample(level, at))));
        at = at.next();
    }
    assert_eq!((driver.counters("n").kicks, driver.counters("n").firings), (6, 3));
    // The last level holds like any stimulus.
    assert_eq!(driver.level_at(5009, "n"), 1.0);
    assert_eq!(driver.level_at(5011, "n"), 0.0);
    // The next stimulus has a later tag, even within the same microsecond.
    let stamped =
        |driver: &mut Driver, levels: &[f64]| match driver.ask("n", Command::Train { levels: levels.to_vec() }) {
            Ok(Answer::Stamped(stamp)) => stamp.tag,
            other => panic!("{other:?}"),
        };
    let first = stamped(&mut driver, &[1.0, 0.0]);
    assert_eq!(stamped(&mut driver, &[1.0]), first.next().next());
}

#[test]
fn a_train_enters_as_a_whole_or_not_at_all() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let train = |levels: Vec<f64>| Command::Train { levels };
    assert_eq!(driver.ask("n", train(vec![1.0, 0.5])), Err(Refusal::NotALevel));
    let too_long = driver.ask("n", train(vec![1.0; MAX_TRAIN + 1]));
    assert_eq!(too_long, Err(Refusal::TooMany(format!("{MAX_TRAIN} stimuli in a train"))));
    assert_eq!(driver.ask("n", train(vec![])), Ok(Answer::Done));
    assert_eq!((driver.level_at(11, "n"), driver.counters("n").kicks), (0.0, 0));
    assert!(driver.ask("n", train(vec![1.0; MAX_TRAIN])).is_ok());
    // At the end of the tags there is no room for a part of it either.
    driver.run_until(Time::MAX);
    let entered = std::iter::from_fn(|| driver.ask("n", train(vec![1.0; MAX_TRAIN])).ok()).count();
    assert_eq!(entered, (1 << Tag::COUNTER_BITS) / MAX_TRAIN - 1);
    assert_eq!(driver.ask("n", train(vec![1.0; MAX_TRAIN])), Err(Refusal::TimeExhausted));
    assert!(driver.ask("n", train(vec![1.0; MAX_TRAIN - 2])).is_ok(), "the last tag but one is the last that is given");
    assert_eq!(driver.ask("n", train(vec![1.0])), Err(Refusal::TimeExhausted));
}

#[test]
fn the_log_shows_the_firings_since_it_was_cleared() {
    let mut driver = Driver::alone("n", Config::new());
    assert_eq!(driver.firings("n"), []);
    driver.stimulate_at(1, "n");
    driver.stimulate_at(6000, "n");
    assert_eq!(driver.firings("n"), [tag(1), tag(6000)]);
    assert_eq!(driver.ask("n", Command::EmptyLog), Ok(Answer::Done));
    assert_eq!(driver.firings("n"), []);
    assert_eq!(driver.level("n"), 1.0);
    // Clearing the log does not clear the levels that the neuron remembers.
    let remembered = driver.ask("n", Command::OutputAt { tag: tag(1) });
    assert_eq!(remembered, Ok(Answer::Output(sample(1.0, tag(1)))));
    driver.stimulate_at(12_000, "n");
    assert_eq!(driver.firings("n"), [tag(12_000)]);
}

/// Reserves, and returns the request and the floor.
fn reserve(driver: &mut Driver) -> (u64, Tag) {
    let ticket = driver.request("n", Command::Reserve);
    match driver.replies(ticket)[..] {
        [Ok(Answer::Floor { floor, .. })] => (ticket, floor),
        ref other => panic!("a floor was expected, not {other:?}"),
    }
}

#[test]
fn a_reservation_holds_the_neuron_until_it_expires() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let (ticket, floor) = reserve(&mut driver);
    assert_eq!(floor, tag(10));
    driver.stimulate_at(20, "n");
    // Half of the patience of 250 ms.
    assert_eq!(driver.level_at(134, "n"), 0.0);
    assert_eq!(driver.level_at(135, "n"), 1.0);
    let late = driver.stamped("n", Command::Commit { ticket, at: floor, stimuli: vec![stimulus(0.0)] });
    assert_eq!(late, Stamp { tag: tag(135), moved: true });
    assert_eq!(driver.counters("n").late, 1);
    assert_eq!(driver.level("n"), 0.0);
}

#[test]
fn a_late_commit_keeps_a_tag_that_was_not_promised() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let (ticket, at) = reserve(&mut driver);
    driver.run_to(1000);
    let stamp = driver.stamped("n", Command::Commit { ticket, at, stimuli: vec![stimulus(1.0)] });
    assert_eq!(stamp, Stamp { tag: tag(10), moved: false });
    assert_eq!(driver.firings("n"), [tag(10)]);
}

#[test]
fn a_released_reservation_does_not_hold_the_neuron() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let (ticket, at) = reserve(&mut driver);
    driver.stimulate_at(20, "n");
    assert_eq!(driver.level("n"), 0.0);
    assert_eq!(driver.ask("n", Command::Release { ticket }), Ok(Answer::Done));
    assert_eq!(driver.firings("n"), [tag(20)]);
    let late = driver.stamped("n", Command::Commit { ticket, at, stimuli: vec![stimulus(0.0)] });
    assert!(late.moved);
}

#[test]
fn two_prepared_waves_never_share_a_tag() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let (first, low) = reserve(&mut driver);
    let (second, _) = reserve(&mut driver);
    let (third, _) = reserve(&mut driver);
    let at = tag(12);
    let commit = |ticket, level| Command::Commit { ticket, at, stimuli: vec![stimulus(level)] };
    assert_eq!(driver.stamped("n", commit(second, 1.0)), Stamp { tag: at, moved: false });
    let other = driver.stamped("n", commit(third, 0.0));
    assert!(other.moved && other.tag > at);
    assert!(low < at);
    assert_eq!(driver.ask("n", Command::Release { ticket: first }), Ok(Answer::Done));
    assert_eq!(driver.firings("n"), [at]);
    assert_eq!(driver.level("n"), 0.0);
}
