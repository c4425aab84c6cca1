//! Statements and subscriptions that get lost, and streams that are given up.

use super::{
    super::stream::MAX_UNACKNOWLEDGED,
    driver::{Driver, LOSSY, id, now, stimulus, tag},
};
use crate::{
    Tag, Value,
    neuron::Config,
    signal::{SignalBody, StreamId},
};

/// A neuron over a carrier that may lose what it carries, and the stream that the test has subscribed to as `s`.
fn spoken_to() -> (Driver, StreamId) {
    let mut driver = Driver::network_over(LOSSY, [("n", Config::new())]);
    let stream = driver.hear_subscription("n", "s");
    (driver, stream)
}

/// A neuron over such a carrier, with the input `a`, which is played by the test and has said nothing yet.
fn listener() -> Driver {
    Driver::network_over(LOSSY, [("n", Config::new().threshold(0.9).input(id("a"), 1.0))])
}

fn is_changed(body: &SignalBody) -> bool {
    matches!(body, SignalBody::Changed { .. })
}

fn is_subscription(body: &SignalBody) -> bool {
    matches!(body, SignalBody::Subscribe { .. })
}

fn is_no_stream(body: &SignalBody) -> bool {
    matches!(body, SignalBody::NoStream { .. })
}

#[test]
fn a_statement_is_sent_again_with_longer_pauses_until_it_is_acknowledged() {
    let (mut driver, stream) = spoken_to();
    assert_eq!(driver.times("n", "s", 500, is_changed), [25, 75, 175, 375]);
    driver.hear("n", "s", SignalBody::Ack { stream, upto: 1 });
    assert_eq!(driver.times("n", "s", 10_000, is_changed), []);
    assert_eq!((driver.counters("n").resent, driver.counters("n").given_up), (4, 0));
    assert_eq!(driver.neuron("n").wake_at(), None);
}

#[test]
fn only_what_is_not_acknowledged_is_sent_again() {
    let (mut driver, stream) = spoken_to();
    driver.run_to(1);
    driver.stamped("n", now(stimulus(1.0)));
    driver.hear("n", "s", SignalBody::Ack { stream, upto: 1 });
    driver.sent();
    driver.run_to(30);
    let again = SignalBody::Changed { stream, seq: 2, known: tag(1).prev(), at: tag(1), value: Value::plain(1.0) };
    assert_eq!(driver.sent_from("n", "s"), [again]);
}

#[test]
fn a_stream_is_given_up_after_a_statement_was_sent_again_8_times() {
    let (mut driver, stream) = spoken_to();
    let times = driver.times("n", "s", 4574, is_changed);
    assert_eq!(times, [25, 75, 175, 375, 775, 1575, 2575, 3575]);
    assert_eq!(driver.counters("n").given_up, 0);
    driver.run_to(4575);
    assert_eq!(driver.counters("n").given_up, 1);
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream }]);
}

/// Lets `n` make this many statements, beside the first, at one time.
fn state(driver: &mut Driver, count: usize) {
    for statement in 0..count {
        driver.stamped("n", now(stimulus(f64::from(u8::from(statement % 2 == 0)))));
    }
}

#[test]
fn a_stream_with_too_many_statements_that_are_not_acknowledged_is_given_up() {
    let (mut driver, stream) = spoken_to();
    state(&mut driver, MAX_UNACKNOWLEDGED - 1);
    assert_eq!(driver.counters("n").given_up, 0);
    assert_eq!(driver.sent_from("n", "s").iter().filter(|body| is_changed(body)).count(), MAX_UNACKNOWLEDGED);
    driver.stamped("n", now(stimulus(0.0)));
    assert_eq!(driver.counters("n").given_up, 1);
    assert_eq!(driver.sent_from("n", "s").last(), Some(&SignalBody::NoStream { stream }));
}

