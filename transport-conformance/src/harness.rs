//! How a case gets a clean transport.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use neuron_core::{
    NeuronId, Tag, Value,
    signal::{Incarnation, Signal, SignalBody, StreamId},
    transport::{Address, Envelope, Inbox, Transport},
};

/// Opens a transport that carries one network and has no inboxes yet. Dropping it tidies up.
///
/// Where what it needs is not installed, there is none, and [`Broker`](crate::Broker) has said so.
pub trait Harness: Sized {
    /// Opens it.
    fn open() -> impl Future<Output = Option<Self>>;

    /// The transport.
    fn transport(&self) -> Arc<dyn Transport>;

    /// A transport whose inboxes hold this few envelopes.
    fn with_capacity(capacity: usize) -> impl Future<Output = Option<Self>>;

    /// How many envelopes were dropped because an inbox was full.
    fn dropped(&self) -> u64 {
        0
    }
}

/// How long a case may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Runs a case on a runtime of its own.
///
/// # Panics
/// When the case does, or when it is stuck.
pub fn run<F: Future<Output = ()>>(case: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(STUCK, case()).await.expect("the case is stuck") });
}

/// Waits until it is so; for what has no event to wait for.
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

/// A signal that carries a number.
pub fn numbered(from: &str, to: &str, number: u64) -> Envelope {
    let incarnation = Incarnation { number: 1, nonce: 0 };
    let stream = StreamId { incarnation, counter: 1 };
    let at = Tag::from_bits(number + 1);
    let body = SignalBody::Changed { stream, seq: number, known: at.prev(), at, value: Value::plain(1.0) };
    Envelope::Signal { from: id(from), to: id(to), signal: Signal { incarnation, body } }
}

/// The sender and the number of a signal made by [`numbered`].
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

pub(crate) async fn send(transport: &Arc<dyn Transport>, envelope: Envelope) {
    transport.send(envelope).await.expect("the envelope is handed over");
}

pub(crate) async fn next(inbox: &mut Inbox) -> Envelope {
    inbox.next().await.expect("another envelope")
}
