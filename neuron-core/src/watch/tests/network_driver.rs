//! A network of hosts that answer at once, for a watch of all its neurons.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    command::{Answer, Command, Request, Sample, WatchPosition},
    id::{ControllerId, HostId, NeuronId},
    signal::Incarnation,
    tag::{Tag, Time},
    value::Missing,
    watch::{Change, Home, HostWatchers, NetworkLink, NetworkOutput},
};

pub(super) const PATIENCE: Duration = Duration::from_millis(250);
/// The lease of two seconds, and the patience.
pub(super) const LOST_AFTER: u64 = 2_250;
pub(super) const WATCH: u64 = 1;
const START: u64 = 10;

/// A neuron, as its host runs it.
struct SimNeuron {
    host: usize,
    slot: u32,
    position: WatchPosition,
    sample: Sample,
}

struct SimHost {
    watchers: HostWatchers,
    slots: Vec<NeuronId>,
    life: u64,
    /// Nothing comes from it or gets there.
    is_cut: bool,
}

/// A message that is under way.
enum Message {
    Request(NeuronId, Request),
    Reply(NeuronId, u64, Answer),
    Report(NeuronId, WatchPosition, Sample),
}

/// Hosts, and a controller that watches all neurons.
pub(super) struct World {
    pub(super) link: NetworkLink,
    pub(super) now: u64,
    neurons: BTreeMap<NeuronId, SimNeuron>,
    hosts: Vec<SimHost>,
    next_request: Cell<u64>,
    /// Reports are lost.
    pub(super) loses_reports: bool,
    /// How long a message takes at most, in milliseconds; 0 if it arrives at once. Messages
    /// overtake each other.
    pub(super) lag: u64,
    /// Of how many messages one is lost while there is a lag.
    pub(super) loses_one_in: u64,
    in_flight: BTreeMap<(u64, u64), Message>,
    random: u64,
    /// What has been sent, in order.
    pub(super) sent: Vec<(NeuronId, Command)>,
    /// What the reader was told, each with when that was.
    pub(super) told: Vec<(u64, String, Change)>,
}

pub(super) fn id(name: &str) -> NeuronId {
    name.parse().expect("a name")
}

pub(super) fn host_id(host: usize) -> HostId {
    format!("pi{host}").parse().expect("a name")
}