#[test]
fn of_many_statements_that_are_not_acknowledged_the_first_64_are_sent_again() {
    let (mut driver, stream) = spoken_to();
    state(&mut driver, 99);
    driver.sent();
    driver.run_to(25);
    let numbers = |driver: &mut Driver| -> Vec<u64> {
        let number = |body| if let SignalBody::Changed { seq, .. } = body { Some(seq) } else { None };
        driver.sent_from("n", "s").into_iter().filter_map(number).collect()
    };
    assert_eq!(numbers(&mut driver), (1..=64).collect::<Vec<_>>());
    driver.hear("n", "s", SignalBody::Ack { stream, upto: 64 });
    // What it took to get an acknowledgement at all is what the next one gets.
    driver.run_to(75);
    assert_eq!(numbers(&mut driver), (65..=100).collect::<Vec<_>>());
}

#[test]
fn a_statement_that_later_ones_have_overtaken_is_sent_again_at_once() {
    let (mut driver, stream) = spoken_to();
    driver.hear("n", "s", SignalBody::Ack { stream, upto: 1 });
    state(&mut driver, 10);
    driver.sent();
    for _ in 0..3 {
        assert_eq!(driver.sent_from("n", "s"), []);
        driver.hear("n", "s", SignalBody::Ack { stream, upto: 1 });
    }
    assert!(matches!(driver.sent_from("n", "s")[..], [SignalBody::Changed { seq: 2, .. }]));
    driver.hear("n", "s", SignalBody::Ack { stream, upto: 1 });
    assert_eq!(driver.sent_from("n", "s"), [], "only once");
}

#[test]
fn a_carrier_that_takes_long_is_given_twice_the_time_it_took() {
    let (mut driver, stream) = spoken_to();
    driver.run_to(20);
    driver.hear("n", "s", SignalBody::Ack { stream, upto: 1 });
    driver.stamped("n", now(stimulus(1.0)));
    assert_eq!(driver.times("n", "s", 200, is_changed)[0], 20 + 2 * 20);
}

#[test]
fn a_stream_that_was_given_up_is_never_continued() {
    let (mut driver, dead) = spoken_to();
    driver.run_to(5000);
    driver.sent();
    driver.hear("n", "s", SignalBody::Subscribe { stream: dead });
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream: dead }]);
    let stream = StreamId { counter: 2, ..dead };
    driver.hear("n", "s", SignalBody::Subscribe { stream });
    let at = Tag::FIRST;
    let snapshot = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at, value: Value::plain(0.0) };
    assert_eq!(driver.sent_from("n", "s"), [snapshot]);
}

#[test]
fn a_subscriber_that_does_not_come_back_is_called_12_times_and_then_once_for_each_news() {
    let (mut driver, _) = spoken_to();
    driver.run_to(4574);
    let calls = driver.times("n", "s", 60_000, is_no_stream);
    assert_eq!(calls.len(), 12, "{calls:?}");
    assert_eq!(calls[..5], [4575, 4600, 4650, 4750, 4950]);
    assert!(calls.windows(2).all(|two| two[1] - two[0] <= 5000), "{calls:?}");
    assert_eq!(driver.neuron("n").wake_at(), None);
    for level in [1.0, 0.0] {
        driver.sent();
        driver.stamped("n", now(stimulus(level)));
        assert_eq!(driver.sent_from("n", "s").len(), 1);
        let later = driver.millis() + 4000;
        assert_eq!(driver.times("n", "s", later, is_no_stream), []);
    }
}

#[test]
fn a_subscriber_to_whom_nothing_can_be_handed_over_has_to_subscribe_anew() {
    let mut driver = Driver::alone("n", Config::new());
    let stream = driver.hear_subscription("n", "s");
    driver.sent();
    driver.undelivered("n", "s");
    assert_eq!(driver.counters("n").given_up, 1);
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream }]);
    // Whoever is no subscriber, or is given up already, is nobody's concern.
    driver.undelivered("n", "s");
    driver.undelivered("n", "stranger");
    assert_eq!(driver.counters("n").given_up, 1);
}

#[test]
fn over_a_carrier_that_loses_nothing_nobody_acknowledges_and_nothing_is_sent_again() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.hear_subscription("n", "s");
    driver.hear_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10_000);
    assert_eq!(driver.sent_from("n", "a").len(), 1, "the subscription");
    driver.run_to(20_000);
    assert_eq!(driver.sent(), []);
    assert_eq!(driver.counters("n").resent, 0);
}

