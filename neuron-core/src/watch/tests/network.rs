//! What the reader of a watch of all neurons is told.

use std::collections::BTreeMap;

use super::network_driver::{LOST_AFTER, WATCH, World, host_id, id};
use crate::{
    command::{HostChange, HostChanges, HostPosition, WatchPosition},
    signal::Incarnation,
    tag::Time,
    watch::{Change, Home},
};

/// Two hosts, whose neurons have been told at the start.
fn begun() -> World {
    let mut world = World::new(&[&["a", "b"], &["c"]]);
    assert_eq!(names(&world.run_to(1000)), ["a", "b", "c"]);
    world.count_sent();
    world
}

fn names(told: &[(u64, String, Change)]) -> Vec<&str> {
    let mut names: Vec<&str> = told.iter().map(|(_, neuron, _)| neuron.as_str()).collect();
    names.sort_unstable();
    names
}

/// Returns neuron, level, whether it cannot be heard, and how many changes were missed.
fn brief(told: &[(u64, String, Change)]) -> Vec<(&str, f64, bool, u64)> {
    let brief = told.iter().map(|(_, neuron, change)| {
        let is_silent = change.missing.names().contains(&id(neuron).into());
        (neuron.as_str(), change.level, is_silent, change.missed)
    });
    brief.collect()
}

#[test]
fn each_neuron_is_told_at_the_start_and_then_with_each_change() {
    let mut world = World::new(&[&["a", "b"], &["c"]]);
    let told = world.run_to(100);
    assert_eq!(names(&told), ["a", "b", "c"]);
    assert!(told.iter().all(|(at, _, change)| *at == 10 && change.level == 0.0 && change.missed == 0));
    world.change("b");
    world.change("c");
    world.change("b");
    let told = world.run_to(100);
    assert_eq!(brief(&told), [("b", 1.0, false, 0), ("c", 1.0, false, 0), ("b", 0.0, false, 0)]);
}

