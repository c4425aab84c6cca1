//! Mode JetStream: finds out which messages the stream has taken.
//!
//! A message may name a subject for its acknowledgement. A stream that is full, or is not there,
//! says so on that subject; without one, the broker drops the message without a word. While nothing
//! is refused, one message a millisecond asks for an acknowledgement; as soon as one is refused, all
//! do.
//!
//! Why: docs/decisions/0053-a-refusal-is-told-where-it-is-noticed.md

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::Notify;
use transport_broker::{ParsedSubject, Route};

use crate::connection::Connection;

/// How long an acknowledgement may take. After that it is not known whether the message is in the
/// stream.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often an acknowledgement is asked for while nothing is refused. One for each message would
/// cost a fifth of the throughput.
const ASK_INTERVAL: Duration = Duration::from_millis(1);

/// How many messages may wait for their acknowledgements. Beyond, the oldest counts as overdue.
const CAPACITY: usize = 262_144;

/// The messages that were published and are not acknowledged yet, by number.
#[derive(Debug, Default)]
pub(crate) struct PublishAcks {
    waiting: Mutex<Waiting>,
    /// Notified when no message waits any more.
    settled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The number of the first of `messages`.
    first: u64,
    /// `None` for those that are acknowledged. The first one is not.
    messages: VecDeque<Option<Published>>,
    /// How many envelopes there were in messages that found no room.
    overflowed: u64,
    /// When an acknowledgement was asked for last; `None` before the first time.
    asked: Option<Instant>,
}

/// A message that waits for its acknowledgement.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) route: Route,
    pub(crate) envelopes: u64,
    at: Instant,
}

impl Waiting {
    fn remove(&mut self, number: u64) -> Option<Published> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let published = self.messages.get_mut(index)?.take();
        while let Some(None) = self.messages.front() {
            self.messages.pop_front();
            self.first += 1;
        }
        published
    }

    /// Removes the first messages as long as `is_over` holds, and returns how many envelopes they
    /// had.
    fn remove_while(&mut self, is_over: impl Fn(&Published) -> bool) -> u64 {
        let mut envelopes = 0;
        while let Some(first) = self.messages.front() {
            if first.as_ref().is_some_and(|published| !is_over(published)) {
                break;
            }
            envelopes += self.messages.pop_front().flatten().map_or(0, |published| published.envelopes);
            self.first += 1;
        }
        envelopes
    }
}

impl PublishAcks {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // It is consistent at any time.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a message that is about to be published, and returns its number; `None` if it need not
    /// be acknowledged. `is_refusing`: messages have been refused lately.
    pub(crate) fn record(&self, route: &Route, envelopes: u64, is_refusing: bool) -> Option<u64> {
        self.record_at(route, envelopes, is_refusing, Instant::now())
    }

    fn record_at(&self, route: &Route, envelopes: u64, is_refusing: bool, now: Instant) -> Option<u64> {
        let mut waiting = self.waiting();
        let is_due = waiting.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASK_INTERVAL);
        if !is_refusing && !is_due {
            return None;
        }
        waiting.asked = Some(now);
        if waiting.messages.len() >= CAPACITY {
            let oldest = waiting.first;
            waiting.overflowed += waiting.remove(oldest).map_or(0, |published| published.envelopes);
        }
        waiting.messages.push_back(Some(Published { route: route.clone(), envelopes, at: now }));
        Some(waiting.first + waiting.messages.len() as u64 - 1)
    }

    /// Removes and returns the message with a number; `None` if it does not wait any more.
    pub(crate) fn settle(&self, number: u64) -> Option<Published> {
        let mut waiting = self.waiting();
        let published = waiting.remove(number);
        if waiting.messages.is_empty() {
            self.settled.notify_waiters();
        }
        published
    }

    /// Removes the latest message on a subject that is not permitted, and returns how many envelopes
    /// it held; `None` if none waits. No acknowledgement comes for it.
    pub(crate) fn take_refused(&self, subject: &ParsedSubject<'_>) -> Option<u64> {
        let is_on = |published: &Published| {
            published.route.kind() == subject.kind
                && published.route.target_and_source() == (subject.target, subject.source)
        };
        let waiting = self.waiting();
        let index = waiting.messages.iter().rposition(|message| message.as_ref().is_some_and(is_on));
        let number = index.map(|index| waiting.first + index as u64);
        drop(waiting);
        self.settle(number?).map(|published| published.envelopes)
    }

    /// Removes all messages, because the connection is lost, and returns how many envelopes they
    /// held.
    pub(crate) fn take_all(&self) -> u64 {
        let mut waiting = self.waiting();
        let overflowed = std::mem::take(&mut waiting.overflowed);
        let envelopes = waiting.remove_while(|_| true);
        self.settled.notify_waiters();
        overflowed + envelopes
    }

    /// Removes the messages whose acknowledgements have not come in time, and returns how many
    /// envelopes they held.
    pub(crate) fn take_overdue(&self, now: Instant) -> u64 {
        let mut waiting = self.waiting();
        let overflowed = std::mem::take(&mut waiting.overflowed);
        let envelopes = waiting.remove_while(|published| now.saturating_duration_since(published.at) > ACK_TIMEOUT);
        if waiting.messages.is_empty() {
            self.settled.notify_waiters();
        }
        overflowed + envelopes
    }

    /// Waits until no message waits for its acknowledgement.
    pub(crate) async fn all_settled(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.waiting().messages.is_empty() {
                return;
            }
            settled.await;
        }
    }
}

