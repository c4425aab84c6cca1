//! In which order envelopes arrive.

use std::collections::BTreeMap;

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{join, join_all},
};
use neuron_core::{
    command::{Answer, Command, ConfigChange, Report, Request},
    transport::{Address, Delivery, Envelope},
};

use crate::{
    carrier::{Carrier, WHOLE, broken},
    harness::{Harness, id, neuron, numbered},
};

const COUNT: u64 = 500;

/// The envelopes of one sender all arrive, in the order of sending if that is promised. Over a
/// carrier that loses, those that arrive do so.
pub async fn one_sender_is_heard_in_order<H: Harness>() {
    heard_in_order::<H>(1).await;
}

/// The same holds for each of many senders to one inbox.
pub async fn many_senders_are_each_heard_in_order<H: Harness>() {
    heard_in_order::<H>(10).await;
}

async fn heard_in_order<H: Harness>(senders: u64) {
    let Some(harness) = H::open().await else { return };
    let carrier = &Carrier::of(&harness);
    let mut inbox = carrier.open_neuron("z").await;
    let sending = (0..senders).map(|sender| async move {
        for number in 0..COUNT {
            carrier.send(numbered(&format!("s{sender}"), "z", number)).await;
        }
    });
    let (_, arrived) = join(join_all(sending), carrier.receive(&mut inbox, senders * COUNT)).await;
    let mut heard = carrier.numbers("z", arrived);
    for sender in 0..senders {
        let from = format!("s{sender}");
        let numbers = heard.remove(&from).unwrap_or_default();
        carrier.check_sequence(&from, &numbers, &(0..COUNT).collect::<Vec<_>>());
    }
}

/// Envelopes of all kinds and lengths, from many senders to many receivers at once, arrive whole
/// and once, and in the order of sending if that is promised.
pub async fn what_is_sent_at_once_arrives_whole_and_in_order<H: Harness>() {
    const ENDS: u64 = 3;
    const EACH: u64 = 300;
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let name = |end: u64| format!("e{end}");
    let mut inboxes = Vec::new();
    for end in 0..ENDS {
        let controller = Address::Controller(name(end).parse().expect("a test uses proper names"));
        for at in [neuron(&name(end)), controller] {
            inboxes.push((at.clone(), carrier.open(&at).await));
        }
    }
    let mut sent = Vec::new();
    for number in 0..EACH {
        for (from, to) in (0..ENDS).flat_map(|from| (0..ENDS).map(move |to| (name(from), name(to)))) {
            sent.push(numbered(&from, &to, number));
            let controller = from.parse().expect("a test uses proper names");
            sent.push(Envelope::Request { from: controller, to: id(&to), request: Box::new(request(number)) });
            let report = Box::new(Report::Reply { request: number, result: Ok(Answer::Done) });
            sent.push(Envelope::Report { from: id(&from), to: to.parse().expect("a test uses proper names"), report });
        }
    }
    let mut expected = BTreeMap::new();
    let mut heard = BTreeMap::new();
    for envelope in &sent {
        expected.entry(way(envelope)).or_insert_with(Vec::new).push(envelope.clone());
    }
    // All of it is handed over before an inbox is read.
    join_all(sent.into_iter().map(|envelope| carrier.send(envelope))).await;
    for (at, inbox) in &mut inboxes {
        let kinds = if matches!(at, Address::Neuron(_)) { 2 } else { 1 };
        for envelope in carrier.receive(inbox, kinds * ENDS * EACH).await {
            if envelope.to() != *at {
                broken(WHOLE, format_args!("{envelope:?} arrives at {at:?}"));
            }
            heard.entry(way(&envelope)).or_insert_with(Vec::new).push(envelope);
        }
    }
    for (way, expected) in expected {
        let heard = heard.remove(&way).unwrap_or_default();
        carrier.check_sequence(&format!("{way:?}"), &heard, &expected);
    }
    // What was sent before this envelope has arrived by now.
    for (at, inbox) in &mut inboxes {
        if matches!(at, Address::Neuron(_)) {
            carrier.pass(numbered("last", at.name(), 0), inbox, &carrier.delivery()).await;
        }
        if carrier.guarantees.delivery != Delivery::AtLeastOnce && inbox.next().now_or_never().is_some() {
            broken(&carrier.delivery(), format_args!("{at:?} receives an envelope twice"));
        }
    }
}

/// Returns a short request, or, for one number in a hundred, a long one.
fn request(number: u64) -> Request {
    if number % 100 != 50 {
        return Request::new(number, Command::Output { after: neuron_core::Tag::ORIGIN });
    }
    let changes = (0..5000).map(|threshold| ConfigChange::SetThreshold { threshold: f64::from(threshold) }).collect();
    Request::new(number, Command::Prepare { changes, stimuli: Vec::new() })
}

/// Returns the kind, the receiver and the sender.
fn way(envelope: &Envelope) -> (&'static str, String, String) {
    match envelope {
        Envelope::Signal { from, to, .. } => ("signal", to.to_string(), from.to_string()),
        Envelope::Request { from, to, .. } => ("request", to.to_string(), from.to_string()),
        Envelope::Report { from, to, .. } => ("report", to.to_string(), from.to_string()),
        Envelope::Host { from, to, .. } => ("host", to.to_string(), from.to_string()),
    }
}