fn time(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

impl World {
    /// Returns a world of hosts with these neurons, all at rest, before anything was asked.
    pub(super) fn new(hosts: &[&[&str]]) -> Self {
        let mut world = Self {
            link: NetworkLink::new(WATCH, PATIENCE, time(START)),
            now: START,
            neurons: BTreeMap::new(),
            hosts: Vec::new(),
            next_request: Cell::new(100),
            loses_reports: false,
            lag: 0,
            loses_one_in: u64::MAX,
            in_flight: BTreeMap::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            sent: Vec::new(),
            told: Vec::new(),
        };
        for (host, names) in hosts.iter().enumerate() {
            let life = 1000 * host as u64;
            world.hosts.push(SimHost { watchers: HostWatchers::default(), slots: Vec::new(), life, is_cut: false });
            for name in *names {
                world.start(name, host, 1);
                world.link.add(&id(name), time(START));
            }
        }
        world
    }

    /// Starts an incarnation of a neuron on a host.
    pub(super) fn start(&mut self, name: &str, host: usize, incarnation: u32) {
        let slot = self.hosts[host].slots.len() as u32;
        self.hosts[host].slots.push(id(name));
        let position = WatchPosition { incarnation: Incarnation { number: incarnation, nonce: 5 }, number: 0 };
        let sample = Sample { level: 0.0, tag: Tag::at(time(self.now)), missing: Missing::NONE };
        self.neurons.insert(id(name), SimNeuron { host, slot, position, sample });
    }

    /// Stops a neuron.
    pub(super) fn stop(&mut self, name: &str) {
        let neuron = self.neurons.remove(&id(name)).expect("it runs");
        self.hosts[neuron.host].watchers.on_gone(neuron.slot, false);
    }

    /// Starts a neuron on another host, in its next incarnation.
    pub(super) fn move_to(&mut self, name: &str, host: usize) {
        let incarnation = self.neurons[&id(name)].position.incarnation.number;
        self.stop(name);
        self.start(name, host, incarnation + 1);
    }

    /// Starts a host and all its neurons anew.
    pub(super) fn restart(&mut self, host: usize) {
        let here = self.neurons.iter().filter(|(_, neuron)| neuron.host == host);
        let here: Vec<_> = here.map(|(id, neuron)| (id.clone(), neuron.position.incarnation.number)).collect();
        let life = self.hosts[host].life + 100;
        self.hosts[host] = SimHost { watchers: HostWatchers::default(), slots: Vec::new(), life, is_cut: false };
        for (id, incarnation) in here {
            self.start(id.as_str(), host, incarnation + 1);
        }
    }

    /// Cuts a host off, or connects it again.
    pub(super) fn cut(&mut self, host: usize, is_cut: bool) {
        self.hosts[host].is_cut = is_cut;
    }

    /// Changes the level of a neuron.
    pub(super) fn change(&mut self, name: &str) {
        let now = time(self.now);
        let neuron = self.neurons.get_mut(&id(name)).expect("it runs");
        neuron.position.number += 1;
        neuron.sample = Sample { level: 1.0 - neuron.sample.level, tag: Tag::at(now), missing: Missing::NONE };
        let (position, sample) = (neuron.position, neuron.sample.clone());
        let host = &mut self.hosts[neuron.host];
        let is_told = host.watchers.on_change(neuron.slot, position, now).is_some_and(|told| told.count() > 0);
        if is_told && !host.is_cut && !self.loses_reports {
            self.carry(Message::Report(id(name), position, sample));
            self.deliver();
        }
    }

    /// Returns a random number below `below`.
    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    /// Sets what the random numbers follow from.
    pub(super) fn seed(&mut self, seed: u64) {
        self.random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Returns the level of a neuron.
    pub(super) fn level(&self, name: &str) -> f64 {
        self.neurons[&id(name)].sample.level
    }

    /// Lets time pass, and returns what the reader was told meanwhile, each with when that was.
    pub(super) fn run_to(&mut self, end: u64) -> Vec<(u64, String, Change)> {
        let mut polls = 0;
        loop {
            let wake = self.link.wake_at().as_micros().div_ceil(1000).max(self.now);
            if let Some(((at, _), _)) = self.in_flight.first_key_value()
                && *at <= wake.min(end)
                && let Some(((at, _), message)) = self.in_flight.pop_first()
            {
                self.now = at;
                self.arrive(message);
                self.deliver();
                continue;
            }
            if wake > end {
                self.now = end;
                return std::mem::take(&mut self.told);
            }
            polls = if wake > self.now { 0 } else { polls + 1 };
            assert!(polls < 10, "it is polled without end");
            self.now = wake;
            self.link.poll(time(self.now), &|| self.next_request.replace(self.next_request.get() + 1));
            self.deliver();
        }
    }

    /// Delivers what the link wants to be sent, and the answers.
    pub(super) fn deliver(&mut self) {
        loop {
            let NetworkOutput { requests, changes } = self.link.take_output();
            let now = self.now;
            self.told.extend(changes.into_iter().map(|(neuron, change)| (now, neuron.to_string(), change)));
            if requests.is_empty() {
                return;
            }
            for (to, request) in requests {
                self.sent.push((to.clone(), request.command.clone()));
                self.carry(Message::Request(to, request));
            }
        }
    }

    /// Carries a message: at once if there is no lag.
    fn carry(&mut self, message: Message) {
        if self.lag == 0 {
            return self.arrive(message);
        }
        if self.random(self.loses_one_in) > 0 {
            let arrives = self.now + self.random(self.lag) + 1;
            let number = self.random(u64::MAX);
            self.in_flight.insert((arrives, number), message);
        }
    }

    fn arrive(&mut self, message: Message) {
        let now = time(self.now);
        let next_request = || self.next_request.replace(self.next_request.get() + 1);
        match message {
            Message::Request(to, request) => self.answer(&to, request),
            Message::Report(from, position, sample) => self.link.on_report(&from, position, sample, now),
            Message::Reply(from, request, Answer::Host { host, life, .. }) => {
                self.link.on_home(&from, request, &Home { host, life }, now, &next_request);
            }
            Message::Reply(from, request, Answer::Watched { position, sample, .. }) => {
                self.link.on_answer((&from, request), position, sample, now, &next_request);
            }
            Message::Reply(from, request, Answer::WatchedHost(changes)) => {
                self.link.on_host_answer(&from, request, *changes, now, &next_request);
            }
            Message::Reply(_, _, answer) => panic!("no host answers {answer:?}"),
        }
    }

    fn answer(&mut self, to: &NeuronId, Request { id: request, command, .. }: Request) {
        let now = time(self.now);
        let Some(neuron) = self.neurons.get(to) else { return };
        let (host, home) = (&mut self.hosts[neuron.host], host_id(neuron.host));
        if host.is_cut {
            return;
        }
        let answer = match command {
            Command::Host => {
                let new_life = host.life + 1;
                let life = host.watchers.life(|| new_life);
                host.life = host.life.max(life);
                Answer::Host { host: home, version: String::new(), life }
            }
            Command::LastChange { watch } => {
                Answer::Watched { watch, position: neuron.position, sample: neuron.sample.clone() }
            }
            Command::WatchHost { watch: WATCH, known } => {
                let controller: ControllerId = "page".parse().expect("a name");
                let SimHost { watchers, slots, life, .. } = host;
                let (count, new_life) = (slots.len() as u32, *life + 1);
                *life = new_life;
                watchers.renew(&controller, WATCH, now, || new_life).expect("there is room");
                let mut taken_in = 0;
                while taken_in < 512
                    && let Some(slot) = watchers.next_new(count)
                {
                    let here = self.neurons.get(&slots[slot as usize]);
                    if let Some(neuron) = here.filter(|neuron| neuron.slot == slot && host_id(neuron.host) == home) {
                        watchers.take_in(slot, neuron.position);
                        taken_in += 1;
                    }
                }
                let name = |slot: u32| slots[slot as usize].clone();
                let changes = watchers.changes(WATCH, home, known, count, name);
                Answer::WatchedHost(Box::new(changes))
            }
            command => panic!("it is not to send {command:?}"),
        };
        self.carry(Message::Reply(to.clone(), request, answer));
    }

    /// Returns what was sent since the last call: how many requests to hosts, and how many others.
    pub(super) fn count_sent(&mut self) -> (usize, usize) {
        let sent = std::mem::take(&mut self.sent);
        let to_hosts = sent.iter().filter(|(_, command)| matches!(command, Command::WatchHost { .. })).count();
        (to_hosts, sent.len() - to_hosts)
    }

    /// Returns the neurons that were sent requests to their hosts since the last call.
    pub(super) fn asked_for_host(&mut self) -> BTreeSet<String> {
        let sent = std::mem::take(&mut self.sent).into_iter();
        let to_hosts = sent.filter(|(_, command)| matches!(command, Command::WatchHost { .. }));
        to_hosts.map(|(neuron, _)| neuron.to_string()).collect()
    }
}