#[test]
fn whoever_listens_acknowledges_all_that_has_come_without_a_hole() {
    let mut driver = listener();
    let stream = driver.stream("n", "a");
    driver.sent();
    let mut acknowledged = |seq| {
        driver.hear_level("n", "a", seq, Tag::FIRST, 0.0);
        driver.sent_from("n", "a")
    };
    let ack = |upto| vec![SignalBody::Ack { stream, upto }];
    assert_eq!(acknowledged(2), [], "nothing has come without a hole");
    assert_eq!(acknowledged(1), ack(2));
    assert_eq!(acknowledged(4), ack(2));
    assert_eq!(acknowledged(2), ack(2), "the acknowledgement may have been lost");
    assert_eq!(acknowledged(3), ack(4));
}

#[test]
fn statements_in_order_are_acknowledged_together_after_a_fifth_of_what_the_carrier_takes() {
    let mut driver = listener();
    let stream = driver.stream("n", "a");
    let is_ack = |body: &SignalBody| matches!(body, SignalBody::Ack { .. });
    driver.sent();
    driver.hear_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(4);
    driver.hear_level("n", "a", 2, tag(4), 1.0);
    assert_eq!(driver.sent_from("n", "a"), [], "there is time");
    driver.run_to(5);
    assert_eq!(driver.sent_from("n", "a"), [SignalBody::Ack { stream, upto: 2 }]);
    assert_eq!(driver.times("n", "a", 100, is_ack), [], "once is enough");
}

#[test]
fn sixteen_statements_are_acknowledged_at_once() {
    let mut driver = listener();
    let stream = driver.stream("n", "a");
    driver.sent();
    for seq in 1..=40 {
        driver.hear_level("n", "a", seq, Tag::FIRST, 0.0);
    }
    let acks = driver.sent_from("n", "a");
    assert_eq!(acks, [16, 32].map(|upto| SignalBody::Ack { stream, upto }));
}

#[test]
fn a_lost_subscription_is_repeated_with_longer_pauses_until_it_is_answered() {
    let mut driver = listener();
    let times = driver.times("n", "a", 20_000, is_subscription);
    assert_eq!(times, [25, 75, 175, 375, 775, 1575, 3175, 6375, 11_375, 16_375]);
    driver.hear_level("n", "a", 1, Tag::FIRST, 0.0);
    assert_eq!(driver.times("n", "a", 40_000, is_subscription), []);
}

#[test]
fn over_a_carrier_that_loses_nothing_a_subscription_is_repeated_after_patience() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    let times = driver.times("n", "a", 2000, is_subscription);
    assert_eq!(times, [250, 750, 1750]);
}

#[test]
fn whoever_hears_that_its_stream_is_dead_subscribes_anew() {
    let mut driver = listener();
    driver.hear_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10);
    let stream = driver.stream("n", "a");
    driver.sent();
    driver.hear("n", "a", SignalBody::NoStream { stream });
    let next = driver.stream("n", "a");
    assert!(next > stream);
    assert_eq!(driver.sent_from("n", "a"), [SignalBody::Subscribe { stream: next }]);
    // The same news again is about a stream that is not its own any more.
    driver.hear("n", "a", SignalBody::NoStream { stream });
    assert_eq!(driver.sent_from("n", "a"), []);
    driver.hear_level("n", "a", 1, tag(10), 1.0);
    assert_eq!(driver.value("n"), Value::plain(1.0));
}

#[test]
fn a_question_about_a_stream_that_is_not_known_is_answered_so() {
    let (mut driver, stream) = spoken_to();
    driver.run_to(10);
    driver.sent();
    let later = StreamId { counter: 2, ..stream };
    driver.hear("n", "s", SignalBody::Probe { stream: later, upto: tag(5) });
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream: later }]);
    driver.hear("n", "stranger", SignalBody::Probe { stream, upto: tag(5) });
    assert_eq!(driver.sent_from("n", "stranger"), [SignalBody::NoStream { stream }]);
}
