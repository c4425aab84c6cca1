//! A transport that notes when x is told to fire and when z has decided, and counts.

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
    transport::{Address, BoxFuture, Envelope, Guarantees, Inbox, Sending, Transport, TransportError},
};

/// What has passed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    stamps: Mutex<Stamps>,
    /// The last statement over each edge: what is sent again is no new one.
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

/// How much has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) levels: u64,
    pub(super) again: u64,
    pub(super) messages: u64,
}

impl Seen {
    /// Looks for the next stimulus and the next decision.
    pub(super) fn forget(&self) {
        *self.stamps() = Stamps::default();
    }

    /// From the stimulus to the decision.
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
        self.stamps.lock().expect("nobody panicked")
    }

    fn is_new(&self, from: &NeuronId, to: &NeuronId, statement: (StreamId, u64)) -> bool {
        let mut said = self.said.lock().expect("nobody panicked");
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
                    let is_new = self.is_new(from, to, (stream, seq));
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

/// The transport itself.
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

impl Transport for Observed {
    fn send(&self, envelope: Envelope) -> Sending {
        self.seen.see(&envelope);
        self.inner.send(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.inner.subscribe(at)
    }

    fn attach_to_current_thread(&self) {
        self.inner.attach_to_current_thread();
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }
}
