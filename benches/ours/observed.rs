//! A transport that notes when x is stimulated and when z has decided, and counts what it carries.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use neuron_core::{
    NeuronId,
    command::{Command, Report},
    signal::{SignalBody, StreamId},
    transport::{Address, BrokerRefusal, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, async_trait},
};

/// The times and counts of what was sent.
#[derive(Debug, Default)]
pub(super) struct Seen {
    stamps: Mutex<Stamps>,
    /// The last statement over each edge, to tell new ones from those that are sent again.
    said: Mutex<BTreeMap<(NeuronId, NeuronId), (StreamId, u64)>>,
    levels: AtomicU64,
    again: AtomicU64,
    messages: AtomicU64,
}

#[derive(Debug, Default)]
struct Stamps {
    told: Option<Instant>,
    decided: Option<Instant>,
}

/// How many messages were sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// New levels.
    pub(super) levels: u64,
    /// Levels that were sent again.
    pub(super) again: u64,
    /// All messages, levels included.
    pub(super) messages: u64,
}

impl Seen {
    /// Forgets the last stimulus and the last decision.
    pub(super) fn forget(&self) {
        *self.stamps() = Stamps::default();
    }

    /// Returns the time from the stimulus to the decision; `None` until there are both.
    pub(super) fn took(&self) -> Option<Duration> {
        let stamps = self.stamps();
        Some(stamps.decided? - stamps.told?)
    }

    pub(super) fn decided(&self) -> Option<Instant> {
        self.stamps().decided
    }

    pub(super) fn counted(&self) -> Counted {
        let [levels, again, messages] =
            [&self.levels, &self.again, &self.messages].map(|count| count.load(Ordering::Relaxed));
        Counted { levels, again, messages }
    }

    fn stamps(&self) -> MutexGuard<'_, Stamps> {
        self.stamps.lock().expect("no thread panics with the lock")
    }

    /// Notes a statement and returns whether it is newer than all before it on this edge.
    fn note_statement(&self, from: &NeuronId, to: &NeuronId, statement: (StreamId, u64)) -> bool {
        let mut said = self.said.lock().expect("no thread panics with the lock");
        let last = said.entry((from.clone(), to.clone())).or_insert(statement);
        let is_new = statement > *last;
        *last = statement.max(*last);
        is_new
    }

    fn see(&self, envelope: &Envelope) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        match envelope {
            Envelope::Signal { from, to, signal } => {
                if let SignalBody::Changed { stream, seq, .. } = signal.body {
                    let is_new = self.note_statement(from, to, (stream, seq));
                    if is_new { &self.levels } else { &self.again }.fetch_add(1, Ordering::Relaxed);
                }
            }
            Envelope::Request { request, .. } if matches!(request.command, Command::Stimulate { .. }) => {
                self.stamps().told.get_or_insert_with(Instant::now);
            }
            Envelope::Report { report, .. } if matches!(**report, Report::Changed { .. }) => {
                self.stamps().decided.get_or_insert_with(Instant::now);
            }
            _ => {}
        }
    }
}

/// The transport that observes, around the one that carries.
#[derive(Debug)]
pub(super) struct Observed {
    inner: Arc<dyn Transport>,
    seen: Arc<Seen>,
}

impl Observed {
    pub(super) fn new(inner: Arc<dyn Transport>, seen: Arc<Seen>) -> Self {
        Self { inner, seen }
    }
}

#[async_trait]
impl Transport for Observed {
    fn send(&self, envelope: Envelope) -> Sending {
        self.seen.see(&envelope);
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        self.inner.last_refusal(to)
    }

    fn attach_to_current_thread(&self) {
        self.inner.attach_to_current_thread();
    }

    async fn detach_from_current_thread(&self) {
        self.inner.detach_from_current_thread().await;
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }
}
