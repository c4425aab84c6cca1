//! Receivers that come and go, with time moved by hand.

use super::*;

fn route(to: &str) -> Route {
    Route::Signal { from: "x".parse().expect("a name"), to: to.parse().expect("a name") }
}

fn message(to: &str, envelopes: usize) -> OutgoingMessage {
    OutgoingMessage { route: route(to), subject: String::new(), payload: vec![], envelopes }
}

/// Hands a message over, and returns it if it is to be published.
fn admit(contacts: &mut Contacts, envelopes: usize, now: Instant) -> Option<Sent> {
    match contacts.admit(message("z", envelopes), now) {
        Admission::Publish(sent) => Some(sent),
        Admission::Held => None,
        Admission::Dropped(_) => panic!("there is room"),
    }
}

fn sizes(sent: &[Sent]) -> Vec<usize> {
    sent.iter().map(|sent| sent.message.envelopes).collect()
}

#[test]
fn messages_wait_in_order_until_their_receiver_is_ready() {
    let (mut contacts, now) = (Contacts::default(), Instant::now());
    assert!(admit(&mut contacts, 1, now).is_none() && admit(&mut contacts, 2, now).is_none());
    assert_eq!((contacts.take_calls(), contacts.take_calls()), (vec![route("z")], vec![]));
    assert_eq!(sizes(&contacts.set_heard(&route("z"), now)), [1, 2]);
    let sent = admit(&mut contacts, 3, now).expect("it is heard");
    let answered = contacts.on_answer(sent, 1, now);
    assert!(answered.publish.is_empty() && answered.unheard == 0 && contacts.take_calls().is_empty());
    assert!(contacts.expire(now + HOLD).is_empty() && contacts.deadline().is_none());
}

#[test]
fn what_nobody_hears_is_tried_once_more_and_counted() {
    let (mut contacts, now) = (Contacts::default(), Instant::now());
    assert!(admit(&mut contacts, 5, now).is_none());
    assert!(contacts.expire(now).is_empty());
    assert_eq!(contacts.deadline(), Some(now + HOLD));
    let mut sent = contacts.expire(now + HOLD);
    assert_eq!(sizes(&sent), [5]);
    let answered = contacts.on_answer(sent.remove(0), 0, now + HOLD);
    assert_eq!((answered.unheard, answered.publish.len(), contacts.held), (5, 0, 0));
    assert_eq!(contacts.take_calls().len(), 1, "it was called once");
}

#[test]
fn a_receiver_that_has_gone_is_called_again_and_nothing_overtakes() {
    let (mut contacts, now) = (Contacts::default(), Instant::now());
    contacts.set_heard(&route("z"), now);
    let mut sent: Vec<Sent> = (1..=4).map(|size| admit(&mut contacts, size, now).expect("it is heard")).collect();
    // The first two reach none, and wait; what is handed over now waits behind them.
    for _ in 0..2 {
        assert_eq!(contacts.on_answer(sent.remove(0), 0, now).unheard, 0);
    }
    assert!(admit(&mut contacts, 9, now).is_none());
    assert_eq!(contacts.take_calls(), [route("z")]);
    // The third reaches a receiver that has just subscribed.
    let answered = contacts.on_answer(sent.remove(0), 1, now);
    assert_eq!((answered.unheard, sizes(&answered.publish)), (3, vec![9]));
    assert_eq!(contacts.held, 0);
}

#[test]
fn the_receivers_of_an_address_that_is_opened_again_are_called_anew() {
    let (mut contacts, now) = (Contacts::default(), Instant::now());
    contacts.set_heard(&route("z"), now);
    contacts.set_heard(&route("y"), now);
    let address = route("z").target();
    contacts.on_opened(&address, now);
    assert!(admit(&mut contacts, 1, now).is_none(), "the new one is called first");
    assert_eq!(contacts.take_calls(), [route("z")]);
    // It opens only now, and has not heard that call.
    contacts.on_opened(&address, now + HOLD / 2);
    assert_eq!(contacts.take_calls(), [route("z")]);
    assert!(contacts.expire(now + HOLD).is_empty());
    assert_eq!(sizes(&contacts.expire(now + HOLD * 2)), [1]);
    assert!(contacts.is_used(&route("y")));
    contacts.forget_idle(true, now + FORGET);
    assert!(!contacts.is_used(&route("y")));
}

#[test]
fn what_the_server_keeps_does_not_wait() {
    let (mut contacts, now) = (Contacts::new(HOLD * 3), Instant::now());
    let publish = |contacts: &mut Contacts| match contacts.admit(message("z", 1), now) {
        Admission::Publish(sent) => sent,
        other => panic!("{other:?}"),
    };
    let sent = publish(&mut contacts);
    assert_eq!(contacts.take_calls().len(), 1);
    assert_eq!(contacts.on_answer(sent, 0, now).unheard, 0);
    assert_eq!(contacts.take_calls().len(), 0);
    contacts.set_heard(&route("z"), now);
    let sent = publish(&mut contacts);
    assert_eq!(contacts.on_answer(sent, 0, now).unheard, 0);
    assert_eq!(contacts.take_calls().len(), 1, "the receiver has gone, and is called at once");
    // It does not answer. When it comes, it is called: messages are kept for it.
    assert!(contacts.expire(now + HOLD).is_empty());
    contacts.on_opened(&route("z").target(), now + HOLD);
    assert_eq!(contacts.take_calls().len(), 1);
    assert!(contacts.expire(now + HOLD * 2).is_empty());
    // The last message was published now.
    let is_known = |contacts: &Contacts| contacts.by_target.contains_key(&route("z").target());
    contacts.forget_idle(true, now + HOLD * 2);
    assert!(is_known(&contacts) && !contacts.is_used(&route("z")));
    contacts.forget_idle(true, now + HOLD * 4);
    assert!(!is_known(&contacts));
}

#[test]
fn a_receiver_of_what_the_server_keeps_is_called_when_another_process_takes_its_place() {
    let (mut contacts, now) = (Contacts::new(FORGET * 2), Instant::now());
    contacts.set_heard(&route("z"), now);
    // Also if it has not been sent to for long.
    for at in [now, now + FORGET] {
        contacts.forget_idle(true, at);
        contacts.on_opened(&route("z").target(), at);
        assert_eq!(contacts.take_calls(), [route("z")]);
        contacts.set_heard(&route("z"), now);
    }
}

#[test]
fn what_was_handed_over_before_an_inbox_of_this_process_is_opened_is_not_for_it() {
    let (mut contacts, now) = (Contacts::default(), Instant::now());
    contacts.set_heard(&route("z"), now);
    let early = admit(&mut contacts, 1, now).expect("it is heard");
    contacts.on_opened(&route("z").target(), now);
    assert!(admit(&mut contacts, 2, now).is_none());
    assert_eq!(contacts.set_barrier(&route("z").target()), 2);
    assert!(admit(&mut contacts, 4, now).is_none());
    assert_eq!(contacts.on_answer(early, 0, now).unheard, 1);
    assert_eq!(sizes(&contacts.set_heard(&route("z"), now)), [4]);
}

#[test]
fn what_waits_is_bounded() {
    let (mut contacts, now) = (Contacts::default(), Instant::now());
    assert!(admit(&mut contacts, MAX_HELD, now).is_none());
    assert!(matches!(contacts.admit(message("z", 1), now), Admission::Dropped(_)));
    contacts.renew(now);
    assert_eq!((contacts.take_calls().len(), contacts.clear(), contacts.held), (2, MAX_HELD, 0));
}
