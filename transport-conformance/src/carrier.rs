//! A transport under test: what a case may require of it, and how the case waits for it.

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::transport::{Address, Delivery, Envelope, Guarantees, Inbox, Sending, Transport};
use tokio::time::timeout;

use crate::harness::{Harness, neuron, number, numbered};

/// How long a carrier that loses nothing may be silent while a case waits for it.
const SILENT: Duration = Duration::from_secs(15);

/// How often an envelope is sent again over a carrier that loses, until it has to have arrived.
const ATTEMPTS: u32 = 100;

/// Required of every carrier.
pub(crate) const WHOLE: &str = "an envelope arrives whole or not at all, at the address that it was sent to";
/// Required of every carrier.
pub(crate) const SUBSCRIBED: &str =
    "what is sent once `subscribe` has completed arrives, in the inbox that is open by then and in no other";
/// Required of every carrier.
pub(crate) const ONE_INBOX: &str = "an address has one inbox: the one before has ended, and what was for it is gone";
/// Required of every carrier.
pub(crate) const APART: &str = "an address without an inbox, or with a full one, holds up no other address";
/// Required of a carrier that declares order.
pub(crate) const ORDER: &str = "`ordered_per_sender: true`";

thread_local! {
    static CHECK: Cell<&'static str> = const { Cell::new("this check") };
    static WAITS_FOR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes which check runs on this thread.
pub(crate) fn begin_check(name: &'static str) {
    CHECK.set(name);
    WAITS_FOR.take();
}

/// Returns what the check on this thread has said last that it waits for.
pub(crate) fn stuck_report() -> String {
    let waits_for = WAITS_FOR.take();
    let waits_for = if waits_for.is_empty() { "an answer of the network" } else { &waits_for };
    format!("{} is stuck: it waits for {waits_for}", CHECK.get())
}

/// Fails with the check, the promise that the carrier has broken, and what shows it.
#[track_caller]
pub(crate) fn broken(promise: &str, shown: impl Display) -> ! {
    panic!("{}: the carrier breaks its promise ({promise}): {shown}", CHECK.get())
}

/// A transport under test, with what it declares.
pub(crate) struct Carrier {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) guarantees: Guarantees,
    /// Envelopes may be lost during the suite, so a case waits for none in particular.
    pub(crate) loses: bool,
    /// What was sent more than once, because it seemed to be lost. It may arrive late.
    repeated: RefCell<Vec<Envelope>>,
}

impl Carrier {
    pub(crate) fn of(harness: &impl Harness) -> Self {
        let transport = harness.transport();
        let guarantees = transport.guarantees();
        Self { transport, guarantees, loses: harness.loses(), repeated: RefCell::default() }
    }

    /// Returns how long a carrier that loses may be silent until what has not arrived is lost.
    fn quiet(&self) -> Duration {
        ((self.guarantees.pace.grace + self.guarantees.pace.retry) * 2).max(Duration::from_millis(50))
    }

    /// Returns the promise about how often an envelope arrives.
    pub(crate) fn delivery(&self) -> String {
        format!("`delivery: {:?}`", self.guarantees.delivery)
    }

    pub(crate) async fn open(&self, at: &Address) -> Inbox {
        match self.transport.subscribe(at).await {
            Ok(inbox) => inbox,
            Err(error) => broken(SUBSCRIBED, format_args!("{at:?} cannot be subscribed: {error}")),
        }
    }

    pub(crate) async fn open_neuron(&self, name: &str) -> Inbox {
        self.open(&neuron(name)).await
    }

    /// Hands an envelope over, once.
    pub(crate) async fn send(&self, envelope: Envelope) {
        let to = envelope.to();
        if let Err(error) = self.transport.send(envelope).await {
            broken(&self.delivery(), format_args!("an envelope for {to:?}, whose inbox is open, is refused: {error}"));
        }
    }

    /// Hands an envelope over if that takes no waiting; returns the rest otherwise.
    pub(crate) fn try_send(&self, envelope: Envelope) -> Option<Sending> {
        let mut sending = self.transport.send(envelope);
        (&mut sending).now_or_never().is_none().then_some(sending)
    }

    /// Sends an envelope, and again if the carrier loses, until it arrives. It must be the next one
    /// in the inbox; `promise` is what another one would break.
    pub(crate) async fn pass(&self, envelope: Envelope, inbox: &mut Inbox, promise: &str) {
        for attempt in 1.. {
            self.send(envelope.clone()).await;
            let arrived = loop {
                let arrived = self.next(inbox, promise, format_args!("{envelope:?}, sent {attempt} times")).await;
                let is_late = |one: &Envelope| self.repeated.borrow().contains(one) && *one != envelope;
                if arrived.as_ref().is_none_or(|one| !is_late(one)) {
                    break arrived;
                }
            };
            match arrived {
                Some(arrived) if arrived == envelope => return,
                Some(arrived) => broken(promise, format_args!("{arrived:?} arrives, and {envelope:?} was sent")),
                None if attempt < ATTEMPTS => self.repeated.borrow_mut().push(envelope.clone()),
                None => broken(promise, format_args!("{envelope:?} was sent {attempt} times, and never arrived")),
            }
        }
    }

