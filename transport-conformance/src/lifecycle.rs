//! Inboxes that come and go.

use futures_util::StreamExt as _;

use crate::{
    carrier::{Carrier, ONE_INBOX, SUBSCRIBED, broken},
    harness::{Harness, numbered},
};

/// Once `subscribe` has completed, everything that is sent arrives; over a carrier that loses, if
/// it is sent often enough.
pub async fn what_is_sent_after_subscribing_arrives<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    for round in 0..20 {
        let name = format!("z{round}");
        let mut inbox = carrier.open_neuron(&name).await;
        carrier.pass(numbered("a", &name, round), &mut inbox, SUBSCRIBED).await;
    }
}

/// Dropping an inbox ends its subscription. A later inbox of the address begins empty.
pub async fn a_dropped_inbox_gets_nothing_more<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let inbox = carrier.open_neuron("z").await;
    drop(inbox);
    let _ = carrier.transport.send(numbered("a", "z", 1)).await;
    let mut inbox = carrier.open_neuron("z").await;
    carrier.pass(numbered("a", "z", 2), &mut inbox, ONE_INBOX).await;
}

/// Subscribing again ends the old inbox, and dropping the old one does not touch the new one.
pub async fn a_new_inbox_takes_the_place_of_the_old_one<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let mut old = carrier.open_neuron("z").await;
    let mut new = carrier.open_neuron("z").await;
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), old.next()).await;
    match ended {
        Ok(None) => {}
        Ok(Some(envelope)) => broken(ONE_INBOX, format_args!("{envelope:?} arrives in the old inbox")),
        Err(_) => broken(ONE_INBOX, "the old inbox has not ended within 10 s"),
    }
    drop(old);
    carrier.pass(numbered("a", "z", 3), &mut new, ONE_INBOX).await;
}

/// Senders on other threads reach the same inbox. Over a carrier that loses, each sends 20 times as
/// many.
pub async fn clones_and_threads_share_the_transport<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let each = if carrier.loses { 20 } else { 1 };
    let mut inbox = carrier.open_neuron("z").await;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let transport = carrier.transport.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                for number in 0..each {
                    let envelope = numbered(&format!("thread-{thread}"), "z", number);
                    runtime.block_on(transport.send(envelope)).expect("the envelope is handed over");
                }
            })
        })
        .collect();
    let arrived = carrier.receive(&mut inbox, 4 * each).await;
    for thread in threads {
        thread.join().expect("the sender did not panic");
    }
    let numbers = carrier.numbers("z", arrived);
    if numbers.len() != 4 {
        broken(SUBSCRIBED, format_args!("senders of {} threads are heard, and there are 4", numbers.len()));
    }
    for (from, numbers) in numbers {
        carrier.check_sequence(&from, &numbers, &(0..each).collect::<Vec<_>>());
    }
}
