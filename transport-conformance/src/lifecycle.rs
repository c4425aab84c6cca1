//! Inboxes that come and go.

use futures_util::StreamExt as _;

use crate::harness::{Harness, neuron, next, number, numbered, open, send};

/// Once `subscribe` has completed, everything that is sent arrives.
pub async fn what_is_sent_after_subscribing_arrives<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    for round in 0..20 {
        let name = format!("z{round}");
        let mut inbox = open(&transport, &neuron(&name)).await;
        send(&transport, numbered("a", &name, round)).await;
        assert_eq!(number(&next(&mut inbox).await).1, round);
    }
}

/// Dropping an inbox ends its subscription. A later inbox of the address begins empty.
pub async fn a_dropped_inbox_gets_nothing_more<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let inbox = open(&transport, &neuron("z")).await;
    drop(inbox);
    let _ = transport.send(numbered("a", "z", 1)).await;
    let mut inbox = open(&transport, &neuron("z")).await;
    send(&transport, numbered("a", "z", 2)).await;
    assert_eq!(number(&next(&mut inbox).await).1, 2);
}

/// Subscribing again ends the old inbox, and dropping the old one does not touch the new one.
pub async fn a_new_inbox_takes_the_place_of_the_old_one<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let mut old = open(&transport, &neuron("z")).await;
    let mut new = open(&transport, &neuron("z")).await;
    assert!(old.next().await.is_none(), "the old inbox has ended");
    drop(old);
    send(&transport, numbered("a", "z", 3)).await;
    assert_eq!(number(&next(&mut new).await).1, 3);
}

/// Senders on other threads reach the same inbox.
pub async fn clones_and_threads_share_the_transport<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let transport = transport.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(send(&transport, numbered("a", "z", thread)));
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for _ in 0..4 {
        numbers.push(number(&next(&mut inbox).await).1);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3]);
    for thread in threads {
        thread.join().expect("the sender did not panic");
    }
}
