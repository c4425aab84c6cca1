//! In which order things arrive.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};

use crate::harness::{Harness, neuron, next, number, numbered, open, send};

const COUNT: u64 = 500;

/// What one sender says arrives in the order in which it was said, if that is promised.
pub async fn one_sender_is_heard_in_order<H: Harness>() {
    heard_in_order::<H>(1).await;
}

/// The same for each of many senders to one inbox.
pub async fn many_senders_are_each_heard_in_order<H: Harness>() {
    heard_in_order::<H>(10).await;
}

async fn heard_in_order<H: Harness>(senders: u64) {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let ordered = transport.guarantees().ordered_per_sender;
    let mut inbox = open(&transport, &neuron("z")).await;
    let sending = (0..senders).map(|sender| {
        let transport = transport.clone();
        async move {
            for number in 0..COUNT {
                send(&transport, numbered(&format!("s{sender}"), "z", number)).await;
            }
        }
    });
    let receiving = async {
        let mut heard: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for _ in 0..senders * COUNT {
            let (from, number) = number(&next(&mut inbox).await);
            heard.entry(from).or_default().push(number);
        }
        heard
    };
    let (_, mut heard) = join(join_all(sending), receiving).await;
    for numbers in heard.values_mut() {
        if !ordered {
            numbers.sort_unstable();
        }
        assert!(numbers.iter().copied().eq(0..COUNT), "out of order: {numbers:?}");
    }
}
