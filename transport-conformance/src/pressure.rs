//! Inboxes that are full.
//!
//! Over a carrier that loses, what is missing cannot be counted. There the cases require that what
//! arrives of a flood is in order and without duplicates, that other inboxes are not held up, and
//! that the inbox goes on.

use std::{future::poll_fn, task::Poll};

use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::transport::{FullInbox, Inbox};

use crate::{
    carrier::{APART, Carrier, ONE_INBOX, ORDER, broken},
    harness::{Harness, number, numbered},
};

/// How many envelopes are sent to an inbox that is not read: many times its capacity.
const FLOOD: u64 = 200;

/// A full inbox does as [`FullInbox`] says. Where senders wait or the carrier keeps envelopes, all
/// of them arrive in order when there is room again. Where envelopes are dropped, each that is
/// missing has been counted.
pub async fn a_full_inbox_loses_nothing_silently<H: Harness>() {
    let Some(harness) = H::with_capacity(4).await else { return };
    let carrier = Carrier::of(&harness);
    let full_inbox = harness.full_inbox();
    let promise = promise(full_inbox);
    let mut inbox = carrier.open_neuron("z").await;
    if carrier.loses {
        return goes_on_after_a_flood(&carrier, &mut inbox, 1).await;
    }
    if full_inbox == FullInbox::SenderWaits {
        let mut handed_over = 0;
        let waiting = loop {
            if let Some(waiting) = carrier.try_send(numbered("a", "z", handed_over)) {
                break waiting;
            }
            handed_over += 1;
            if handed_over > 4 {
                broken(&promise, format_args!("an inbox for 4 envelopes took {handed_over}, and no sender waits"));
            }
        };
        expect(&carrier, &mut inbox, &promise, 0).await;
        waiting.await.expect("there is room now");
        for number in 1..=handed_over {
            expect(&carrier, &mut inbox, &promise, number).await;
        }
        return;
    }
    let mut other = carrier.open_neuron("other").await;
    // A carrier may make a connection for each receiver, and one later than the other.
    carrier.pass(numbered("a", "z", 0), &mut inbox, APART).await;
    carrier.pass(numbered("a", "other", 0), &mut other, APART).await;
    for number in 1..=FLOOD {
        carrier.send(numbered("a", "z", number)).await;
    }
    // When this has arrived, so have all others that fit.
    carrier.pass(numbered("a", "other", 1), &mut other, APART).await;
    if full_inbox == FullInbox::TransportQueues {
        let arrived = carrier.receive(&mut inbox, FLOOD).await;
        for (from, numbers) in carrier.numbers("z", arrived) {
            carrier.check_sequence(&from, &numbers, &(1..=FLOOD).collect::<Vec<_>>());
        }
        return;
    }
    let mut arrived = 0;
    while inbox.next().now_or_never().is_some() {
        arrived += 1;
    }
    if arrived < 4 || arrived + harness.dropped() != FLOOD {
        let dropped = harness.dropped();
        broken(&promise, format_args!("of {FLOOD} for an inbox for 4, {arrived} arrive, {dropped} are counted"));
    }
    carrier.send(numbered("a", "z", FLOOD + 1)).await;
    expect(&carrier, &mut inbox, &promise, FLOOD + 1).await;
}

/// The same holds if many send to it at once: what arrives of each sender is in order and has no
/// duplicates. Where envelopes are dropped, each that is missing has been counted.
pub async fn a_full_inbox_hears_each_of_many_in_order<H: Harness>() {
    const SENDERS: u64 = 5;
    let Some(harness) = H::with_capacity(4).await else { return };
    let carrier = Carrier::of(&harness);
    let full_inbox = harness.full_inbox();
    let mut inbox = carrier.open_neuron("z").await;
    if carrier.loses {
        return goes_on_after_a_flood(&carrier, &mut inbox, SENDERS).await;
    }
    if full_inbox == FullInbox::SenderWaits || !carrier.guarantees.ordered_per_sender {
        // The case before this one, and those about order, say all that there is to say.
        return;
    }
    let mut other = carrier.open_neuron("other").await;
    let mut heard = Vec::new();
    // A carrier that keeps a list of senders has it in this order, the reverse of the one below.
    for sender in 0..SENDERS {
        let envelope = numbered(&format!("s{sender}"), "z", 0);
        carrier.pass(envelope.clone(), &mut inbox, ORDER).await;
        heard.push(envelope);
    }
    for round in 0..4 {
        for number in 1 + FLOOD / 4 * round..=FLOOD / 4 * (round + 1) {
            for sender in (0..SENDERS).rev() {
                carrier.send(numbered(&format!("s{sender}"), "z", number)).await;
            }
        }
        // The next round cannot travel in one bundle with this one.
        carrier.pass(numbered("a", "other", round), &mut other, APART).await;
    }
    if full_inbox == FullInbox::TransportQueues {
        heard.extend(carrier.receive(&mut inbox, SENDERS * FLOOD).await);
    } else {
        heard.extend(std::iter::from_fn(|| inbox.next().now_or_never().flatten()));
    }
    let (arrived, dropped) = (heard.len() as u64 - SENDERS, harness.dropped());
    if arrived + dropped != SENDERS * FLOOD {
        let sent = SENDERS * FLOOD;
        broken(&promise(full_inbox), format_args!("of {sent} sent, {arrived} arrive, and {dropped} are counted"));
    }
    for (from, numbers) in carrier.numbers("z", heard) {
        let is_whole = full_inbox == FullInbox::Dropped || numbers.len() as u64 == 1 + FLOOD;
        if !is_whole || !numbers.is_sorted_by(|one, next| one < next) {
            broken(ORDER, format_args!("{from} is heard out of order, twice, or not at all: {numbers:?}"));
        }
    }
}