    /// Returns the next envelope. `None` is for a carrier that loses, once it has been quiet for so
    /// long that nothing more comes.
    pub(crate) async fn next(&self, inbox: &mut Inbox, promise: &str, what: impl Display) -> Option<Envelope> {
        WAITS_FOR.set(format!("{what}, which it requires of ({promise})"));
        let limit = if self.loses { self.quiet() } else { SILENT };
        match timeout(limit, inbox.next()).await {
            Ok(Some(envelope)) => Some(envelope),
            Ok(None) => broken(ONE_INBOX, format_args!("the inbox has ended while it waited for {what}")),
            Err(_) if self.loses => None,
            Err(_) => broken(promise, format_args!("nothing has arrived for {SILENT:?}; it waited for {what}")),
        }
    }

    /// Receives what was sent: `sent` envelopes, or, if some may be lost or doubled, what arrives
    /// until the carrier is quiet. At least one in ten must arrive in any case.
    pub(crate) async fn receive(&self, inbox: &mut Inbox, sent: u64) -> Vec<Envelope> {
        let mut arrived = Vec::new();
        let promise = self.delivery();
        let is_exact = !self.loses && self.guarantees.delivery != Delivery::AtLeastOnce;
        while !is_exact || (arrived.len() as u64) < sent {
            let what = format!("{sent} envelopes, {} of which have arrived", arrived.len());
            let next = self.next(inbox, &promise, &what);
            let next = if is_exact {
                next.await
            } else {
                // All of it has been handed over before.
                timeout(self.quiet(), next).await.ok().flatten()
            };
            let Some(envelope) = next else { break };
            arrived.push(envelope);
        }
        // One that arrives twice has perhaps taken the place of another one.
        while let Some(Some(envelope)) = inbox.next().now_or_never() {
            arrived.push(envelope);
        }
        if (arrived.len() as u64) * 10 < sent {
            broken(&promise, format_args!("{} of {sent} envelopes have arrived; a network needs more", arrived.len()));
        }
        arrived
    }

    /// Returns the senders and the numbers of what arrived at a neuron, made by [`numbered`].
    pub(crate) fn numbers(&self, to: &str, arrived: Vec<Envelope>) -> std::collections::BTreeMap<String, Vec<u64>> {
        let mut numbers = std::collections::BTreeMap::<String, Vec<u64>>::new();
        for envelope in arrived {
            let (from, number) = number(&envelope);
            if envelope != numbered(&from, to, number) {
                broken(WHOLE, format_args!("{envelope:?} arrives at {to}, and was not sent"));
            }
            numbers.entry(from).or_default().push(number);
        }
        numbers
    }

    /// Checks what arrived of one sender, which has sent what is in `sent`, in that order: how
    /// often and in which order, and, if the carrier loses nothing, that nothing is missing.
    pub(crate) fn check_sequence<T: PartialEq>(&self, from: &str, arrived: &[T], sent: &[T]) {
        let delivery = self.delivery();
        let mut times = vec![0_u32; sent.len()];
        let mut last = None;
        let mut searched_from = 0;
        for one in arrived {
            // It is near the one before, so this takes one step for nearly all.
            let place = |range: std::ops::Range<usize>| sent[range.clone()].iter().position(|sent| sent == one);
            let place =
                place(searched_from..sent.len()).map(|at| at + searched_from).or_else(|| place(0..searched_from));
            let Some(place) = place else { broken(WHOLE, format_args!("what arrives from {from} was not sent")) };
            times[place] += 1;
            searched_from = place;
            if times[place] > 1 {
                if self.guarantees.delivery != Delivery::AtLeastOnce {
                    broken(&delivery, format_args!("envelope {place} from {from} arrives twice"));
                }
                continue;
            }
            if self.guarantees.ordered_per_sender && last.is_some_and(|last| place < last) {
                let last = last.unwrap_or_default();
                broken(ORDER, format_args!("envelope {place} from {from} arrives after envelope {last}"));
            }
            last = Some(place);
        }
        if let Some(missing) = times.iter().position(|times| *times == 0)
            && !self.loses
        {
            let count = times.iter().filter(|times| **times > 0).count();
            let all = sent.len();
            broken(&delivery, format_args!("{count} of {all} from {from} have arrived; envelope {missing} has not"));
        }
    }
}
