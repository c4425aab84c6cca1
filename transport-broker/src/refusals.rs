//! What the broker has refused, shared by all parts of a connection.
//!
//! Why: docs/decisions/0053-a-refusal-is-told-where-it-is-noticed.md

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use neuron_core::transport::{Address, BrokerRefusal};

use crate::{MessageKind, RefusalLog};

/// How many addresses are remembered whose messages were refused. Beyond, the oldest is forgotten.
const MAX_ADDRESSES: usize = 1024;

/// The longest text of a broker that is kept, in bytes.
const MAX_REASON: usize = 512;

/// What the broker has refused: the last refusal for each address, and what the log has said.
#[derive(Debug)]
pub struct Refusals {
    /// The broker's address, without a password.
    broker: String,
    /// Refusals go on. Read for each message that is accepted, so it must not cost a lock.
    is_active: AtomicBool,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    log: RefusalLog,
    last: HashMap<Address, LastRefusal>,
}

#[derive(Debug)]
struct LastRefusal {
    reason: String,
    at: Instant,
    count: u64,
}

impl Refusals {
    /// Creates an empty record. `broker` appears in the log, so it must not contain a password.
    pub fn new(broker: String) -> Self {
        Self { broker, is_active: AtomicBool::new(false), record: Mutex::default() }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // It is consistent at any time.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the broker has refused a message with this many envelopes, and logs it if
    /// refusals of its kind begin with it.
    ///
    /// `kind` tells kinds of refusals apart, such as `OOM`; `reason` is what the broker said. `to`
    /// is `None` if it is not known.
    pub fn refused(&self, kind: &str, reason: &str, of: MessageKind, to: Option<Address>, envelopes: u64) {
        self.refused_at(kind, reason, of, to, envelopes, Instant::now());
    }

    /// As [`refused`](Self::refused), at a given time.
    pub(crate) fn refused_at(
        &self,
        kind: &str,
        reason: &str,
        of: MessageKind,
        to: Option<Address>,
        envelopes: u64,
        now: Instant,
    ) {
        let reason = shortened(reason);
        let mut record = self.record();
        self.is_active.store(true, Ordering::Release);
        let begins = record.log.refused(kind, reason, of, envelopes, now);
        if let Some(to) = to {
            record.note(to, reason, envelopes, now);
        }
        drop(record);
        if begins {
            let broker = &self.broker;
            tracing::warn!(
                %broker, kind, reason,
                "the broker refuses messages; how many is told once it takes them again, and counted until then"
            );
        }
    }

    /// Returns whether messages are refused, as far as is known.
    pub fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Acquire)
    }

    /// Notes that the broker has accepted messages. Costs next to nothing while none are refused.
    pub fn accepted(&self, of: MessageKind) {
        if self.is_active() {
            self.record().log.accepted(of, Instant::now());
            self.log_ended();
        }
    }

    /// Logs what is over by now. To be called from time to time: messages may pass and then stop.
    pub fn log_ended(&self) {
        if self.is_active() {
            self.log_ended_at(Instant::now());
        }
    }

    fn log_ended_at(&self, now: Instant) {
        let mut record = self.record();
        let ended = record.log.take_ended(now);
        let is_active = !record.log.is_empty() || record.log.total().is_some();
        self.is_active.store(is_active, Ordering::Release);
        drop(record);
        for over in ended {
            let (broker, kind, refused, lasted) = (&self.broker, &over.kind, over.count, over.lasted);
            tracing::warn!(%broker, kind, refused, ?lasted, "the broker takes messages again");
        }
    }

    /// Forgets whether everything was refused, because the connection is lost.
    pub fn clear_total(&self) {
        if self.is_active() {
            self.record().log.clear_total();
        }
    }

    /// Returns what the broker said last, if it has refused everything for a while; `None`
    /// otherwise.
    pub fn total(&self) -> Option<String> {
        if !self.is_active() {
            return None;
        }
        self.record().log.total().map(str::to_owned)
    }

    /// Returns the last message to an address that was refused; `None` if none is remembered.
    pub fn last(&self, to: &Address) -> Option<BrokerRefusal> {
        let record = self.record();
        let last = record.last.get(to)?;
        Some(BrokerRefusal { reason: last.reason.clone(), elapsed: last.at.elapsed(), count: last.count })
    }
}