#[test]
fn at_rest_each_host_is_asked_twice_a_second_whatever_the_number_of_its_neurons() {
    for neurons in [1, 100, 2000] {
        let names: Vec<String> = (0..neurons).map(|number| format!("n{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::new(&[&names, &["other"]]);
        assert_eq!(world.run_to(3000).len(), neurons + 1);
        let (_, others) = world.count_sent();
        assert!(others <= 2 * (neurons + 1), "each was asked where it runs and for its last change: {others}");
        assert_eq!(world.run_to(63_000), []);
        assert_eq!(world.count_sent(), (240, 0), "{neurons} neurons");
    }
}

#[test]
fn a_change_that_was_reported_costs_nothing_more() {
    let mut world = begun();
    for _ in 0..100 {
        world.change("a");
        let end = world.now + 10;
        assert_eq!(world.run_to(end).len(), 1);
    }
    world.run_to(4000);
    let (_, others) = world.count_sent();
    assert_eq!(others, 0);
}

#[test]
fn a_lost_report_is_noticed_with_the_next_answer_of_the_host() {
    let mut world = begun();
    world.loses_reports = true;
    world.change("a");
    assert_eq!(brief(&world.run_to(1600)), [("a", 1.0, false, 0)]);
    // On and off again: the level is the same, and two changes were missed.
    world.change("b");
    world.change("b");
    assert_eq!(brief(&world.run_to(2100)), [("b", 0.0, false, 2)]);
    world.loses_reports = false;
    world.change("b");
    assert_eq!(brief(&world.run_to(2100)), [("b", 1.0, false, 0)]);
    assert_eq!(world.count_sent().1, 2, "only those two were asked");
}

#[test]
fn the_neurons_of_a_host_that_cannot_be_heard_are_missing_until_it_is_back() {
    let mut world = begun();
    world.cut(0, true);
    world.change("c");
    assert_eq!(brief(&world.run_to(2000)), [("c", 1.0, false, 0)]);
    let told = world.run_to(20_000);
    assert_eq!(brief(&told), [("a", 0.0, true, 0), ("b", 0.0, true, 0)]);
    assert!(told.iter().all(|(at, ..)| *at == 1000 + LOST_AFTER), "{told:?}");
    world.change("a");
    world.cut(0, false);
    let told = world.run_to(21_000);
    assert_eq!(brief(&told), [("a", 1.0, false, 0), ("b", 0.0, false, 0)]);
    world.change("a");
    assert_eq!(brief(&world.run_to(21_000)), [("a", 0.0, false, 0)]);
    world.count_sent();
    assert_eq!(world.run_to(31_000), []);
    assert_eq!(world.count_sent(), (40, 0), "it is at rest again");
}

#[test]
fn a_neuron_that_is_never_heard_is_missing_from_the_start() {
    let mut world = World::new(&[&["a"], &["b"]]);
    world.cut(1, true);
    let told = world.run_to(60_000);
    assert_eq!(brief(&told), [("a", 0.0, false, 0), ("b", 0.0, true, 0)]);
    assert_eq!(told[1].0, 10 + LOST_AFTER);
    let (_, others) = world.count_sent();
    assert!(others < 20, "it is asked more and more seldom: {others}");
    world.cut(1, false);
    assert_eq!(brief(&world.run_to(69_000)), [("b", 0.0, false, 0)]);
}

#[test]
fn a_host_that_is_started_anew_lists_all_of_its_neurons() {
    let mut world = begun();
    world.change("a");
    world.run_to(1200);
    world.restart(0);
    let told = world.run_to(2000);
    assert_eq!(brief(&told), [("a", 0.0, false, 1), ("b", 0.0, false, 1)]);
    world.change("b");
    assert_eq!(brief(&world.run_to(2000)), [("b", 1.0, false, 0)]);
}

#[test]
fn a_neuron_that_moves_is_asked_where_it_runs() {
    let mut world = begun();
    world.move_to("b", 1);
    assert_eq!(brief(&world.run_to(2000)), [("b", 0.0, false, 1)]);
    world.loses_reports = true;
    world.change("b");
    assert_eq!(brief(&world.run_to(3000)), [("b", 1.0, false, 0)]);
    world.count_sent();
    world.run_to(13_000);
    assert_eq!(world.count_sent(), (40, 0));
}

#[test]
fn if_the_neuron_that_is_asked_for_its_host_has_gone_another_one_is() {
    let mut world = begun();
    world.run_to(2000);
    let home: Vec<String> = world.asked_for_host().into_iter().filter(|name| name != "c").collect();
    assert_eq!(home.len(), 1);
    // It crashes: nothing says that it has gone.
    let other = if home[0] == "a" { "b" } else { "a" };
    world.stop(&home[0]);
    let told = world.run_to(20_000);
    assert_eq!(brief(&told), [(home[0].as_str(), 0.0, true, 0)]);
    world.asked_for_host();
    world.run_to(21_000);
    assert!(world.asked_for_host().contains(other));
    world.change(other);
    assert_eq!(brief(&world.run_to(21_000)), [(other, 1.0, false, 0)]);
}

#[test]
fn a_neuron_that_is_added_appears_also_if_its_host_has_listed_it_before() {
    let mut world = begun();
    world.start("d", 1, 1);
    assert_eq!(world.run_to(2000), []);
    world.link.add(&id("d"), Time::from_micros(2_000_000));
    assert_eq!(brief(&world.run_to(3000)), [("d", 0.0, false, 0)]);
    world.loses_reports = true;
    world.change("d");
    assert_eq!(brief(&world.run_to(4000)), [("d", 1.0, false, 0)]);
    world.count_sent();
    assert_eq!(world.run_to(14_000), []);
    assert_eq!(world.count_sent(), (40, 0));
}

#[test]
fn a_neuron_that_is_removed_is_not_asked_any_more() {
    let mut world = begun();
    for name in ["a", "b"] {
        world.stop(name);
        assert!(world.link.remove(&id(name)));
        assert!(!world.link.remove(&id(name)));
    }
    assert_eq!(world.run_to(10_000), []);
    assert_eq!(world.asked_for_host().into_iter().collect::<Vec<_>>(), ["c"]);
    world.start("a", 0, 2);
    world.link.add(&id("a"), Time::from_micros(10_000_000));
    assert_eq!(brief(&world.run_to(11_000)), [("a", 0.0, false, 0)]);
}

#[test]
fn a_host_does_not_speak_for_the_neurons_of_another() {
    let mut world = begun();
    (0..2).for_each(|host| world.cut(host, true));
    assert_eq!(world.run_to(1600), []);
    let far_ahead = WatchPosition { incarnation: Incarnation { number: 9, nonce: 0 }, number: 9 };
    let next = || 5000;
    for position in [None, Some(far_ahead)] {
        let changed = ["a", "b"].map(|name| HostChange { neuron: id(name), position });
        let lie = HostChanges {
            watch: WATCH,
            host: host_id(1),
            position: HostPosition { life: 1, counter: 1000 },
            latest: Some(1000),
            changed: changed.into(),
        };
        // Each request that the host of `c` may have been sent.
        for request in 0..1000 {
            world.link.on_host_answer(&id("c"), request, lie.clone(), Time::from_micros(1_600_000), &next);
        }
    }
    world.deliver();
    assert_eq!(world.told, []);
    let told = world.run_to(20_000);
    let told: Vec<_> = told.into_iter().filter(|(at, ..)| *at == 1000 + LOST_AFTER).collect();
    assert_eq!(names(&told)[..2], ["a", "b"], "and it does not keep them alive either");
}

#[test]
fn a_neuron_that_claims_to_run_on_another_host_does_not_keep_its_neurons_alive() {
    let mut world = World::new(&[&["a", "b"], &["c"]]);
    // The host of c lies, and nothing honest comes from it.
    world.cut(1, true);
    let numbers = std::cell::Cell::new(1_000_000);
    let next = || numbers.replace(numbers.get() + 1);
    let mut told = Vec::new();
    let mut counter = 0;
    while world.now < 20_000 {
        let end = world.now + 50;
        told.extend(world.run_to(end));
        if world.now > 3000 {
            world.cut(0, true);
        }
        counter += 1;
        let position = WatchPosition { incarnation: Incarnation { number: 1, nonce: 5 }, number: 0 };
        let changed = ["a", "b", "c"].map(|name| HostChange { neuron: id(name), position: Some(position) });
        let host = host_id(0);
        let position = HostPosition { life: 666, counter };
        let lie = HostChanges { watch: WATCH, host, position, latest: Some(counter), changed: changed.into() };
        let now = Time::from_micros(world.now * 1000);
        for request in (0..2000).chain(1_000_000..numbers.get()) {
            world.link.on_home(&id("c"), request, &Home { host: host_id(0), life: 666 }, now, &next);
            world.link.on_host_answer(&id("c"), request, lie.clone(), now, &next);
        }
        world.deliver();
    }
    let missing = told.iter().filter(|(_, name, change)| name != "c" && !change.missing.is_empty());
    let missing: Vec<_> = missing.map(|(at, name, _)| (name.as_str(), at - 3000 <= LOST_AFTER + 100)).collect();
    assert_eq!(missing, [("a", true), ("b", true)]);
}

#[test]
fn a_controller_that_was_stalled_asks_once_more_before_it_calls_neurons_missing() {
    let mut world = begun();
    world.now = 20_000;
    assert_eq!(world.run_to(21_000), []);
    world.cut(0, true);
    world.now = 40_000;
    assert_eq!(brief(&world.run_to(50_000)), [("a", 0.0, true, 0), ("b", 0.0, true, 0)]);
}

/// Reports are lost, hosts are cut off and neurons move, from a seed. Whenever it is quiet, the
/// reader knows each level; and of the neurons that never restart, each change was told or counted.
#[test]
fn nothing_is_missed_silently_whatever_goes_wrong() {
    for seed in 1..=200_u64 {
        let all = ["a", "b", "c", "d", "e", "f"];
        let mut world = World::new(&[&["a", "b", "c"], &["d", "e"], &["f"]]);
        world.seed(seed);
        let mut levels: BTreeMap<String, (f64, bool)> = BTreeMap::new();
        let mut counted: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut changes: BTreeMap<&str, u64> = BTreeMap::new();
        let is_calm = seed % 2 == 0;
        note(world.run_to(100), &mut levels, &mut counted);
        for _ in 0..20 {
            // Other worlds are slow: messages are late, overtake each other, and are lost.
            world.lag = if seed % 4 < 2 { 0 } else { 200 };
            world.loses_one_in = if world.lag == 0 { u64::MAX } else { 10 };
            for _ in 0..30 {
                world.loses_reports = world.random(3) == 0;
                let neuron = all[world.random(6) as usize];
                let host = world.random(3) as usize;
                match world.random(20) {
                    0 if !is_calm => {
                        let is_cut = world.random(2) == 0;
                        world.cut(host, is_cut);
                    }
                    1 if !is_calm => world.restart(host),
                    2 if !is_calm => world.move_to(neuron, host),
                    _ => {
                        world.change(neuron);
                        *changes.entry(neuron).or_default() += 1;
                    }
                }
                let end = world.now + world.random(300);
                note(world.run_to(end), &mut levels, &mut counted);
            }
            (0..3).for_each(|host| world.cut(host, false));
            world.loses_reports = false;
            world.loses_one_in = u64::MAX;
            let end = world.now + 12_000;
            note(world.run_to(end), &mut levels, &mut counted);
            for name in all {
                assert_eq!(levels.get(name), Some(&(world.level(name), false)), "{name} with seed {seed}");
            }
        }
        if is_calm && world.lag == 0 {
            for name in all {
                // After two changes that were not reported the level is the same: both are
                // missed, and what tells so is none.
                let (least, most) = counted[name];
                assert!((least..=most).contains(&(changes[name] + 1)), "{name} with seed {seed}");
            }
        }
        world.count_sent();
        let end = world.now + 10_000;
        assert_eq!(world.run_to(end), [], "with seed {seed} it is at rest");
        let (to_hosts, others) = world.count_sent();
        assert!(others == 0 && to_hosts <= 60, "with seed {seed} it is not at rest: {to_hosts}, {others}");
    }
}

fn note(
    told: Vec<(u64, String, Change)>,
    levels: &mut BTreeMap<String, (f64, bool)>,
    counted: &mut BTreeMap<String, (u64, u64)>,
) {
    for (_, neuron, change) in told {
        let is_silent = !change.missing.is_empty();
        let (least, most) = counted.entry(neuron.clone()).or_default();
        *least += change.missed + u64::from(change.missed == 0);
        *most += change.missed + 1;
        levels.insert(neuron, (change.level, is_silent));
    }
}
