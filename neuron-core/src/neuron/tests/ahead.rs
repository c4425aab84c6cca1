//! Tags that are ahead of the clock: which are believed, and which are stated.

use super::{
    driver::{Driver, id, missing, ms, stamped_at, stimulus, tag, time},
    silence::{degraded, or},
};
use crate::{
    Tag, Value,
    command::{Answer, Command, ConfigChange, Sample},
    neuron::{Config, deadlines::latest_statable},
    signal::{SignalBody, StreamId},
};

#[test]
fn a_tag_far_ahead_is_rejected_and_counted() {
    let mut driver = or();
    let stream = driver.receive_subscription("n", "s");
    driver.run_to(10);
    driver.sent();
    let far = Tag::at(time(10).after(ms(10_800_000))).next();
    driver.receive("n", "s", SignalBody::Probe { stream, upto: far });
    driver.receive_level("n", "a", 2, far, 1.0);
    driver.receive_null("n", "b", 1, far);
    assert_eq!(driver.sent(), []);
    assert_eq!(driver.counters("n").ahead, 3);
    assert_eq!(driver.counters("n").evaluations, 1);
    assert_eq!(driver.neuron("n").complete_through(), Tag::FIRST);
    // Its own clock still decides about its stamps.
    assert_eq!(driver.stamped("n", stamped_at(tag(10), stimulus(1.0))).tag, tag(10));
}

#[test]
fn a_tag_three_hours_ahead_is_believed_and_stated_an_hour_later() {
    let mut driver = or();
    let stream = driver.receive_subscription("n", "s");
    driver.run_to(10);
    let ahead = Tag::at(time(10).after(ms(10_800_000)));
    driver.receive_level("n", "a", 2, ahead, 1.0);
    driver.receive_null("n", "b", 1, ahead);
    driver.receive("n", "s", SignalBody::Probe { stream, upto: ahead });
    assert_eq!(driver.value("n"), Value::plain(0.0));
    assert!(driver.neuron("n").complete_through() <= latest_statable(time(10)));
    driver.run_to(3_600_009);
    assert_eq!(driver.firings("n"), []);
    driver.run_to(3_600_010);
    assert_eq!(driver.firings("n"), [ahead]);
    assert_eq!(driver.counters("n").ahead, 0);
}

#[test]
fn a_tag_two_hours_ahead_is_stated_at_once() {
    let mut driver = or();
    driver.run_to(10);
    let ahead = Tag::at(time(10).after(ms(7_200_000)));
    driver.receive_level("n", "a", 2, ahead, 1.0);
    driver.receive_null("n", "b", 1, ahead);
    assert_eq!(driver.value("n"), Value::plain(1.0));
}

#[test]
fn a_stranger_that_asks_for_tags_far_ahead_moves_nothing_beyond_what_may_be_stated() {
    let gate = |source| Config::new().threshold(0.9).input(id(source), 1.0);
    let mut driver = Driver::network([("x", Config::new()), ("n", gate("x")), ("z", gate("n"))]);
    driver.run_to(10);
    for second in 1..=100 {
        driver.run_to(second * 1000);
        let stream = driver.receive_subscription("x", "stranger");
        driver.receive("x", "stranger", SignalBody::Probe { stream, upto: Tag::at(driver.now.after(ms(10_800_000))) });
    }
    let limit = latest_statable(driver.now);
    for name in ["x", "n", "z"] {
        assert!(driver.neuron(name).complete_through() <= limit, "{name}");
        assert_eq!(driver.counters(name).ahead, 0, "{name}");
    }
    let stamp = driver.stimulate_at(100_001, "x");
    assert!(stamp.tag <= limit.next());
    driver.run_to(200_000);
    assert_eq!(driver.firings("z"), [stamp.tag]);
}

/// A neuron with a tag that is reserved first, and one that is too far ahead behind it. Returns
/// also that tag, and the stream of a subscriber.
fn with_tags_behind_a_reservation() -> (Driver, Tag, StreamId) {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    let stream = driver.receive_subscription("n", "s");
    driver.run_to(10);
    driver.request("n", Command::Reserve);
    driver.receive_level("n", "a", 2, tag(11), 1.0);
    let ahead = Tag::at(time(10).after(ms(9_000_000)));
    driver.receive_level("n", "a", 3, ahead, 0.0);
    driver.run_to(200);
    (driver, ahead, stream)
}

#[test]
fn a_tag_ahead_that_waits_behind_another_one_is_not_stated_early() {
    let (mut driver, _, stream) = with_tags_behind_a_reservation();
    for _ in 0..3 {
        driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    }
    assert!(driver.neuron("n").complete_through() <= latest_statable(driver.now));
    assert_eq!(driver.firings("n"), [tag(11)]);
}

#[test]
fn a_tag_ahead_that_waits_behind_another_one_is_stated_in_time() {
    let (mut driver, ahead, _) = with_tags_behind_a_reservation();
    driver.run_to(1_800_010);
    assert!(driver.neuron("n").complete_through() >= ahead);
}

#[test]
fn a_neuron_whose_clock_was_set_back_goes_on_where_it_was() {
    let mut driver = Driver::network([("n", Config::new().threshold(0.5))]);
    driver.run_to(10);
    let mut saved = driver.stored("n");
    saved.ceiling = Tag::at(time(10).after(ms(36_000_000)));
    driver.crash("n");
    driver.resume_from("n", saved.clone());
    driver.run_to(20);
    assert!(driver.neuron("n").is_ready());
    assert!(driver.neuron("n").complete_through() > saved.ceiling);
    let stamp = driver.stimulate_at(30, "n");
    assert_eq!((driver.level("n"), driver.firings("n")), (1.0, vec![stamp.tag]));
    assert_eq!(driver.level_at(5_040, "n"), 0.0, "the hold is over by the local clock");
}

