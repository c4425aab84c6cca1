//! Performs the actions of a plan.

use std::time::Duration;

use super::{Action, Disk, controller::Member, world::World};
use crate::{
    command::{Command, Stimulus},
    id::{HostId, NeuronId},
    tag::{Tag, Time},
};

/// Performs one action. An action that names a neuron or a host that does not exist has no effect.
pub(super) fn perform(world: &mut World<'_>, action: &Action) {
    world.trace(|| format!("*** {action:?}"));
    match action {
        Action::Stimulate { neuron, level, hold } => {
            let stimulus = Stimulus { sensor: None, level: Some(*level), hold: *hold };
            command(world, neuron, Command::Stimulate { stimulus, at: None, within: Duration::ZERO });
        }
        Action::Train { neuron, levels } => command(world, neuron, Command::Train { levels: levels.clone() }),
        Action::Feed { neuron, sensor, level, window } => {
            let stimulus = Stimulus { sensor: Some(sensor.clone()), level: *level, hold: None };
            let at = window.map(|window| window_end(world.now(), window));
            command(world, neuron, Command::Stimulate { stimulus, at, within: window.unwrap_or_default() });
        }
        Action::Present(members) => {
            let members = members.iter().filter_map(|(neuron, level)| {
                let stimuli = vec![Stimulus { sensor: None, level: Some(*level), hold: None }];
                Some(Member { neuron: world.find(neuron)?, prepare: Command::Reserve, stimuli })
            });
            prepare(world, members.collect());
        }
        Action::Transaction(members) => {
            let members = members.iter().filter_map(|(neuron, changes)| {
                let prepare = Command::Prepare { changes: changes.clone(), stimuli: Vec::new() };
                Some(Member { neuron: world.find(neuron)?, prepare, stimuli: Vec::new() })
            });
            prepare(world, members.collect());
        }
        Action::Query(neuron) => {
            let Some(to) = world.find(neuron) else { return };
            // Not in the future of the neuron's clock, or the answer would have to wait for that
            // time.
            let tag = Tag::at(world.now().min(world.local_time(to)));
            let (to, request) = world.controller.query(to, tag, world.now());
            world.send(None, to, request);
        }
        Action::Change { neuron, command: change } => command(world, neuron, change.clone()),
        Action::Watch(neuron) => {
            if let Some(index) = world.find(neuron) {
                world.watch(index);
            }
        }
        Action::Unwatch(neuron) => {
            if let Some(index) = world.find(neuron) {
                world.unwatch(index);
            }
        }
        Action::Panic(neuron) => {
            if let Some(index) = world.find(neuron) {
                world.restart_neuron(index);
            }
        }
        Action::Crash(host) => {
            if let Some(host) = world.find_host(host) {
                world.crash(host);
            }
        }
        Action::Stop(host) => {
            if let Some(host) = world.find_host(host) {
                world.stop(host);
            }
        }
        Action::Restart { host, disk, offset } => restart(world, host, *disk, *offset),
        Action::Partition(one, other) => {
            partition(world, one, other);
            partition(world, other, one);
        }
        Action::PartitionOneWay(from, to) => partition(world, from, to),
        Action::Heal(one, other) => {
            if let (Some(one), Some(other)) = (world.find_host(one), world.find_host(other)) {
                world.heal(one, other);
            }
        }
        Action::SetClock { host, offset } => {
            if let Some(host) = world.find_host(host) {
                world.set_clock(host, *offset);
            }
        }
        Action::Freeze(host, span) => {
            if let Some(host) = world.find_host(host) {
                world.freeze(host, *span);
            }
        }
        Action::Join(neuron) => {
            if let Some(index) = world.find(neuron) {
                world.join(index);
            }
        }
    }
}

/// Returns the tag at the end of the coincidence window that `now` falls into.
fn window_end(now: Time, window: Duration) -> Tag {
    let width = u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1);
    Tag::at(Time::from_micros((now.as_micros() / width + 1) * width))
}

fn command(world: &mut World<'_>, neuron: &NeuronId, command: Command) {
    if let Some(to) = world.find(neuron) {
        let (to, request) = world.controller.request(to, command);
        world.send(None, to, request);
    }
}

fn prepare(world: &mut World<'_>, members: Vec<Member>) {
    let requests = world.controller.prepare(members, world.now());
    requests.into_iter().for_each(|(to, request)| world.send(None, to, request));
}

fn partition(world: &mut World<'_>, from: &HostId, to: &HostId) {
    if let (Some(from), Some(to)) = (world.find_host(from), world.find_host(to)) {
        world.partition(from, to);
    }
}

/// Starts a host and each of its neurons that had been started before, with what the disk holds.
fn restart(world: &mut World<'_>, host: &HostId, disk: Disk, offset: i64) {
    let Some(host) = world.find_host(host).filter(|host| world.restart_host(*host, offset)) else { return };
    for index in 0..world.nodes.len() {
        let node = &world.nodes[index];
        if node.host != host || !node.was_started() {
            continue;
        }
        let (saved, store_lost) = match disk {
            Disk::Kept => (node.saved.clone(), false),
            Disk::Lost => (None, true),
            Disk::Old => (node.first_saved.clone(), true),
        };
        let store_lost = store_lost || node.ever_lost_its_store();
        world.start(index, saved, store_lost);
    }
}
