//! Networks and misfortunes made up from a seed.

use std::{collections::BTreeMap, time::Duration};

use super::{Act, Delay, Disk, Link, Machine, Plan};
use crate::{
    Network,
    command::{Command, ConfigChange},
    id::{HostId, NeuronId, SensorId, Source},
    network::{NeuronSpec, Synapse},
    neuron::{Mode, Rule},
    transport::{Delivery, Pace},
};

/// What may go wrong in a random plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torment {
    /// Messages are lost, doubled and overtake each other, and some take thirty times as long as most.
    pub loss: bool,
    /// Hosts crash and neurons panic; most come back.
    pub crashes: bool,
    /// Some come back without their disk, or with an old one.
    pub disks: bool,
    /// Hosts are cut off from each other, some of them in one direction only.
    pub cuts: bool,
    /// Clocks are off by up to an hour, and few by up to ten; they drift, and jump when their host comes back.
    pub clocks: bool,
    /// Hosts are slow, and their inboxes overflow.
    pub slow: bool,
    /// Weights, thresholds and connections change, one by one and together; neurons join.
    pub rewiring: bool,
    /// Connections with a delay close loops.
    pub loops: bool,
    /// Some neurons linger, pulse, or answer on every arrival.
    pub kinds: bool,
}

impl Torment {
    /// Everything at once.
    pub const ALL: Self = Self {
        loss: true,
        crashes: true,
        disks: true,
        cuts: true,
        clocks: true,
        slow: true,
        rewiring: true,
        loops: true,
        kinds: true,
    };
    /// Nothing but delays, shorter than anybody's patience.
    pub const DELAY: Self = Self {
        loss: false,
        crashes: false,
        disks: false,
        cuts: false,
        clocks: false,
        slow: false,
        rewiring: false,
        loops: true,
        kinds: true,
    };
}

/// When the faults are over, and when everything must be well again.
const CALM: Duration = Duration::from_secs(12);
const END: Duration = Duration::from_secs(30);
/// What the clocks of most hosts are off by, at most.
pub(super) const HOUR: i64 = 3_600_000_000;

impl Plan {
    /// A network and its misfortunes, made up from a seed.
    pub fn random(seed: u64, torment: Torment) -> Self {
        let mut plan =
            Maker { rng: fastrand::Rng::with_seed(seed ^ 0x6e65_7572_6f6e), torment, reliable: false }.plan(seed);
        make_trains(&mut plan, &mut fastrand::Rng::with_seed(seed ^ 0x0074_7261_696e));
        plan
    }
}

/// Makes trains of some stimuli. With chance of its own, so that a seed stands for the same plan otherwise as before there were
/// trains.
fn make_trains(plan: &mut Plan, rng: &mut fastrand::Rng) {
    for (_, act) in &mut plan.acts {
        if let Act::Stimulate { neuron, level, hold: None } = act
            && rng.u8(0..4) == 0
        {
            let levels = (0..rng.usize(1..=12)).map(|_| f64::from(rng.u8(0..=1))).chain([*level]).collect();
            *act = Act::Train { neuron: neuron.clone(), levels };
        }
    }
}

struct Maker {
    rng: fastrand::Rng,
    torment: Torment,
    /// The carrier loses nothing, but what was on its way to a host that crashed.
    reliable: bool,
}

fn name<T: std::str::FromStr<Err = crate::NameError>>(letter: char, index: usize) -> T {
    format!("{letter}{index:02}").parse().expect("it is a name")
}

