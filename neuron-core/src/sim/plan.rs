//! What is to happen: a network, the machines it runs on, and what is done to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::{Delay, Link, Outcome, world::World};
use crate::{
    Network,
    command::{Command, ConfigChange},
    id::{HostId, NeuronId, SensorId},
    transport::{Delivery, FullInbox, Guarantees},
};

/// Everything that determines a run. The same plan always gives the same trace.
#[derive(Clone, Debug)]
pub struct Plan {
    /// From which all chance comes.
    pub seed: u64,
    /// The network. A neuron without a host has one of its own, with its own name.
    pub network: Network,
    /// The hosts that are not [ordinary](Machine::default).
    pub machines: BTreeMap<HostId, Machine>,
    /// How messages fare between hosts. Within a host they take microseconds, and none is lost.
    pub link: Link,
    /// Where they fare otherwise: from the first host to the second.
    pub links: BTreeMap<(HostId, HostId), Link>,
    /// What neurons can rely on. Nothing, unless said otherwise: they acknowledge and send again.
    pub carrier: Guarantees,
    /// What happens when, counted from the start.
    pub acts: Vec<(Duration, Act)>,
    /// Neurons that are not there at the start; [`Act::Join`] starts them.
    pub absent: BTreeSet<NeuronId>,
    /// From then on no message is lost or takes longer than 60 ms, all cuts are healed, and all hosts are fast.
    pub calm: Duration,
    /// When the run ends and is judged.
    pub end: Duration,
}

/// A host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// How far its clock is ahead, in microseconds; negative if it is behind.
    pub offset: i64,
    /// How much too fast its clock runs, in millionths.
    pub drift: i32,
    /// How long it takes for one message.
    pub service: Duration,
    /// How many messages wait before more are lost; 0 for as many as come.
    pub inbox: usize,
}

/// What is done to a network, or what befalls it.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A neuron is stimulated.
    Stimulate {
        /// Which one.
        neuron: NeuronId,
        /// 1, or 0 to end it.
        level: f64,
        /// For how long; the neuron's own hold if not given.
        hold: Option<Duration>,
    },
    /// A neuron is stimulated several times in a row.
    Train {
        /// Which one.
        neuron: NeuronId,
        /// With what.
        levels: Vec<f64>,
    },
    /// A sensor is read.
    Feed {
        /// The neuron it is attached to.
        neuron: NeuronId,
        /// Which sensor.
        sensor: SensorId,
        /// What it shows.
        level: f64,
        /// The coincidence window, if there is one.
        window: Option<Duration>,
    },
    /// Several neurons are stimulated at one tag.
    Present(Vec<(NeuronId, f64)>),
    /// Somebody asks for the level at the present time, as the neuron's clock shows it.
    Ask(NeuronId),
    /// A neuron is reconfigured.
    Change {
        /// Which one.
        neuron: NeuronId,
        /// The command.
        command: Command,
    },
    /// Several neurons are reconfigured at one tag.
    ChangeTogether(Vec<(NeuronId, Vec<ConfigChange>)>),
    /// A neuron panics, and restarts at once with its configuration.
    Panic(NeuronId),
    /// A host loses its power.
    Crash(HostId),
    /// A host that crashed comes back.
    Restart {
        /// Which one.
        host: HostId,
        /// What became of its disk.
        disk: Disk,
        /// How far its clock is ahead from then on, in microseconds.
        offset: i64,
    },
    /// No message passes between two hosts.
    Cut(HostId, HostId),
    /// No message passes from the first host to the second.
    CutOneWay(HostId, HostId),
    /// Messages pass again, in both directions.
    Heal(HostId, HostId),
    /// A host does nothing for a while, and then goes on where it was.
    Freeze(HostId, Duration),
    /// A neuron that was absent starts.
    Join(NeuronId),
}

/// What became of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// It is as it was.
    Kept,
    /// It is empty: the neurons start from the network file, as if for the first time.
    Lost,
    /// It is as it was when the run began.
    Old,
}

impl Act {
    /// A neuron is stimulated, for its own hold.
    ///
    /// # Panics
    /// When `neuron` is no name.
    pub fn stimulate(neuron: &str, level: f64) -> Self {
        Self::Stimulate { neuron: name(neuron), level, hold: None }
    }

    /// A host loses its power. A neuron without a host has one with its own name.
    ///
    /// # Panics
    /// When `host` is no name.
    pub fn crash(host: &str) -> Self {
        Self::Crash(name(host))
    }

    /// A host comes back with its disk, and with a clock that is right.
    ///
    /// # Panics
    /// When `host` is no name.
    pub fn restart(host: &str) -> Self {
        Self::Restart { host: name(host), disk: Disk::Kept, offset: 0 }
    }
}