#[test]
fn a_question_about_a_gap_that_ends_hours_ahead_is_answered() {
    let mut driver = or();
    driver.run_to(10);
    let ahead = Tag::at(time(10).after(ms(9_000_000)));
    driver.receive_null("n", "b", 1, ahead);
    let stream = driver.stream("n", "a");
    let value = Value::plain(1.0);
    driver.receive("n", "a", SignalBody::Changed { stream, seq: 2, known: tag(10), at: ahead, value });
    let request = driver.request("n", Command::OutputAt { tag: tag(15) });
    driver.run_to(1_000);
    let lacking = Sample { level: 0.0, tag: tag(15), missing: missing(["a"]) };
    assert_eq!(driver.replies(request), [Ok(Answer::Output(lacking))]);
    driver.run_to(1_800_011);
    assert_eq!(driver.firings("n"), [ahead]);
}

#[test]
fn a_degraded_answer_is_reconsidered_while_a_tag_far_ahead_waits() {
    let inputs = ["a", "b", "c"].into_iter();
    let config = inputs.fold(Config::new().threshold(0.9), |config, source| config.input(id(source), 1.0));
    let mut driver = Driver::alone("n", config);
    for source in ["a", "b", "c"] {
        driver.receive_level("n", source, 1, Tag::FIRST, 0.0);
    }
    driver.run_to(10);
    driver.receive_null("n", "b", 1, tag(120_000));
    // It waits for `b`.
    driver.receive_level("n", "a", 2, tag(3_600_000), 0.0);
    driver.lose_input("n", "c");
    assert_eq!(driver.value("n"), degraded(0.0, ["c"]));
    driver.run_to(100);
    driver.receive_null("n", "b", 1, tag(120_000));
    driver.receive_null("n", "c", 1, tag(60_000));
    driver.run_to(150);
    assert_eq!(driver.value("n"), Value::plain(0.0));
}

#[test]
fn the_loss_of_an_input_that_has_stated_tags_far_ahead_stamps_nothing_there() {
    let mut driver = or();
    driver.run_to(10);
    driver.receive_null("n", "b", 1, tag(60_000));
    let ahead = Tag::at(time(10).after(ms(9_000_000)));
    driver.receive_level("n", "a", 2, ahead, 1.0);
    driver.lose_input("n", "a");
    driver.run_to(1_000);
    let stamp = driver.stimulate_at(1_001, "n");
    assert!(stamp.tag <= latest_statable(driver.now), "{stamp:?}");
    assert!(driver.stored("n").ceiling <= latest_statable(driver.now));
}

#[test]
fn a_late_statement_of_an_input_that_has_promised_tags_far_ahead_waits_for_the_clock() {
    let mut driver = or();
    driver.run_to(10);
    let ahead = Tag::at(time(10).after(ms(9_000_000)));
    driver.receive_null("n", "a", 1, ahead);
    driver.receive_null("n", "b", 1, ahead.next());
    driver.receive_level("n", "a", 2, tag(11), 1.0);
    driver.run_to(20);
    assert!(driver.neuron("n").complete_through() <= latest_statable(driver.now));
    assert_eq!(driver.firings("n"), []);
    driver.run_to(1_800_011);
    assert_eq!(driver.firings("n"), [ahead.next()]);
}

#[test]
fn a_statement_that_has_waited_for_an_earlier_one_waits_for_the_clock_as_well() {
    let mut driver = or();
    driver.run_to(10);
    let ahead = Tag::at(time(10).after(ms(9_000_000)));
    driver.receive_null("n", "b", 1, ahead);
    driver.receive_level("n", "a", 3, ahead, 1.0);
    driver.run_to(20);
    driver.receive_level("n", "a", 2, tag(11), 0.0);
    driver.run_to(30);
    assert!(driver.neuron("n").complete_through() <= latest_statable(driver.now));
    driver.run_to(1_800_011);
    assert_eq!(driver.firings("n"), [ahead]);
}

#[test]
fn a_source_that_is_being_connected_takes_nobody_along_beyond_what_may_be_stated() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    driver.run_to(10);
    let connect = ConfigChange::Connect { source: id("a"), delay: None };
    let asked = driver.request("n", Command::Configure(connect));
    driver.receive_level("n", "a", 1, tag(10_440_000), 0.0);
    assert_eq!(driver.replies(asked), []);
    assert_eq!(driver.counters("n").ahead, 1);
    let stamp = driver.stimulate_at(20, "n");
    assert!(stamp.tag <= latest_statable(driver.now));
    driver.run_to(40);
    assert_eq!(driver.level("n"), 1.0);
}

#[test]
fn a_source_that_is_being_connected_in_a_set_takes_nobody_along_either() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    driver.run_to(10);
    let connect = ConfigChange::Connect { source: id("a"), delay: None };
    let weigh = ConfigChange::SetWeight { source: id("a").into(), weight: 1.0 };
    let ticket = driver.request("n", Command::Prepare { changes: vec![connect, weigh], stimuli: Vec::new() });
    driver.receive_level("n", "a", 1, tag(10), 0.0);
    let Some(Ok(Answer::Floor { floor, .. })) = driver.replies(ticket).pop() else { panic!("a has been heard") };
    driver.receive_level("n", "a", 2, tag(9_000_000), 1.0);
    driver.run_to(20);
    driver.request("n", Command::Commit { ticket, at: floor.next(), stimuli: Vec::new() });
    driver.run_to(30);
    assert_eq!(driver.counters("n").ahead, 1);
    assert!(driver.neuron("n").complete_through() <= latest_statable(driver.now));
}