impl Maker {
    fn plan(&mut self, seed: u64) -> Plan {
        let count = self.rng.usize(3..=25);
        let hosts = if self.one_in(2) { count } else { self.rng.usize(1..=count.min(6)) };
        let network = self.network(count, hosts);
        let mut plan = Plan::new(network, seed);
        plan.link = self.link();
        let grace = Duration::from_micros(self.rng.u64(1_000..=15_000));
        plan.carrier.pace = Pace { grace, retry: Duration::from_millis(25) };
        if self.torment.loss && self.one_in(6) {
            self.reliable = true;
            plan.carrier.delivery = Delivery::ExactlyOnce;
            plan.link = self.link();
        }
        plan.carrier.ordered_per_sender = !plan.link.reorders;
        (plan.calm, plan.end) = (CALM, END);
        let hosts: Vec<HostId> = plan.network.neurons().map(|(id, _)| plan.host_of(id)).collect();
        if self.one_in(3) {
            for _ in 0..self.rng.usize(1..=4) {
                let pair =
                    (hosts[self.rng.usize(0..hosts.len())].clone(), hosts[self.rng.usize(0..hosts.len())].clone());
                let link = self.link();
                plan.links.insert(pair, link);
            }
        }
        if self.torment.clocks || self.torment.slow {
            for host in &hosts {
                let machine = self.machine();
                plan.machines.entry(host.clone()).or_insert(machine);
            }
        }
        for _ in 0..self.rng.usize(3..=14) {
            let at = self.moment();
            let act = self.stimulus(count, &plan.network);
            plan.acts.push((at, act));
            // Half of what happens comes right after something else.
            if self.one_in(2) {
                let soon = at + Duration::from_micros(self.rng.u64(0..15_000));
                let act = self.stimulus(count, &plan.network);
                plan.acts.push((soon, act));
            }
        }
        self.faults(&mut plan, &hosts);
        if self.torment.rewiring {
            self.rewire(&mut plan, count);
        }
        plan
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(0..n) == 0
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.rng.u64(500_000..11_000_000))
    }

    /// Eighths, so that sums are exact in any order.
    fn eighths(&mut self, from: i8, to: i8) -> f64 {
        f64::from(self.rng.i8(from..=to)) / 8.0
    }

    fn link(&mut self) -> Link {
        if !self.torment.loss || self.reliable {
            let longest = Duration::from_micros(self.rng.u64(200..60_000));
            return Link {
                delay: Delay::UpTo(longest),
                loss: 0,
                duplicates: 0,
                reorders: !self.reliable && self.one_in(2),
            };
        }
        let usual = Duration::from_micros(self.rng.u64(800..8_000));
        Link {
            delay: Delay::Around(usual),
            loss: if self.one_in(4) { 0 } else { self.rng.u8(0..=30) },
            duplicates: if self.one_in(4) { 0 } else { self.rng.u8(0..=30) },
            reorders: !self.one_in(3),
        }
    }

    fn machine(&mut self) -> Machine {
        let mut machine = Machine::default();
        if self.torment.clocks {
            machine.offset = self.offset();
            machine.drift = if self.one_in(2) { self.rng.i32(-200..=200) } else { 0 };
        }
        if self.torment.slow && self.one_in(6) {
            machine.service = Duration::from_micros(self.rng.u64(50..3_000));
            machine.inbox = if !self.reliable && self.one_in(2) { self.rng.usize(4..64) } else { 0 };
        }
        machine
    }

    fn offset(&mut self) -> i64 {
        if self.one_in(40) {
            let far = self.rng.i64(4 * HOUR..=10 * HOUR);
            return if self.rng.bool() { far } else { -far };
        }
        match self.rng.u8(0..8) {
            0 => HOUR,
            1 => -HOUR,
            2 => self.rng.i64(-HOUR..=HOUR),
            3..=5 => self.rng.i64(-20_000..=20_000),
            _ => 0,
        }
    }

    fn network(&mut self, count: usize, hosts: usize) -> Network {
        let mut builder = Network::builder("random");
        if self.one_in(2) {
            builder = builder.hold(Duration::from_millis(self.rng.u64(20..5_000)));
        }
        for index in 0..count {
            let spec = self.neuron(index, count, hosts);
            builder = builder.spec(&format!("n{index:02}"), spec);
        }
        builder.build().expect("made so that it is valid")
    }

    fn neuron(&mut self, index: usize, count: usize, hosts: usize) -> NeuronSpec {
        let mut spec = NeuronSpec { threshold: Some(self.eighths(-11, 15)), ..NeuronSpec::default() };
        for _ in 0..self.rng.usize(0..=3) {
            let back = self.rng.usize(1..=8);
            if let Some(source) = index.checked_sub(back) {
                spec.weights.insert(name('n', source), Synapse { weight: self.eighths(-8, 8), delay: None });
            }
        }
        if self.one_in(5) {
            let source = if self.torment.loops { self.rng.usize(0..count) } else { self.rng.usize(0..=index) };
            let delay = Some(Duration::from_millis(if self.one_in(50) { 1 } else { self.rng.u64(20..300) }));
            let synapse = Synapse { weight: self.eighths(-8, 8), delay };
            if self.torment.loops || source < index {
                spec.weights.entry(name('n', source)).or_insert(synapse);
            }
        }
        for sensor in 0..self.rng.usize(0..=2) {
            spec.sensors.insert(sensor_of(index, sensor), 0.5);
        }
        spec.host = (hosts < count).then(|| name('h', self.rng.usize(0..hosts)));
        if self.torment.kinds {
            match self.rng.u8(0..12) {
                0 => spec.linger = Duration::from_millis(self.rng.u64(1..2_000)),
                1 => {
                    let window = Duration::from_millis(self.rng.u64(50..500));
                    let refractory = Duration::from_millis(self.rng.u64(10..100));
                    spec.rule = Rule::Pulse { window, refractory };
                }
                2 => spec.mode = Some(Mode::Asap),
                _ => {}
            }
        }
        spec
    }

    fn stimulus(&mut self, count: usize, network: &Network) -> Act {
        let neuron: NeuronId = name('n', self.rng.usize(0..count));
        let level = f64::from(self.rng.u8(0..=1));
        let hold = self.rng.bool().then(|| Duration::from_millis(self.rng.u64(20..5_000)));
        match self.rng.u8(0..10) {
            0..=3 => Act::Stimulate { neuron, level, hold },
            4 | 5 => {
                let sensors: Vec<SensorId> =
                    network.neuron(&neuron).map(|spec| spec.sensors.keys().cloned().collect()).unwrap_or_default();
                match self.rng.choice(sensors) {
                    Some(sensor) => {
                        let level = self.eighths(-16, 16);
                        let window = self.rng.bool().then(|| Duration::from_millis(self.rng.u64(1..20)));
                        Act::Feed { neuron, sensor, level, window }
                    }
                    None => Act::Stimulate { neuron, level, hold },
                }
            }
            6 | 7 => {
                let members: BTreeMap<NeuronId, f64> = (0..self.rng.usize(1..=5))
                    .map(|_| (name('n', self.rng.usize(0..count)), f64::from(self.rng.u8(0..=1))))
                    .collect();
                Act::Present(members.into_iter().collect())
            }
            _ => Act::Ask(neuron),
        }
    }

    fn faults(&mut self, plan: &mut Plan, hosts: &[HostId]) {
        let host = |maker: &mut Self| hosts[maker.rng.usize(0..hosts.len())].clone();
        if self.torment.crashes {
            for _ in 0..self.rng.usize(0..=3) {
                let (host, at) = (host(self), self.moment());
                plan.acts.push((at, Act::Crash(host.clone())));
                if self.one_in(6) {
                    continue;
                }
                self.come_back(plan, &host, at);
            }
            if self.one_in(3) {
                let neuron = name('n', self.rng.usize(0..plan.network.len()));
                plan.acts.push((self.moment(), Act::Panic(neuron)));
            }
        }
        if self.torment.slow && self.one_in(4) {
            let span = Duration::from_micros(self.rng.u64(10_000..3_000_000));
            plan.acts.push((self.moment(), Act::Freeze(host(self), span)));
        }
        if self.torment.cuts && !self.reliable {
            for _ in 0..self.rng.usize(0..=3) {
                let (one, other, at) = (host(self), host(self), self.moment());
                if one == other {
                    continue;
                }
                let one_way = self.one_in(3);
                let cut = if one_way { Act::CutOneWay } else { Act::Cut };
                plan.acts.push((at, cut(one.clone(), other.clone())));
                let longest = if self.one_in(5) { 11_000_000 } else { 5_000_000 };
                let lasts = Duration::from_micros(self.rng.u64(10_000..longest));
                plan.acts.push((at + lasts, Act::Heal(one, other)));
            }
        }
    }

    fn come_back(&mut self, plan: &mut Plan, host: &HostId, at: Duration) {
        let offset = if self.torment.clocks { self.offset() } else { 0 };
        let back = at + Duration::from_micros(self.rng.u64(10_000..4_000_000));
        plan.acts.push((back, Act::Restart { host: host.clone(), disk: Disk::Kept, offset }));
        if self.torment.disks && self.one_in(10) {
            // Once more, and this time with a disk that lost what the life before has written.
            let again = back + Duration::from_millis(self.rng.u64(500..2_000));
            let disk = if self.rng.bool() { Disk::Lost } else { Disk::Old };
            plan.acts.push((again, Act::Crash(host.clone())));
            let later = again + Duration::from_millis(self.rng.u64(10..2_000));
            plan.acts.push((later, Act::Restart { host: host.clone(), disk, offset }));
        }
    }

    fn rewire(&mut self, plan: &mut Plan, count: usize) {
        for _ in 0..self.rng.usize(0..=5) {
            let at = self.moment();
            if self.one_in(4) {
                let members: BTreeMap<NeuronId, Vec<ConfigChange>> =
                    (0..self.rng.usize(1..=3)).filter_map(|_| self.changes(count, &plan.network)).collect();
                for source in connected(&members) {
                    let soon = at + Duration::from_micros(self.rng.u64(0..8_000));
                    let level = f64::from(self.rng.u8(0..=1));
                    plan.acts.push((soon, Act::Stimulate { neuron: source, level, hold: None }));
                }
                plan.acts.push((at, Act::ChangeTogether(members.into_iter().collect())));
            } else if let Some((neuron, changes)) = self.changes(count, &plan.network) {
                for change in changes {
                    plan.acts.push((at, Act::Change { neuron: neuron.clone(), command: command(change) }));
                }
            }
        }
        if self.one_in(4) {
            let neuron: NeuronId = name('n', self.rng.usize(0..count));
            plan.absent.insert(neuron.clone());
            plan.acts.push((self.moment(), Act::Join(neuron)));
        }
    }

    /// One change of a neuron or, half of the time, others at the same neuron with it. A new connection comes with a weight.
    fn changes(&mut self, count: usize, network: &Network) -> Option<(NeuronId, Vec<ConfigChange>)> {
        let (neuron, change) = self.change(count, network)?;
        let mut changes = vec![change];
        for _ in 0..3 {
            if self.one_in(2)
                && let Some((other, change)) = self.change(count, network)
                && other == neuron
            {
                changes.push(change);
            }
        }
        let connected: Vec<NeuronId> = connects(&changes).cloned().collect();
        for source in connected {
            changes.push(ConfigChange::SetWeight { source: source.into(), weight: self.eighths(-8, 8) });
            // Something soon to tell over the new connection, and often another one that it takes the place of.
            let sources: Vec<NeuronId> = network.neuron(&neuron)?.weights.keys().cloned().collect();
            if self.one_in(2)
                && let Some(old) = self.rng.choice(sources)
            {
                changes.push(ConfigChange::Disconnect { source: old });
            }
        }
        Some((neuron, changes))
    }

    fn change(&mut self, count: usize, network: &Network) -> Option<(NeuronId, ConfigChange)> {
        let index = self.rng.usize(0..count);
        let neuron: NeuronId = name('n', index);
        let change = match self.rng.u8(0..6) {
            0 => {
                let source: NeuronId = name('n', self.rng.usize(0..count));
                ConfigChange::SetWeight { source: source.into(), weight: self.eighths(-8, 8) }
            }
            1 => ConfigChange::SetThreshold { threshold: self.eighths(-11, 15) },
            2 => {
                let source: NeuronId = name('n', self.rng.usize(0..count));
                ConfigChange::DeleteWeight { source: Source::Neuron(source) }
            }
            3 | 4 => {
                // Backwards, so that edges without delay never close a loop.
                let source = index.checked_sub(self.rng.usize(1..=8))?;
                let delay = self.one_in(3).then(|| Duration::from_millis(self.rng.u64(20..100)));
                ConfigChange::Connect { source: name('n', source), delay }
            }
            _ => {
                let sources: Vec<NeuronId> = network.neuron(&neuron)?.weights.keys().cloned().collect();
                ConfigChange::Disconnect { source: self.rng.choice(sources)? }
            }
        };
        Some((neuron, change))
    }
}

/// The sources that a set of changes connects.
fn connected(members: &BTreeMap<NeuronId, Vec<ConfigChange>>) -> Vec<NeuronId> {
    members.values().flat_map(|changes| connects(changes)).cloned().collect()
}

/// The sources that changes connect.
fn connects(changes: &[ConfigChange]) -> impl Iterator<Item = &NeuronId> {
    changes.iter().filter_map(|change| match change {
        ConfigChange::Connect { source, .. } => Some(source),
        _ => None,
    })
}

fn sensor_of(neuron: usize, index: usize) -> SensorId {
    format!("s{neuron:02}_{index}").parse().expect("it is a name")
}

fn command(change: ConfigChange) -> Command {
    match change {
        ConfigChange::SetWeight { source, weight } => Command::Configure(ConfigChange::SetWeight { source, weight }),
        ConfigChange::DeleteWeight { source } => Command::Configure(ConfigChange::DeleteWeight { source }),
        ConfigChange::SetThreshold { threshold } => Command::Configure(ConfigChange::SetThreshold { threshold }),
        ConfigChange::Connect { source, delay } => Command::Configure(ConfigChange::Connect { source, delay }),
        ConfigChange::Disconnect { source } => Command::Configure(ConfigChange::Disconnect { source }),
    }
}
