//! What a case needs: a clean transport, and envelopes that can be told apart.

use std::{future::Future, sync::Arc, time::Duration};

use neuron_core::{
    NeuronId, Tag, Value,
    signal::{Incarnation, Signal, SignalBody, StreamId},
    transport::{Address, Envelope, FullInbox, Inbox, Transport},
};

use crate::carrier::{begin_check, stuck_report};

/// Opens a transport that carries one network and has no inboxes yet. Dropping the harness releases
/// what it opened.
///
/// `open` and `with_capacity` return `None` where a program that the transport needs is not
/// installed; the case is then skipped. [`Broker`](crate::Broker) reports that, and fails if
/// `REQUIRE_BROKERS=1` is set.
pub trait Harness: Sized {
    /// Opens a transport with inboxes of its usual capacity, which is at least 2,048 envelopes:
    /// cases hand over that many before they read.
    fn open() -> impl Future<Output = Option<Self>>;

    /// Returns the transport. All calls return the same one, or clones that share its inboxes.
    fn transport(&self) -> Arc<dyn Transport>;

    /// Opens a transport whose inboxes hold `capacity` envelopes each.
    fn with_capacity(capacity: usize) -> impl Future<Output = Option<Self>>;

    /// Returns what becomes of an envelope for a full inbox of this process. The default is what
    /// the transport says; one that goes another way within a process says so here.
    fn full_inbox(&self) -> FullInbox {
        self.transport().guarantees().full_inbox
    }

    /// Returns whether envelopes may be lost while the suite runs. If so, a case requires of what
    /// it sends only what such a carrier promises: that it arrives whole, in order and once, or not
    /// at all; and it sends again what it needs.
    ///
    /// The default is what the transport declares. A transport that declares loss only for the time
    /// when its broker dies returns `false`, so that every envelope has to arrive.
    fn loses(&self) -> bool {
        self.transport().guarantees().may_lose()
    }

    /// Returns how many envelopes were dropped because an inbox was full. The default, 0, is for
    /// transports that drop none.
    fn dropped(&self) -> u64 {
        0
    }
}

/// How long a case may take before it fails as stuck. The longest takes about ten seconds.
const STUCK: Duration = Duration::from_secs(60);

/// Returns for how many seconds a case is to last that can be asked to: the environment variable
/// `SECONDS`.
pub(crate) fn asked_seconds() -> Option<u64> {
    std::env::var("SECONDS").ok().map(|seconds| seconds.parse().expect("SECONDS is a number"))
}

/// Returns how many pairs of processes a case is to start that can be asked to: the environment
/// variable `PAIRS`.
pub(crate) fn asked_pairs() -> Option<u32> {
    std::env::var("PAIRS").ok().map(|pairs| pairs.parse().expect("PAIRS is a number"))
}

/// Runs a case on a tokio runtime of its own.
///
/// # Panics
/// If the case panics, or takes longer than a minute, or than it was asked to last and a minute.
pub fn run<F: Future<Output = ()>>(case: impl FnOnce() -> F) {
    run_check("this case", case);
}

/// Runs a case as [`run`] does. What it reports names the check.
#[doc(hidden)]
pub fn run_check<F: Future<Output = ()>>(name: &'static str, case: impl FnOnce() -> F) {
    begin_check(name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let limit = STUCK + Duration::from_secs(asked_seconds().unwrap_or(0)) + STUCK * asked_pairs().unwrap_or(0);
        let ended = tokio::time::timeout(limit, case()).await;
        assert!(ended.is_ok(), "{}", stuck_report());
    });
}

/// Waits until `so` returns `true`. It polls every 10 ms, so use it only where there is no event to
/// wait for.
pub async fn until(so: impl Fn() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn id(name: &str) -> NeuronId {
    name.parse().expect("a test uses proper names")
}

pub(crate) fn neuron(name: &str) -> Address {
    Address::Neuron(id(name))
}

/// Returns a signal from one neuron to another that carries a number.
pub fn numbered(from: &str, to: &str, number: u64) -> Envelope {
    let incarnation = Incarnation { number: 1, nonce: 0 };
    let stream = StreamId { incarnation, counter: 1 };
    let at = Tag::from_bits(number + 1);
    let body = SignalBody::Changed { stream, seq: number, known: at.prev(), at, value: Value::plain(1.0) };
    Envelope::Signal { from: id(from), to: id(to), signal: Signal { incarnation, body } }
}

/// Returns the sender and the number of a signal made by [`numbered`].
///
/// # Panics
/// If it is another envelope.
pub fn number(envelope: &Envelope) -> (String, u64) {
    match envelope {
        Envelope::Signal { from, signal: Signal { body: SignalBody::Changed { seq, .. }, .. }, .. } => {
            (from.to_string(), *seq)
        }
        other => panic!("a numbered signal is expected, not {other:?}"),
    }
}

pub(crate) async fn open(transport: &Arc<dyn Transport>, at: &Address) -> Inbox {
    transport.subscribe(at).await.expect("an inbox")
}
