//! Lost statements and subscriptions, and streams that are given up.

use super::{
    super::stream::MAX_UNACKNOWLEDGED,
    driver::{Driver, LOSSY, id, now, stimulus, tag},
};
use crate::{
    Tag, Value,
    neuron::Config,
    signal::{SignalBody, StreamId},
};

/// A neuron over a transport that may lose messages, and the stream that the test has asked for as
/// `s`.
fn spoken_to() -> (Driver, StreamId) {
    let mut driver = Driver::network_over(LOSSY, [("n", Config::new())]);
    let stream = driver.receive_subscription("n", "s");
    (driver, stream)
}

/// A neuron over such a transport, with the input `a`, which the test plays and which has sent
/// nothing.
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
    assert_eq!(driver.times("n", "s", 2000, is_changed), [100, 300, 700, 1500]);
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    assert_eq!(driver.times("n", "s", 10_000, is_changed), []);
    assert_eq!((driver.counters("n").resent, driver.counters("n").given_up), (4, 0));
    assert_eq!(driver.neuron("n").wake_at(), None);
}

#[test]
fn a_repeated_subscription_gets_the_first_statement_again_at_once_and_then_signs_of_life() {
    let (mut driver, stream) = spoken_to();
    driver.sent();
    driver.run_to(25);
    driver.receive("n", "s", SignalBody::Subscribe { stream });
    assert!(matches!(driver.sent_from("n", "s")[..], [SignalBody::Changed { seq: 1, .. }]));
    for _ in 0..2 {
        driver.receive("n", "s", SignalBody::Subscribe { stream });
        assert!(matches!(driver.sent_from("n", "s")[..], [SignalBody::Nothing { after: 1, .. }]));
    }
    assert_eq!(driver.counters("n").resent, 1);
    // What has been acknowledged is not sent again, however late the subscription comes.
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    driver.receive("n", "s", SignalBody::Subscribe { stream });
    assert!(matches!(driver.sent_from("n", "s")[..], [SignalBody::Nothing { after: 1, .. }]));
}

#[test]
fn only_unacknowledged_statements_are_sent_again() {
    let (mut driver, stream) = spoken_to();
    driver.run_to(1);
    driver.stamped("n", now(stimulus(1.0)));
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    driver.sent();
    driver.run_to(30);
    let again = SignalBody::Changed { stream, seq: 2, known: tag(1).prev(), at: tag(1), value: Value::plain(1.0) };
    assert_eq!(driver.sent_from("n", "s"), [again]);
}

#[test]
fn a_stream_is_given_up_after_a_statement_was_sent_again_8_times() {
    let (mut driver, stream) = spoken_to();
    let times = driver.times("n", "s", 6499, is_changed);
    assert_eq!(times, [100, 300, 700, 1500, 2500, 3500, 4500, 5500]);
    assert_eq!(driver.counters("n").given_up, 0);
    driver.run_to(6500);
    assert_eq!(driver.counters("n").given_up, 1);
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream }]);
}

/// Makes `n` send this many statements, after the first one, at one time.
fn state(driver: &mut Driver, count: usize) {
    for statement in 0..count {
        driver.stamped("n", now(stimulus(f64::from(u8::from(statement % 2 == 0)))));
    }
}

#[test]
fn a_stream_with_too_many_unacknowledged_statements_is_given_up() {
    let (mut driver, stream) = spoken_to();
    state(&mut driver, MAX_UNACKNOWLEDGED - 1);
    assert_eq!(driver.counters("n").given_up, 0);
    assert_eq!(driver.sent_from("n", "s").iter().filter(|body| is_changed(body)).count(), MAX_UNACKNOWLEDGED);
    driver.stamped("n", now(stimulus(0.0)));
    assert_eq!(driver.counters("n").given_up, 1);
    assert_eq!(driver.sent_from("n", "s").last(), Some(&SignalBody::NoStream { stream }));
}

#[test]
fn of_many_unacknowledged_statements_the_first_64_are_sent_again() {
    let (mut driver, stream) = spoken_to();
    state(&mut driver, 99);
    driver.sent();
    driver.run_to(100);
    let numbers = |driver: &mut Driver| -> Vec<u64> {
        let number = |body| if let SignalBody::Changed { seq, .. } = body { Some(seq) } else { None };
        driver.sent_from("n", "s").into_iter().filter_map(number).collect()
    };
    assert_eq!(numbers(&mut driver), (1..=64).collect::<Vec<_>>());
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 64 });
    // The time to the first acknowledgement is the time that the next one gets.
    driver.run_to(300);
    assert_eq!(numbers(&mut driver), (65..=100).collect::<Vec<_>>());
}

#[test]
fn a_statement_that_later_ones_have_overtaken_is_sent_again_at_once() {
    let (mut driver, stream) = spoken_to();
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    state(&mut driver, 10);
    driver.sent();
    for _ in 0..3 {
        assert_eq!(driver.sent_from("n", "s"), []);
        driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    }
    assert!(matches!(driver.sent_from("n", "s")[..], [SignalBody::Changed { seq: 2, .. }]));
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    assert_eq!(driver.sent_from("n", "s"), [], "only once");
}

