//! Inboxes that are full.

use std::{collections::BTreeMap, future::poll_fn, task::Poll};

use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::transport::FullInbox;

use crate::harness::{Harness, neuron, next, number, numbered, open, send};

/// How many envelopes are sent to an inbox that is not read: many times its capacity.
const FLOOD: u64 = 200;

/// A full inbox does as [`FullInbox`] says. Where senders wait or the carrier keeps envelopes, all
/// of them arrive in order when there is room again. Where envelopes are dropped, each that is
/// missing has been counted.
pub async fn a_full_inbox_loses_nothing_silently<H: Harness>() {
    let Some(harness) = H::with_capacity(4).await else { return };
    let transport = harness.transport();
    let full_inbox = harness.full_inbox();
    let mut inbox = open(&transport, &neuron("z")).await;
    if full_inbox == FullInbox::SenderWaits {
        let mut handed_over = 0;
        let waiting = loop {
            let mut sending = transport.send(numbered("a", "z", handed_over));
            if (&mut sending).now_or_never().is_none() {
                break sending;
            }
            handed_over += 1;
            assert!(handed_over <= 4, "an inbox for 4 envelopes took {handed_over}");
        };
        assert_eq!(number(&next(&mut inbox).await).1, 0);
        waiting.await.expect("there is room now");
        for expected in 1..=handed_over {
            assert_eq!(number(&next(&mut inbox).await).1, expected);
        }
        return;
    }
    let mut other = open(&transport, &neuron("other")).await;
    for number in 0..FLOOD {
        send(&transport, numbered("a", "z", number)).await;
    }
    // When this has arrived, so have all others that fit.
    send(&transport, numbered("a", "other", 0)).await;
    next(&mut other).await;
    if full_inbox == FullInbox::TransportQueues {
        for expected in 0..FLOOD {
            assert_eq!(number(&next(&mut inbox).await).1, expected);
        }
        return;
    }
    let mut arrived = 0;
    while inbox.next().now_or_never().is_some() {
        arrived += 1;
    }
    assert!(arrived >= 4, "{arrived} are in an inbox for 4");
    assert_eq!(arrived + harness.dropped(), FLOOD);
    send(&transport, numbered("a", "z", FLOOD)).await;
    assert_eq!(number(&next(&mut inbox).await).1, FLOOD);
}

/// The same holds if many send to it at once: what arrives of each sender is in order and has no
/// duplicates. Where envelopes are dropped, each that is missing has been counted.
pub async fn a_full_inbox_hears_each_of_many_in_order<H: Harness>() {
    const SENDERS: u64 = 5;
    let Some(harness) = H::with_capacity(4).await else { return };
    let transport = harness.transport();
    let full_inbox = harness.full_inbox();
    if full_inbox == FullInbox::SenderWaits || !transport.guarantees().ordered_per_sender {
        return;
    }
    let mut inbox = open(&transport, &neuron("z")).await;
    let mut other = open(&transport, &neuron("other")).await;
    let mut heard: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    // A carrier that keeps a list of senders has it in this order, the reverse of the one below.
    for sender in 0..SENDERS {
        send(&transport, numbered(&format!("s{sender}"), "z", 0)).await;
        let (from, number) = number(&next(&mut inbox).await);
        heard.entry(from).or_default().push(number);
    }
    for round in 0..4 {
        for number in 1 + FLOOD / 4 * round..=FLOOD / 4 * (round + 1) {
            for sender in (0..SENDERS).rev() {
                send(&transport, numbered(&format!("s{sender}"), "z", number)).await;
            }
        }
        // The next round cannot travel in one bundle with this one.
        send(&transport, numbered("a", "other", round)).await;
        next(&mut other).await;
    }
    let mut arrived = 0;
    loop {
        let envelope = match full_inbox {
            FullInbox::TransportQueues if arrived < SENDERS * FLOOD => next(&mut inbox).await,
            _ => match inbox.next().now_or_never().flatten() {
                Some(envelope) => envelope,
                None => break,
            },
        };
        arrived += 1;
        let (from, number) = number(&envelope);
        heard.entry(from).or_default().push(number);
    }
    assert_eq!(arrived + harness.dropped(), SENDERS * FLOOD);
    for (from, numbers) in heard {
        let is_whole = full_inbox == FullInbox::Dropped || numbers.len() as u64 == 1 + FLOOD;
        assert!(is_whole && numbers.is_sorted_by(|one, next| one < next), "{from} is heard out of order: {numbers:?}");
    }
}

/// While one inbox is full, another one receives.
pub async fn a_full_inbox_does_not_block_others<H: Harness>() {
    let Some(harness) = H::with_capacity(1).await else { return };
    let transport = harness.transport();
    let _full = open(&transport, &neuron("full")).await;
    let mut free = open(&transport, &neuron("free")).await;
    send(&transport, numbered("a", "full", 0)).await;
    if harness.full_inbox() == FullInbox::SenderWaits {
        let mut waiting = transport.send(numbered("a", "full", 1));
        assert!((&mut waiting).now_or_never().is_none());
    } else {
        for number in 1..FLOOD {
            send(&transport, numbered("a", "full", number)).await;
        }
    }
    for round in 0..20 {
        send(&transport, numbered("a", "free", round)).await;
        assert_eq!(number(&next(&mut free).await).1, round);
    }
}

/// A sender does not wait for a receiver that is gone, and the next inbox of the address begins
/// empty.
pub async fn a_full_inbox_whose_receiver_goes_holds_no_sender_up<H: Harness>() {
    let Some(harness) = H::with_capacity(1).await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    send(&transport, numbered("a", "z", 0)).await;
    if harness.full_inbox() == FullInbox::SenderWaits {
        let mut waiting = transport.send(numbered("a", "z", 1));
        let still_waits = poll_fn(|context| Poll::Ready(waiting.poll_unpin(context).is_pending())).await;
        assert!(still_waits);
        assert!(inbox.next().now_or_never().is_some());
        // There is room now, but the receiver goes before the sender is polled again.
        drop(inbox);
        assert!(waiting.await.is_err());
        return;
    }
    for number in 1..FLOOD {
        send(&transport, numbered("a", "z", number)).await;
    }
    drop(inbox);
    let mut inbox = open(&transport, &neuron("z")).await;
    send(&transport, numbered("a", "z", FLOOD)).await;
    assert_eq!(number(&next(&mut inbox).await).1, FLOOD);
}