#[expect(clippy::panic, reason = "a test that names nothing has to be told so")]
fn name<T: std::str::FromStr<Err = crate::NameError>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

impl Plan {
    /// A network on hosts that are all well, over a good carrier that nevertheless promises nothing. It runs for thirty
    /// seconds.
    pub fn new(network: Network, seed: u64) -> Self {
        Self {
            seed,
            network,
            machines: BTreeMap::new(),
            link: Link::GOOD,
            links: BTreeMap::new(),
            carrier: Guarantees {
                ordered_per_sender: false,
                delivery: Delivery::AtMostOnce,
                full_inbox: FullInbox::Dropped,
                pace: Guarantees::IN_PROCESS.pace,
                local_bypass: false,
            },
            acts: Vec::new(),
            absent: BTreeSet::new(),
            calm: Duration::from_secs(30),
            end: Duration::from_secs(30),
        }
    }

    /// Something happens.
    ///
    /// # Panics
    /// When the act names a neuron or a host that the network does not have.
    #[must_use]
    #[expect(clippy::panic, reason = "a test that names nothing has to be told so")]
    pub fn at(mut self, after: Duration, act: Act) -> Self {
        if let Some(unknown) = self.unknown_name(&act) {
            panic!("{act:?} names {unknown}, which the network does not have");
        }
        self.acts.push((after, act));
        self
    }

    /// What an act names that is not there.
    fn unknown_name(&self, act: &Act) -> Option<String> {
        let neuron = |id: &NeuronId| self.network.neuron(id).is_none().then(|| format!("the neuron `{id}`"));
        let host = |id: &HostId| {
            let hosts: BTreeSet<HostId> = self.network.neurons().map(|(id, _)| self.host_of(id)).collect();
            let known: Vec<&str> = hosts.iter().map(HostId::as_str).collect();
            (!hosts.contains(id)).then(|| format!("the host `{id}` (there are {})", known.join(", ")))
        };
        match act {
            Act::Stimulate { neuron: id, .. }
            | Act::Train { neuron: id, .. }
            | Act::Feed { neuron: id, .. }
            | Act::Ask(id)
            | Act::Change { neuron: id, .. }
            | Act::Panic(id)
            | Act::Join(id) => neuron(id),
            Act::Present(members) => members.iter().find_map(|(id, _)| neuron(id)),
            Act::ChangeTogether(members) => members.iter().find_map(|(id, _)| neuron(id)),
            Act::Crash(id) | Act::Restart { host: id, .. } | Act::Freeze(id, _) => host(id),
            Act::Cut(one, other) | Act::CutOneWay(one, other) | Act::Heal(one, other) => {
                host(one).or_else(|| host(other))
            }
        }
    }

    /// How many messages in a hundred are lost.
    #[must_use]
    pub fn loses(mut self, percent: u8) -> Self {
        self.link.loss = percent;
        self
    }

    /// How long messages take.
    #[must_use]
    pub fn delays(mut self, delay: Delay) -> Self {
        self.link.delay = delay;
        self
    }

    /// Where a neuron runs.
    pub(super) fn host_of(&self, neuron: &NeuronId) -> HostId {
        let host = self.network.neuron(neuron).and_then(|spec| spec.host.clone());
        host.unwrap_or_else(|| name(neuron.as_str()))
    }

    /// Lets it happen, and judges what came of it.
    pub fn run(&self) -> Outcome {
        let mut world = World::new(self, false);
        world.run();
        Outcome::of(&world)
    }

    /// Like [`run`](Self::run), and tells everything that happened, line by line.
    pub fn tell(&self) -> (Outcome, Vec<String>) {
        let mut world = World::new(self, true);
        world.run();
        let outcome = Outcome::of(&world);
        (outcome, world.into_story())
    }
}

/// As somebody needs it who wants to see what went wrong: the seed, the network as a file, and what happened when.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "{}", self.network.to_toml().trim_end())?;
        writeln!(f, "\nlink: {:?}", self.link)?;
        writeln!(f, "carrier: {:?}", self.carrier)?;
        for ((from, to), link) in &self.links {
            writeln!(f, "link from {from} to {to}: {link:?}")?;
        }
        for (host, machine) in &self.machines {
            writeln!(f, "host {host}: {machine:?}")?;
        }
        if !self.absent.is_empty() {
            writeln!(f, "absent at the start: {:?}", self.absent)?;
        }
        let mut acts: Vec<_> = self.acts.iter().collect();
        acts.sort_by_key(|(at, _)| *at);
        for (at, act) in acts {
            writeln!(f, "{:>12.6} s  {act:?}", at.as_secs_f64())?;
        }
        write!(f, "calm from {:?}, judged at {:?}", self.calm, self.end)
    }
}