/// While one inbox is full, another one receives.
pub async fn a_full_inbox_does_not_block_others<H: Harness>() {
    let Some(harness) = H::with_capacity(1).await else { return };
    let carrier = Carrier::of(&harness);
    let _full = carrier.open_neuron("full").await;
    let mut free = carrier.open_neuron("free").await;
    let mut waiting = None;
    if carrier.loses {
        waiting = flood(&carrier, "full", 1);
    } else if harness.full_inbox() == FullInbox::SenderWaits {
        carrier.send(numbered("a", "full", 0)).await;
        waiting = carrier.try_send(numbered("a", "full", 1));
        assert!(waiting.is_some(), "{}", promise(FullInbox::SenderWaits));
    } else {
        for number in 0..FLOOD {
            carrier.send(numbered("a", "full", number)).await;
        }
    }
    for round in 0..20 {
        carrier.pass(numbered("a", "free", round), &mut free, APART).await;
    }
    drop(waiting);
}

/// A sender does not wait for a receiver that is gone, and the next inbox of the address begins
/// empty.
pub async fn a_full_inbox_whose_receiver_goes_holds_no_sender_up<H: Harness>() {
    let Some(harness) = H::with_capacity(1).await else { return };
    let carrier = Carrier::of(&harness);
    let mut inbox = carrier.open_neuron("z").await;
    if carrier.loses {
        let waiting = flood(&carrier, "z", 1);
        drop(inbox);
        if let Some(waiting) = waiting {
            let ended = tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await;
            if ended.is_err() {
                broken(ONE_INBOX, "a sender still waits 10 s after the receiver has gone");
            }
        }
    } else if harness.full_inbox() == FullInbox::SenderWaits {
        carrier.send(numbered("a", "z", 0)).await;
        let mut waiting = carrier.transport.send(numbered("a", "z", 1));
        let still_waits = poll_fn(|context| Poll::Ready(waiting.poll_unpin(context).is_pending())).await;
        assert!(still_waits, "{}", promise(FullInbox::SenderWaits));
        assert!(inbox.next().now_or_never().is_some());
        // There is room now, but the receiver goes before the sender is polled again.
        drop(inbox);
        assert!(waiting.await.is_err());
        return;
    } else {
        for number in 0..FLOOD {
            carrier.send(numbered("a", "z", number)).await;
        }
        drop(inbox);
    }
    let mut inbox = carrier.open_neuron("z").await;
    carrier.pass(numbered("a", "z", FLOOD), &mut inbox, ONE_INBOX).await;
}

/// Returns the promise about a full inbox.
fn promise(full_inbox: FullInbox) -> String {
    format!("`full_inbox: {full_inbox:?}`")
}

/// Receives the envelope with a number, which has to be the next one.
async fn expect(carrier: &Carrier, inbox: &mut Inbox, promise: &str, expected: u64) {
    let next = carrier.next(inbox, promise, format_args!("envelope {expected}")).await;
    let arrived = next.as_ref().map(|envelope| number(envelope).1);
    if arrived != Some(expected) {
        broken(promise, format_args!("envelope {expected} is next, and {arrived:?} arrives"));
    }
}

/// Sends many envelopes to an address over a carrier that loses, until one of them has to wait;
/// that one is returned.
fn flood(carrier: &Carrier, to: &str, senders: u64) -> Option<neuron_core::transport::Sending> {
    (0..FLOOD).find_map(|number| {
        (0..senders).find_map(|sender| carrier.try_send(numbered(&format!("s{sender}"), to, number)))
    })
}

/// Floods an inbox over a carrier that loses. What arrives is as promised, and the inbox goes on.
async fn goes_on_after_a_flood(carrier: &Carrier, inbox: &mut Inbox, senders: u64) {
    let mut other = carrier.open_neuron("other").await;
    let waiting = flood(carrier, "z", senders);
    carrier.pass(numbered("a", "other", 0), &mut other, APART).await;
    drop(waiting);
    let arrived = carrier.receive(inbox, 0).await;
    for (from, numbers) in carrier.numbers("z", arrived) {
        carrier.check_sequence(&from, &numbers, &(0..FLOOD).collect::<Vec<_>>());
    }
    carrier.pass(numbered("b", "z", FLOOD), inbox, "an inbox goes on when there is room again").await;
}
