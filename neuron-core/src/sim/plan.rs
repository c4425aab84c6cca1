//! The plan of a run: a network, the machines and links it runs on, and what happens to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::{Action, Delay, Hostile, LinkCondition, action::name};
use crate::{
    Network,
    id::{HostId, NeuronId},
    transport::{Delivery, FullInbox, Guarantees},
};

/// Everything that determines a run. A plan gives the same trace whenever it runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of every random choice in the run.
    pub seed: u64,
    /// The network. A neuron without a host runs on one of its own, which has its name.
    pub network: Network,
    /// The hosts that differ from [`Machine::default`].
    pub machines: BTreeMap<HostId, Machine>,
    /// The condition of the links between hosts. Within a host messages take microseconds and none
    /// is lost.
    pub link: LinkCondition,
    /// The links that differ from `link`, each from the first host to the second.
    pub links: BTreeMap<(HostId, HostId), LinkCondition>,
    /// What the transport guarantees to the neurons. [`Plan::new`] guarantees nothing, so neurons
    /// acknowledge statements and send them again.
    pub guarantees: Guarantees,
    /// The actions, each with its time from the start.
    pub actions: Vec<(Duration, Action)>,
    /// The neurons that are not started at the beginning; [`Action::Join`] starts them.
    pub absent: BTreeSet<NeuronId>,
    /// The machine that lies; `None` if none does.
    pub hostile: Option<Hostile>,
    /// When the faults end. From then on no message is lost or takes longer than 60 ms, all
    /// partitions are healed, and all hosts are fast.
    pub quiesce_at: Duration,
    /// When the run ends and is judged.
    pub end: Duration,
}

/// The machine that a host runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// How far its clock is ahead, in microseconds; negative if it is behind.
    pub offset: i64,
    /// How much too fast its clock runs, in millionths; negative if it is too slow.
    pub drift: i32,
    /// The time that it takes to process one message.
    pub service: Duration,
    /// The number of messages that can wait before more are lost; 0 for no limit.
    pub inbox: usize,
}

impl Plan {
    /// Returns a plan without faults that runs for thirty seconds, over good links whose transport
    /// guarantees nothing.
    pub fn new(network: Network, seed: u64) -> Self {
        Self {
            seed,
            network,
            machines: BTreeMap::new(),
            link: LinkCondition::GOOD,
            links: BTreeMap::new(),
            guarantees: Guarantees {
                ordered_per_sender: false,
                delivery: Delivery::AtMostOnce,
                full_inbox: FullInbox::Dropped,
                pace: Guarantees::IN_PROCESS.pace,
                local_bypass: false,
            },
            actions: Vec::new(),
            absent: BTreeSet::new(),
            hostile: None,
            quiesce_at: Duration::from_secs(30),
            end: Duration::from_secs(30),
        }
    }

    /// Adds an action at a time from the start.
    ///
    /// # Panics
    /// If the action names a neuron or a host that the network does not have.
    #[must_use]
    #[expect(clippy::panic, reason = "a test with a bad name has to see it at once")]
    pub fn at(mut self, after: Duration, action: Action) -> Self {
        if let Some(unknown) = self.unknown_name(&action) {
            panic!("{action:?} names {unknown}, which the network does not have");
        }
        self.actions.push((after, action));
        self
    }

    /// Describes a neuron or a host that an action names and the network does not have; `None` if
    /// it has all of them.
    fn unknown_name(&self, action: &Action) -> Option<String> {
        let neuron = |id: &NeuronId| self.network.neuron(id).is_none().then(|| format!("the neuron `{id}`"));
        let host = |id: &HostId| {
            let hosts: BTreeSet<HostId> = self.network.neurons().map(|(id, _)| self.host_of(id)).collect();
            let known: Vec<&str> = hosts.iter().map(HostId::as_str).collect();
            (!hosts.contains(id)).then(|| format!("the host `{id}` (there are {})", known.join(", ")))
        };
        match action {
            Action::Stimulate { neuron: id, .. }
            | Action::Train { neuron: id, .. }
            | Action::Feed { neuron: id, .. }
            | Action::Query(id)
            | Action::Watch(id)
            | Action::Unwatch(id)
            | Action::Change { neuron: id, .. }
            | Action::Panic(id)
            | Action::Join(id) => neuron(id),
            Action::Present(members) => members.iter().find_map(|(id, _)| neuron(id)),
            Action::Transaction(members) => members.iter().find_map(|(id, _)| neuron(id)),
            Action::Crash(id)
            | Action::Stop(id)
            | Action::Restart { host: id, .. }
            | Action::SetClock { host: id, .. }
            | Action::Freeze(id, _) => host(id),
            Action::Partition(one, other) | Action::PartitionOneWay(one, other) | Action::Heal(one, other) => {
                host(one).or_else(|| host(other))
            }
        }
    }

    /// Sets the share of messages that are lost, in percent.
    #[must_use]
    pub fn loss(mut self, percent: u8) -> Self {
        self.link.loss = percent;
        self
    }

    /// Sets how long messages take.
    #[must_use]
    pub fn delay(mut self, delay: Delay) -> Self {
        self.link.delay = delay;
        self
    }

    /// Returns the host that a neuron runs on.
    pub(super) fn host_of(&self, neuron: &NeuronId) -> HostId {
        let host = self.network.neuron(neuron).and_then(|spec| spec.host.clone());
        host.unwrap_or_else(|| name(neuron.as_str()))
    }
}

/// Writes everything that is needed to reproduce a failure by hand: the seed, the network as a
/// file, the faults, and the actions in the order of their times.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "{}", self.network.to_toml().trim_end())?;
        writeln!(f, "\nlink: {:?}", self.link)?;
        writeln!(f, "guarantees: {:?}", self.guarantees)?;
        for ((from, to), link) in &self.links {
            writeln!(f, "link from {from} to {to}: {link:?}")?;
        }
        for (host, machine) in &self.machines {
            writeln!(f, "host {host}: {machine:?}")?;
        }
        if !self.absent.is_empty() {
            writeln!(f, "absent at the start: {:?}", self.absent)?;
        }
        if let Some(hostile) = &self.hostile {
            writeln!(f, "{hostile:?}")?;
        }
        let mut actions: Vec<_> = self.actions.iter().collect();
        actions.sort_by_key(|(at, _)| *at);
        for (at, action) in actions {
            writeln!(f, "{:>12.6} s  {action:?}", at.as_secs_f64())?;
        }
        write!(f, "faults end at {:?}, judged at {:?}", self.quiesce_at, self.end)
    }
}
