//! What a host tells of its neurons.

use std::time::Duration;

use crate::{
    command::{HostChanges, HostPosition, MAX_LISTED, Refusal, WatchPosition},
    id::{ControllerId, HostId, NeuronId},
    neuron::WATCH_LEASE,
    signal::Incarnation,
    tag::Time,
    watch::HostWatchers,
};

const START: Time = Time::from_micros(1_000_000);

fn controller(number: usize) -> ControllerId {
    format!("page-{number}").parse().expect("a name")
}

fn position(number: u64) -> WatchPosition {
    WatchPosition { incarnation: Incarnation { number: 1, nonce: 7 }, number }
}

fn name(slot: u32) -> NeuronId {
    format!("n{slot}").parse().expect("a name")
}

/// A host whose neurons are at rest, watched by one controller.
fn watched(neurons: u32) -> HostWatchers {
    let mut host = HostWatchers::default();
    host.renew(&controller(0), 9, START, || 5).expect("there is room");
    while let Some(slot) = host.next_new(neurons) {
        host.take_in(slot, position(0));
    }
    host
}

fn ask(host: &HostWatchers, known: HostPosition, neurons: u32) -> HostChanges {
    let id: HostId = "pi1".parse().expect("a name");
    host.changes(9, id, known, neurons, name)
}

/// Returns the slots and the numbers of what has changed.
fn listed(changes: &HostChanges) -> Vec<(String, Option<u64>)> {
    let listed = changes.changed.iter();
    listed.map(|change| (change.neuron.to_string(), change.position.map(|position| position.number))).collect()
}

fn life(host: &HostWatchers) -> u64 {
    ask(host, HostPosition::default(), 0).position.life
}

#[test]
fn a_host_lists_what_has_changed_in_the_order_of_the_last_change() {
    let mut host = watched(3);
    let all = ask(&host, HostPosition::default(), 3);
    assert_eq!(listed(&all), [("n0".into(), Some(0)), ("n1".into(), Some(0)), ("n2".into(), Some(0))]);
    assert_eq!((all.position, all.latest), (HostPosition { life: 5, counter: 3 }, Some(3)));
    assert_eq!(listed(&ask(&host, all.position, 3)), []);
    for (slot, number) in [(2, 1), (0, 1), (2, 2)] {
        let told: Vec<_> = host.on_change(slot, position(number), START).expect("it is watched").collect();
        assert_eq!(told, [(&controller(0), 9)]);
    }
    let next = ask(&host, all.position, 3);
    assert_eq!(listed(&next), [("n0".into(), Some(1)), ("n2".into(), Some(2))]);
    assert_eq!(next.position.counter, 6);
    assert_eq!(listed(&ask(&host, HostPosition { life: 4, counter: 6 }, 3)).len(), 3, "another life knows nothing");
}

#[test]
fn a_long_list_takes_several_answers_and_neurons_are_taken_in_meanwhile() {
    const NEURONS: u32 = 2 * MAX_LISTED as u32 + 100;
    let mut host = watched(NEURONS);
    assert_eq!(ask(&host, HostPosition::default(), NEURONS + 1).latest, None, "one is not taken in yet");
    let mut known = HostPosition::default();
    let mut lengths = Vec::new();
    loop {
        let changes = ask(&host, known, NEURONS);
        lengths.push(changes.changed.len());
        // What changes meanwhile moves to the end.
        if lengths.len() == 1 {
            let _ = host.on_change(MAX_LISTED as u32, position(1), START);
        }
        known = changes.position;
        if Some(known.counter) == changes.latest {
            break;
        }
    }
    assert_eq!(lengths, [MAX_LISTED, MAX_LISTED, 100]);
}

#[test]
fn a_neuron_that_has_gone_is_listed_unless_another_one_has_its_name() {
    let mut host = watched(3);
    let known = ask(&host, HostPosition::default(), 3).position;
    host.on_gone(0, false);
    host.on_gone(1, true);
    host.on_gone(0, true);
    assert_eq!(listed(&ask(&host, known, 3)), [("n0".into(), None)]);
    assert_eq!(listed(&ask(&host, HostPosition::default(), 3)), [("n2".into(), Some(0)), ("n0".into(), None)]);
}

#[test]
fn a_host_that_many_neurons_have_left_begins_anew() {
    let mut host = watched(1100);
    let before = life(&host);
    (0..1000).for_each(|slot| host.on_gone(slot, false));
    assert_eq!(life(&host), before);
    (1000..1100).for_each(|slot| host.on_gone(slot, false));
    assert_ne!(life(&host), before);
    assert_eq!(host.next_new(1100), Some(0), "those that are left are taken in again");
}

#[test]
fn a_watch_that_is_not_renewed_ends_and_with_the_last_one_all_that_was_kept() {
    let mut host = watched(1);
    let late = START.after(Duration::from_secs(6));
    host.renew(&controller(1), 3, late, || unreachable!("it counts already")).expect("there is room");
    let first_ends = START.after(WATCH_LEASE);
    let told = host.on_change(0, position(1), first_ends).expect("the other one watches").count();
    assert_eq!(told, 1);
    assert!(host.on_change(0, position(2), late.after(WATCH_LEASE)).is_none());
    assert_eq!(life(&host), 0);
    host.renew(&controller(0), 9, late, || 6).expect("there is room");
    assert_eq!((life(&host), host.next_new(1)), (6, Some(0)));
    host.remove(&controller(0), 9);
    assert!(host.on_change(0, position(3), late).is_none());
}

#[test]
fn there_is_room_for_64_watches() {
    let mut host = HostWatchers::default();
    for number in 0..64 {
        host.renew(&controller(number), 1, START, || 5).expect("there is room");
    }
    assert!(matches!(host.renew(&controller(64), 1, START, || 5), Err(Refusal::TooMany(_))));
    assert_eq!(host.renew(&controller(3), 1, START, || 5), Ok(()), "a renewal needs none");
    assert_eq!(host.renew(&controller(64), 1, START.after(WATCH_LEASE), || 6), Ok(()));
}
