use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::{
    command::{Command, Request},
    wire::{Bundle, MAX_BUNDLE},
};

use super::*;
use crate::Counts;

const SUBJECT: ParsedSubject<'static> = ParsedSubject { kind: MessageKind::Request, target: "z", source: "a" };

fn at() -> Address {
    Address::Neuron("z".parse().expect("a name"))
}

fn inboxes(capacity: usize) -> (Arc<Inboxes>, Arc<ConnectionCounters>) {
    let counters = Arc::new(ConnectionCounters::default());
    (Inboxes::new(capacity, counters.clone()).0, counters)
}

/// Returns a message of requests with these numbers; 0 stands for an unreadable frame.
fn bundle(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let frame = |id| match id {
        0 => vec![9, 9],
        id => wire::encode_request(&Request::new(id, Command::Output { after: neuron_core::Tag::ORIGIN }))
            .expect("it fits"),
    };
    let mut frames = numbers.into_iter().map(frame);
    let mut bundle = Bundle::new(frames.next().expect("one of them"));
    for frame in frames {
        assert!(bundle.add(&frame, MAX_BUNDLE));
    }
    bundle.into_message()
}

/// Takes all requests from an inbox, and returns their numbers.
fn take_all(inbox: &mut Inbox) -> Vec<u64> {
    let number = |envelope| match envelope {
        Envelope::Request { request, .. } => request.id,
        other => panic!("a request is expected, not {other:?}"),
    };
    std::iter::from_fn(|| inbox.next().now_or_never().flatten()).map(number).collect()
}

fn rest(outcome: DeliveryOutcome<'_>) -> PartialDelivery<'_> {
    match outcome {
        DeliveryOutcome::Full(rest) => rest,
        other => panic!("a full inbox is expected, not {other:?}"),
    }
}

#[test]
fn a_bundle_is_delivered_without_its_unreadable_frames() {
    let (inboxes, counters) = inboxes(10);
    let mut inbox = inboxes.open(&at());
    assert!(matches!(inboxes.deliver(&SUBJECT, &bundle([1, 0, 2, 3, 0]), 0), DeliveryOutcome::Delivered));
    assert_eq!(take_all(&mut inbox), [1, 2, 3]);
    assert_eq!(counters.snapshot(), Counts { received: 3, unreadable: 2, ..Counts::default() });
    // A bundle that cannot be split counts as one envelope.
    let mut broken = bundle([1, 2, 3]);
    broken.push(0);
    assert!(matches!(inboxes.deliver(&SUBJECT, &broken, 0), DeliveryOutcome::Delivered));
    assert_eq!(take_all(&mut inbox), []);
    assert_eq!(counters.snapshot(), Counts { received: 3, unreadable: 3, ..Counts::default() });
}

#[test]
fn each_envelope_of_a_bundle_without_an_inbox_or_a_source_is_counted() {
    let (inboxes, counters) = inboxes(10);
    assert!(matches!(inboxes.deliver(&SUBJECT, &bundle(1..=3), 0), DeliveryOutcome::NoInbox));
    assert_eq!(counters.snapshot(), Counts { unclaimed: 3, ..Counts::default() });
    let _inbox = inboxes.open(&at());
    let without_source = ParsedSubject { source: "", ..SUBJECT };
    assert!(matches!(inboxes.deliver(&without_source, &bundle(1..=3), 0), DeliveryOutcome::Delivered));
    assert_eq!(counters.snapshot(), Counts { unclaimed: 3, unreadable: 3, ..Counts::default() });
}

#[test]
fn envelopes_for_a_full_inbox_are_dropped_and_counted() {
    let (inboxes, counters) = inboxes(2);
    let mut inbox = inboxes.open(&at());
    inboxes.deliver_or_drop(&SUBJECT, &bundle([1, 2, 3, 0, 4, 5]));
    assert_eq!(take_all(&mut inbox), [1, 2]);
    assert_eq!(counters.snapshot(), Counts { received: 2, overflowed: 3, unreadable: 1, ..Counts::default() });
}

#[test]
fn a_partial_delivery_resumes_where_it_stopped() {
    let (inboxes, counters) = inboxes(2);
    let mut inbox = inboxes.open(&at());
    let message = bundle([1, 0, 2, 3, 0, 4, 5]);
    let partial = rest(inboxes.deliver(&SUBJECT, &message, 0));
    assert_eq!(partial.frames_delivered(), 3);
    // Waiting is given up, and the message comes again.
    assert!(inboxes.resume(partial).now_or_never().is_none());
    let mut all = take_all(&mut inbox);
    let partial = rest(inboxes.deliver(&SUBJECT, &message, 3));
    assert_eq!(partial.frames_delivered(), 6);
    all.extend(take_all(&mut inbox));
    assert!(matches!(inboxes.resume(partial).now_or_never(), Some(DeliveryOutcome::Delivered)));
    all.extend(take_all(&mut inbox));
    assert_eq!(all, [1, 2, 3, 4, 5]);
    assert_eq!(counters.snapshot(), Counts { received: 5, unreadable: 2, ..Counts::default() });
}

#[test]
fn the_rest_of_a_message_is_unclaimed_once_its_inbox_is_dropped() {
    let (inboxes, counters) = inboxes(1);
    let inbox = inboxes.open(&at());
    let message = bundle(1..=4);
    let partial = rest(inboxes.deliver(&SUBJECT, &message, 0));
    drop(inbox);
    assert!(matches!(inboxes.resume(partial).now_or_never(), Some(DeliveryOutcome::NoInbox)));
    assert_eq!(counters.snapshot(), Counts { received: 1, unclaimed: 3, ..Counts::default() });
}
