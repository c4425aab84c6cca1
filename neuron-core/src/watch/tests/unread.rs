//! What is kept for a reader that is slow.

use crate::{
    id::NeuronId,
    tag::Tag,
    value::Missing,
    watch::{Change, Unread, WatchEvent, unread::MAX_UNREAD},
};

fn id(name: &str) -> NeuronId {
    name.parse().expect("a name")
}

fn change(neuron: &str, number: u64) -> WatchEvent {
    let change = Change { level: 1.0, tag: Tag::from_bits(number), missing: Missing::NONE, missed: 0 };
    WatchEvent::Changed { neuron: id(neuron), change }
}

fn read(unread: &mut Unread) -> Vec<(String, u64, u64)> {
    let events = std::iter::from_fn(|| unread.pop());
    let read = events.map(|event| match event {
        WatchEvent::Changed { neuron, change } => (neuron.to_string(), change.tag.to_bits(), change.missed),
        WatchEvent::Removed { neuron } => (neuron.to_string(), 0, 0),
    });
    read.collect()
}

#[test]
fn events_are_read_in_the_order_in_which_they_came() {
    let mut unread = Unread::default();
    for (neuron, number) in [("a", 1), ("b", 2), ("a", 3)] {
        unread.push(change(neuron, number));
    }
    unread.push(WatchEvent::Removed { neuron: id("b") });
    let expected =
        [("a", 1, 0), ("b", 2, 0), ("a", 3, 0), ("b", 0, 0)].map(|(name, tag, missed)| (name.into(), tag, missed));
    assert_eq!(read(&mut unread), expected);
    assert_eq!(unread.pop(), None);
}

#[test]
fn the_last_event_of_each_neuron_is_kept_and_losses_are_counted_for_each() {
    const CHANGES: u64 = 3 * MAX_UNREAD as u64;
    let mut unread = Unread::default();
    unread.push(change("quiet", 1));
    for number in 2..CHANGES + 2 {
        unread.push(change(if number % 3 == 0 { "slow" } else { "fast" }, number));
    }
    let read = read(&mut unread);
    assert_eq!(read.len(), MAX_UNREAD + 3);
    assert_eq!(read[0], ("quiet".into(), 1, 0));
    for (name, expected) in [("slow", CHANGES / 3), ("fast", CHANGES - CHANGES / 3)] {
        let of = read.iter().filter(|(neuron, ..)| neuron == name);
        assert_eq!(of.map(|(.., missed)| missed + 1).sum::<u64>(), expected, "{name}");
    }
    assert!(read.is_sorted_by_key(|(_, tag, _)| *tag));
}

#[test]
fn losses_of_a_neuron_that_claims_any_number_of_changes_are_counted_as_far_as_they_can_be() {
    let mut unread = Unread::default();
    for number in 0..MAX_UNREAD as u64 + 3 {
        let change = Change { level: 1.0, tag: Tag::from_bits(number), missing: Missing::NONE, missed: u64::MAX };
        unread.push(WatchEvent::Changed { neuron: id("liar"), change });
    }
    assert!(read(&mut unread).iter().all(|(.., missed)| *missed == u64::MAX));
}

#[test]
fn losses_before_a_removal_are_counted_when_the_neuron_is_added_again() {
    let mut unread = Unread::default();
    unread.push(change("a", 1));
    unread.push(WatchEvent::Removed { neuron: id("a") });
    unread.push(change("a", 2));
    for number in 0..=MAX_UNREAD as u64 {
        unread.push(change("fast", 3 + number));
    }
    let read = read(&mut unread);
    assert_eq!(read.iter().find(|(neuron, ..)| neuron == "a"), Some(&("a".into(), 2, 2)));
}