impl Record {
    fn note(&mut self, to: Address, reason: &str, envelopes: u64, now: Instant) {
        if let Some(last) = self.last.get_mut(&to) {
            last.count += envelopes;
            last.at = now;
            if last.reason != reason {
                reason.clone_into(&mut last.reason);
            }
            return;
        }
        if self.last.len() >= MAX_ADDRESSES {
            let oldest = self.last.iter().min_by_key(|(_, last)| last.at).map(|(at, _)| at.clone());
            oldest.and_then(|at| self.last.remove(&at));
        }
        self.last.insert(to, LastRefusal { reason: reason.to_owned(), at: now, count: envelopes });
    }
}

/// Returns the beginning of a text, of at most [`MAX_REASON`] bytes.
fn shortened(text: &str) -> &str {
    let end = (0..=MAX_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use std::{fmt, sync::Arc, time::Duration};

    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    use super::*;
    use crate::QUIET;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0 += &format!("{field}={value:?} ");
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut line = Line(format!("{} ", event.metadata().level()));
            event.record(&mut line);
            self.0.lock().expect("no thread panics with it").push(line.0);
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn a_thousand_refusals_have_two_lines_in_the_log() {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), || {
            let refusals = Refusals::new("redis://host".to_owned());
            let start = Instant::now();
            for _ in 0..1000 {
                refusals.refused_at("OOM", "no memory", MessageKind::Signal, Some(neuron("z")), 2, start);
                refusals.log_ended_at(start);
            }
            refusals.accepted(MessageKind::Signal);
            refusals.log_ended_at(Instant::now() + QUIET);
            refusals.log_ended_at(Instant::now() + QUIET * 2 + Duration::from_secs(1));
            assert!(!refusals.is_active());
        });
        let lines = lines.0.lock().expect("no thread panics with it");
        assert_eq!(lines.len(), 2, "{lines:?}");
        let has = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
        assert!(has(&lines[0], &["WARN", "redis://host", "OOM", "no memory", "refuses"]), "{lines:?}");
        assert!(has(&lines[1], &["WARN", "redis://host", "refused=2000", "OOM", "again"]), "{lines:?}");
    }

    fn neuron(name: &str) -> Address {
        Address::Neuron(name.parse().expect("a name"))
    }

    #[test]
    fn the_last_refusal_of_each_address_is_remembered() {
        let refusals = Refusals::new("test".to_owned());
        refusals.refused("OOM", "no memory", MessageKind::Signal, Some(neuron("z")), 3);
        refusals.refused("NOPERM", "no permission", MessageKind::Request, Some(neuron("z")), 1);
        let last = refusals.last(&neuron("z")).expect("there is one");
        assert_eq!((last.reason.as_str(), last.count), ("no permission", 4));
        assert_eq!(refusals.last(&neuron("y")), None);
        let long = "ä".repeat(MAX_REASON);
        refusals.refused("ERR", &long, MessageKind::Signal, Some(neuron("y")), 1);
        assert_eq!(refusals.last(&neuron("y")).expect("there is one").reason.len(), MAX_REASON);
    }

    #[test]
    fn the_record_is_bounded() {
        let refusals = Refusals::new("test".to_owned());
        for number in 0..2 * MAX_ADDRESSES {
            refusals.refused("OOM", "no memory", MessageKind::Signal, Some(neuron(&format!("n{number}"))), 1);
        }
        assert_eq!(refusals.record().last.len(), MAX_ADDRESSES);
        assert!(refusals.last(&neuron("n0")).is_none() && refusals.last(&neuron("n2047")).is_some());
    }
}
