//! The conformance suite itself: it passes a carrier that loses, and names what a bad one breaks.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use neuron_core::{
    Value,
    hosts::Claim,
    signal::{Signal, SignalBody},
    transport::{
        Address, BrokerRefusal, ClaimInbox, Delivery, Envelope, Guarantees, Inbox, Pace, Sending, Transport,
        TransportError, async_trait,
    },
};
use transport_conformance::{Harness, delivery, lifecycle, ordering, run_check};
use transport_local::LocalTransport;

/// Loses one envelope in five, and says so.
const LOSES: u8 = 0;
/// Loses one envelope in ten, and does not say so.
const LOSES_SECRETLY: u8 = 1;
/// Lets one envelope in ten be overtaken by the next one, and declares order.
const REORDERS: u8 = 2;
/// Delivers one envelope in ten twice, and declares that it does not.
const DOUBLES: u8 = 3;
/// Leaves out a part of one signal in ten.
const TRUNCATES: u8 = 4;
/// Loses everything, and says that it may lose something.
const LOSES_ALL: u8 = 5;
/// Lets the old inbox of an address go on.
const KEEPS_INBOXES: u8 = 6;

/// A carrier with a fault.
#[derive(Clone, Debug)]
struct Faulted<const FAULT: u8> {
    inner: LocalTransport,
    sent: Arc<AtomicU64>,
    overtaken: Arc<Mutex<Option<Envelope>>>,
    rng: Arc<Mutex<fastrand::Rng>>,
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<const FAULT: u8> Transport for Faulted<FAULT> {
    fn send(&self, envelope: Envelope) -> Sending {
        if FAULT == LOSES {
            let is_lost = self.rng.lock().unwrap().u8(0..5) == 0;
            return if is_lost { Sending::done(Ok(())) } else { self.inner.send(envelope) };
        }
        let is_tenth = self.sent.fetch_add(1, Ordering::Relaxed) % 10 == 5;
        match FAULT {
            LOSES_ALL => Sending::done(Ok(())),
            LOSES_SECRETLY if is_tenth => Sending::done(Ok(())),
            REORDERS if is_tenth => {
                *self.overtaken.lock().unwrap() = Some(envelope);
                Sending::done(Ok(()))
            }
            REORDERS => {
                let sending = self.inner.send(envelope);
                match self.overtaken.lock().unwrap().take() {
                    Some(overtaken) => self.inner.send(overtaken),
                    None => sending,
                }
            }
            DOUBLES if is_tenth => {
                let first = self.inner.send(envelope.clone());
                drop(first);
                self.inner.send(envelope)
            }
            TRUNCATES if is_tenth => self.inner.send(truncated(envelope)),
            _ => self.inner.send(envelope),
        }
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        if FAULT == KEEPS_INBOXES {
            return Ok(Inbox::new(futures_util::stream::pending()));
        }
        self.inner.subscribe(at).await
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        self.inner.send_claim(claim)
    }

    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        self.inner.subscribe_claims().await
    }

    fn guarantees(&self) -> Guarantees {
        let inner = self.inner.guarantees().without_local_bypass();
        if !matches!(FAULT, LOSES | LOSES_ALL) {
            return inner;
        }
        let pace = Pace { retry: Duration::from_millis(3), ..inner.pace };
        Guarantees { delivery: Delivery::AtMostOnce, pace, ..inner }
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
}

/// Returns the envelope without a part of its signal.
fn truncated(envelope: Envelope) -> Envelope {
    match envelope {
        Envelope::Signal {
            from,
            to,
            signal: Signal { incarnation, body: SignalBody::Changed { stream, seq, known, at, .. } },
        } => {
            let body = SignalBody::Changed { stream, seq, known, at, value: Value::plain(0.0) };
            Envelope::Signal { from, to, signal: Signal { incarnation, body } }
        }
        other => other,
    }
}

struct On<const FAULT: u8>(Faulted<FAULT>);

impl<const FAULT: u8> On<FAULT> {
    fn over(inner: LocalTransport) -> Self {
        let rng = Arc::new(Mutex::new(fastrand::Rng::with_seed(2016)));
        Self(Faulted { inner, sent: Arc::default(), overtaken: Arc::default(), rng })
    }
}

impl<const FAULT: u8> Harness for On<FAULT> {
    async fn open() -> Option<Self> {
        Some(Self::over(LocalTransport::new()))
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.0.clone())
    }

    async fn with_capacity(capacity: usize) -> Option<Self> {
        Some(Self::over(LocalTransport::with_capacity(capacity)))
    }
}

mod carrier_that_loses {
    use super::*;

    transport_conformance::tests!(On<LOSES>);
}

/// Runs a check that has to fail, and returns its report.
fn report<F: Future<Output = ()>>(name: &'static str, check: impl FnOnce() -> F) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| run_check(name, check))).expect_err("the carrier breaks a promise");
    *failed.downcast::<String>().expect("a text")
}

macro_rules! is_reported {
    ($test:ident, $fault:ident, $theme:ident :: $check:ident, $($word:literal),+) => {
        #[test]
        fn $test() {
            let name = concat!(stringify!($theme), "::", stringify!($check));
            let report = report(name, || $theme::$check::<On<$fault>>());
            for word in [name, $($word),+] {
                assert!(report.contains(word), "{word}: {report}");
            }
        }
    };
}

is_reported!(
    a_carrier_that_reorders_is_told_that_it_declares_order,
    REORDERS,
    ordering::one_sender_is_heard_in_order,
    "`ordered_per_sender: true`",
    "envelope 5 from s0 arrives after envelope 6"
);
is_reported!(
    a_carrier_that_doubles_is_told_how_often_it_declares_to_deliver,
    DOUBLES,
    delivery::an_envelope_arrives_once_if_that_is_promised,
    "`delivery: ExactlyOnce`",
    "envelope 5 from a arrives twice"
);
is_reported!(
    a_carrier_that_truncates_is_told_that_envelopes_arrive_whole,
    TRUNCATES,
    ordering::one_sender_is_heard_in_order,
    "an envelope arrives whole or not at all",
    "was not sent"
);
is_reported!(
    a_carrier_that_loses_secretly_is_told_how_much_has_arrived,
    LOSES_SECRETLY,
    ordering::one_sender_is_heard_in_order,
    "`delivery: ExactlyOnce`",
    "500 envelopes, 450 of which have arrived"
);
is_reported!(
    a_carrier_that_loses_everything_is_told_that_this_is_too_much,
    LOSES_ALL,
    lifecycle::what_is_sent_after_subscribing_arrives,
    "once `subscribe` has completed",
    "was sent 100 times"
);
is_reported!(
    a_carrier_that_lets_an_old_inbox_go_on_is_told_that_there_is_one,
    KEEPS_INBOXES,
    lifecycle::a_new_inbox_takes_the_place_of_the_old_one,
    "an address has one inbox",
    "has not ended"
);