/// Counts messages by their acknowledgements, until the subscription ends. `inbox` is what their
/// subjects begin with, the last separator included.
pub(crate) async fn count_acknowledged(connection: Arc<Connection>, inbox: String, mut subscriber: Subscriber) {
    while let Some(message) = subscriber.next().await {
        let number = message.subject.strip_prefix(inbox.as_str()).and_then(|number| number.parse().ok());
        let Some(published) = number.and_then(|number| connection.acks.settle(number)) else { continue };
        let Published { route, envelopes, .. } = published;
        let refusals = connection.status.refusals();
        match refusal(&message) {
            None => {
                connection.counters.sent(envelopes);
                refusals.accepted(route.kind());
            }
            Some(Refusal { kind, reason }) => {
                connection.counters.refused(envelopes);
                refusals.refused(&kind, &reason, route.kind(), Some(route.target()), envelopes);
            }
        }
    }
}

/// What an acknowledgement says of a message that is not in the stream.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    kind: String,
    reason: String,
}

/// Returns why a message is not in the stream; `None` if it is.
fn refusal(message: &Message) -> Option<Refusal> {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        let reason = "no stream takes what is published on this subject (503, no responders)".to_owned();
        return Some(Refusal { kind: "no stream".to_owned(), reason });
    }
    refusal_in(&message.payload)
}

/// Returns why a message is not in the stream, by the text of its acknowledgement.
fn refusal_in(payload: &[u8]) -> Option<Refusal> {
    // Nearly all acknowledgements are good news, and need not be parsed.
    if payload.starts_with(br#"{"stream""#) && !payload.windows(7).any(|part| part == br#""error""#) {
        return None;
    }
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    let error = answer.get("error")?;
    let number = |name: &str| error[name].as_u64().unwrap_or_default();
    let description = error["description"].as_str().unwrap_or("the broker gives no reason");
    let (code, detail) = (number("code"), number("err_code"));
    Some(Refusal { kind: format!("JetStream {detail}"), reason: format!("{description} ({code}, {detail})") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(from: &str) -> Route {
        Route::Signal { from: from.parse().expect("a name"), to: "z".parse().expect("a name") }
    }

    #[test]
    fn messages_are_settled_in_any_order() {
        let acks = PublishAcks::default();
        let record = |envelopes| acks.record(&route("x"), envelopes, true).expect("it is refusing");
        let numbers = [1, 2, 3].map(record);
        let settle = |number| acks.settle(number).map(|published| published.envelopes);
        assert_eq!([numbers[1], numbers[0], numbers[1], 99].map(settle), [Some(2), Some(1), None, None]);
        assert_eq!(acks.waiting().messages.len(), 1);
        let next = record(4);
        assert_eq!([next, numbers[2]].map(settle), [Some(4), Some(3)]);
        assert_eq!(acks.take_all(), 0);
    }

    #[test]
    fn one_message_a_millisecond_asks_for_an_acknowledgement_and_all_do_while_some_are_refused() {
        let acks = PublishAcks::default();
        let start = Instant::now();
        let asks = |micros, is_refusing| {
            acks.record_at(&route("x"), 1, is_refusing, start + Duration::from_micros(micros)).is_some()
        };
        assert_eq!(
            [0, 1, 999, 1000, 1999, 2000].map(|micros| asks(micros, false)),
            [true, false, false, true, false, true]
        );
        assert!(asks(2001, true) && asks(2002, true) && !asks(2003, false));
    }

    #[test]
    fn what_is_not_settled_is_counted_once() {
        let acks = PublishAcks::default();
        let start = Instant::now();
        let record = |from, envelopes| acks.record_at(&route(from), envelopes, true, start);
        let first = record("x", 1).expect("it is refusing");
        record("y", 2);
        record("x", 4);
        assert!(acks.settle(first).is_some());
        let subject = ParsedSubject { kind: route("y").kind(), target: "z", source: "y" };
        assert_eq!((acks.take_refused(&subject), acks.take_refused(&subject)), (Some(2), None));
        assert_eq!(acks.take_overdue(start), 0);
        assert_eq!(acks.take_overdue(start + ACK_TIMEOUT * 2), 4);
        assert_eq!((acks.take_overdue(start + ACK_TIMEOUT * 3), acks.take_all()), (0, 0));
    }

    #[test]
    fn the_number_of_messages_that_wait_is_bounded() {
        let acks = PublishAcks::default();
        for _ in 0..CAPACITY + 10 {
            acks.record(&route("x"), 2, true);
        }
        assert_eq!(acks.waiting().messages.len(), CAPACITY);
        assert_eq!(acks.take_overdue(Instant::now()), 20);
    }

    #[test]
    fn an_acknowledgement_says_whether_the_message_is_in_the_stream() {
        assert_eq!(refusal_in(br#"{"stream":"NN_xor", "seq":7}"#), None);
        let full = br#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"NN_xor","seq":0}"#;
        let expected =
            Refusal { kind: "JetStream 10077".to_owned(), reason: "maximum bytes exceeded (503, 10077)".to_owned() };
        assert_eq!(refusal_in(full), Some(expected));
        let full =
            br#"{"stream":"NN_xor","error":{"code":400,"err_code":10023,"description":"insufficient resources"}}"#;
        assert!(refusal_in(full).is_some_and(|refusal| refusal.reason.starts_with("insufficient resources")));
    }
}
