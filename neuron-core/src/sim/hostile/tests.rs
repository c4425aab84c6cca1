//! Lies are well-formed, in the liar's own name, and follow from the seed.

use std::collections::BTreeSet;

use super::{Habits, Liar, Victims};
use crate::{
    command::{Command, Request},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::{Tag, Time},
    transport::Envelope,
    wire,
};

fn victims() -> Victims {
    Victims {
        neurons: ["a", "b"].map(|name| name.parse().unwrap()).into(),
        hosts: ["h1", "h2"].map(|name| name.parse().unwrap()).into(),
        controllers: vec!["boss".parse().unwrap()],
    }
}

/// Returns a liar that has heard something of each kind.
fn liar(seed: u64) -> Liar {
    let habits = Habits { fences: true, far_tags: true, incarnations: true };
    let mut liar = Liar::new("liar".parse().unwrap(), "pi6".parse().unwrap(), habits, seed);
    let incarnation = Incarnation { number: 3, nonce: 7 };
    let body = SignalBody::Subscribe { stream: StreamId { incarnation, counter: 2 } };
    liar.hear_signal(&"a".parse().unwrap(), &Signal { incarnation, body });
    liar.hear_request(&Request::new(77, Command::OutputAt { tag: Tag::FIRST }));
    liar
}

#[test]
fn every_lie_survives_the_wire_and_has_its_own_sender() {
    let (mut liar, now) = (liar(5), Time::from_micros(40_000_000_000));
    let mut kinds = BTreeSet::new();
    for _ in 0..20_000 {
        match liar.lie(&victims(), now) {
            Envelope::Signal { from, signal, .. } => {
                assert_eq!(from.as_str(), "liar");
                kinds.insert(format!("{:?}", std::mem::discriminant(&signal.body)));
                assert_eq!(wire::decode_signal(&wire::encode_signal(&signal).unwrap()).unwrap(), signal);
            }
            Envelope::Report { from, report, .. } => {
                assert_eq!(from.as_str(), "liar");
                kinds.insert(format!("{:?}", std::mem::discriminant(&*report)));
                assert_eq!(wire::decode_report(&wire::encode_report(&report).unwrap()).unwrap(), *report);
            }
            Envelope::Host { from, message, .. } => {
                assert_eq!(from.as_str(), "pi6");
                assert_eq!(wire::decode_host_message(&wire::encode_host_message(&message).unwrap()).unwrap(), *message);
            }
            Envelope::Request { .. } => panic!("only controllers send requests"),
        }
    }
    assert!(kinds.len() >= 11, "{kinds:?}");
}

#[test]
fn the_same_seed_gives_the_same_lies() {
    let now = Time::from_micros(40_000_000_000);
    let lies = |seed| -> Vec<Envelope> {
        let mut liar = liar(seed);
        (0..100).map(|_| liar.lie(&victims(), now)).collect()
    };
    assert_eq!(lies(5), lies(5));
    assert_ne!(lies(5), lies(6));
}
