//! Inboxes that are full.

use std::future::poll_fn;

use futures_util::{FutureExt as _, StreamExt as _};

use crate::harness::{Harness, neuron, next, number, numbered, open, send};

/// While an inbox is full, `send` waits; when there is room again, everything arrives, in order.
pub async fn a_full_inbox_makes_its_senders_wait_and_loses_nothing<H: Harness>() {
    let Some(harness) = small::<H>(4).await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    let mut handed_over = 0;
    let mut waiting = loop {
        let mut sending = transport.send(numbered("a", "z", handed_over));
        if (&mut sending).now_or_never().is_none() {
            break sending;
        }
        handed_over += 1;
        assert!(handed_over <= 4, "an inbox for 4 envelopes took {handed_over}");
    };
    assert_eq!(number(&next(&mut inbox).await).1, 0);
    (&mut waiting).await.expect("there is room now");
    for expected in 1..=handed_over {
        assert_eq!(number(&next(&mut inbox).await).1, expected);
    }
}

/// Who sends to a full inbox waits; who sends to another one does not.
pub async fn a_full_inbox_does_not_block_others<H: Harness>() {
    let Some(harness) = small::<H>(1).await else { return };
    let transport = harness.transport();
    let _full = open(&transport, &neuron("full")).await;
    let mut free = open(&transport, &neuron("free")).await;
    send(&transport, numbered("a", "full", 0)).await;
    let mut waiting = transport.send(numbered("a", "full", 1));
    assert!((&mut waiting).now_or_never().is_none());
    send(&transport, numbered("a", "free", 2)).await;
    assert_eq!(number(&next(&mut free).await).1, 2);
}

/// A sender must not wait for a reader that is gone.
pub async fn a_sender_that_waits_is_told_when_the_reader_goes<H: Harness>() {
    let Some(harness) = small::<H>(1).await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    send(&transport, numbered("a", "z", 0)).await;
    let mut waiting = transport.send(numbered("a", "z", 1));
    let still_waits = poll_fn(|context| std::task::Poll::Ready(waiting.poll_unpin(context).is_pending())).await;
    assert!(still_waits);
    assert!(inbox.next().now_or_never().is_some());
    // There is room now, but the reader goes before the sender is polled again.
    drop(inbox);
    assert!(waiting.await.is_err());
}

/// A transport with small inboxes, or word that the case cannot be tried.
async fn small<H: Harness>(capacity: usize) -> Option<H> {
    let harness = H::with_capacity(capacity).await;
    if harness.is_none() {
        eprintln!("SKIPPED: this transport cannot be opened with inboxes for {capacity} envelopes");
    }
    harness
}