#[test]
fn a_slow_transport_gets_twice_the_time_it_took() {
    let (mut driver, stream) = spoken_to();
    driver.run_to(20);
    driver.receive("n", "s", SignalBody::Ack { stream, upto: 1 });
    driver.stamped("n", now(stimulus(1.0)));
    assert_eq!(driver.times("n", "s", 200, is_changed)[0], 20 + 2 * 20);
}

#[test]
fn a_stream_that_was_given_up_is_never_continued() {
    let (mut driver, dead) = spoken_to();
    driver.run_to(7000);
    driver.sent();
    driver.receive("n", "s", SignalBody::Subscribe { stream: dead });
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream: dead }]);
    let stream = StreamId { counter: 2, ..dead };
    driver.receive("n", "s", SignalBody::Subscribe { stream });
    let at = Tag::FIRST;
    let snapshot = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at, value: Value::plain(0.0) };
    assert_eq!(driver.sent_from("n", "s"), [snapshot]);
}

#[test]
fn a_lost_subscriber_is_greeted_12_times_and_then_once_for_each_change() {
    let (mut driver, _) = spoken_to();
    driver.run_to(6499);
    let calls = driver.times("n", "s", 60_000, is_no_stream);
    assert_eq!(calls.len(), 12, "{calls:?}");
    assert_eq!(calls[..5], [6500, 6525, 6575, 6675, 6875]);
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
fn a_subscriber_that_cannot_be_reached_has_to_subscribe_again() {
    let mut driver = Driver::alone("n", Config::new());
    let stream = driver.receive_subscription("n", "s");
    driver.sent();
    driver.undelivered("n", "s");
    assert_eq!(driver.counters("n").given_up, 1);
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream }]);
    // A neuron that is not a subscriber, or is given up already, has no effect.
    driver.undelivered("n", "s");
    driver.undelivered("n", "stranger");
    assert_eq!(driver.counters("n").given_up, 1);
}

#[test]
fn over_a_lossless_transport_there_are_no_acknowledgements_and_no_retransmissions() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    driver.receive_subscription("n", "s");
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10_000);
    assert_eq!(driver.sent_from("n", "a").len(), 1, "the subscription");
    driver.run_to(20_000);
    assert_eq!(driver.sent(), []);
    assert_eq!(driver.counters("n").resent, 0);
}

#[test]
fn a_subscriber_acknowledges_all_statements_before_the_first_gap() {
    let mut driver = listener();
    let stream = driver.stream("n", "a");
    driver.sent();
    let mut acknowledged = |seq| {
        driver.receive_level("n", "a", seq, Tag::FIRST, 0.0);
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
fn statements_in_order_are_acknowledged_together_after_a_fifth_of_the_retry_time() {
    let mut driver = listener();
    let stream = driver.stream("n", "a");
    let is_ack = |body: &SignalBody| matches!(body, SignalBody::Ack { .. });
    driver.sent();
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(4);
    driver.receive_level("n", "a", 2, tag(4), 1.0);
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
        driver.receive_level("n", "a", seq, Tag::FIRST, 0.0);
    }
    let acks = driver.sent_from("n", "a");
    assert_eq!(acks, [16, 32].map(|upto| SignalBody::Ack { stream, upto }));
}

#[test]
fn a_lost_subscription_is_repeated_with_longer_pauses_until_it_is_answered() {
    let mut driver = listener();
    let times = driver.times("n", "a", 20_000, is_subscription);
    assert_eq!(times, [25, 75, 175, 375, 775, 1575, 3175, 6375, 11_375, 16_375]);
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    assert_eq!(driver.times("n", "a", 40_000, is_subscription), []);
}

#[test]
fn over_a_lossless_transport_a_subscription_is_repeated_after_patience() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("a"), 1.0));
    let times = driver.times("n", "a", 2000, is_subscription);
    assert_eq!(times, [250, 750, 1750]);
}

#[test]
fn a_subscriber_whose_stream_does_not_exist_subscribes_again() {
    let mut driver = listener();
    driver.receive_level("n", "a", 1, Tag::FIRST, 0.0);
    driver.run_to(10);
    let stream = driver.stream("n", "a");
    driver.sent();
    driver.receive("n", "a", SignalBody::NoStream { stream });
    let next = driver.stream("n", "a");
    assert!(next > stream);
    assert_eq!(driver.sent_from("n", "a"), [SignalBody::Subscribe { stream: next }]);
    // The same message again is about a stream that is not in use any more.
    driver.receive("n", "a", SignalBody::NoStream { stream });
    assert_eq!(driver.sent_from("n", "a"), []);
    driver.receive_level("n", "a", 1, tag(10), 1.0);
    assert_eq!(driver.value("n"), Value::plain(1.0));
}

#[test]
fn a_probe_of_an_unknown_stream_is_answered_with_no_stream() {
    let (mut driver, stream) = spoken_to();
    driver.run_to(10);
    driver.sent();
    let later = StreamId { counter: 2, ..stream };
    driver.receive("n", "s", SignalBody::Probe { stream: later, upto: tag(5) });
    assert_eq!(driver.sent_from("n", "s"), [SignalBody::NoStream { stream: later }]);
    driver.receive("n", "stranger", SignalBody::Probe { stream, upto: tag(5) });
    assert_eq!(driver.sent_from("n", "stranger"), [SignalBody::NoStream { stream }]);
}
