//! The world of one run: a queue of what comes next, and the neurons, clocks and disks it comes to.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use super::{
    Act, Disk, Link, Machine, Plan,
    clock::Clock,
    controller::{Asked, Preparing, Together, prepares},
    queue::{Item, Scheduled},
    random::HOUR,
    trace::Fingerprint,
};
use crate::{
    command::{Command, Report, Stimulus},
    id::{ControllerId, HostId, NeuronId},
    neuron::{Config, Counters, Input, Neuron, Output, Saved},
    record::Record,
    signal::{Signal, SignalBody},
    tag::{Tag, Time},
    transport::Delivery,
};

/// When runs begin, in true time. Late enough that clocks can be behind.
pub(super) const START: Time = Time::from_micros(100_000_000_000);

/// The most that may happen in one run. A hundred times what the busiest do.
pub(super) const MAX_STEPS: u64 = 3_000_000;

/// How long a message takes at most when the faults are over: there and back well below anybody's patience.
const LONGEST_WHEN_CALM: Duration = Duration::from_millis(60);

/// One life of a neuron, as it went into the record.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) records: Vec<Record>,
    /// How far it had spoken when it ended.
    pub(super) upto: Tag,
    /// It began without what its neuron had saved, so nothing it said counts.
    pub(super) stray: bool,
}

pub(super) struct Node {
    pub(super) id: NeuronId,
    host: usize,
    config: Config,
    pub(super) neuron: Option<Neuron>,
    pub(super) lives: Vec<Life>,
    /// What its disk holds, what it held at the start, and how far its lives have spoken, which no disk knows.
    saved: Option<Saved>,
    first_saved: Option<Saved>,
    wake: Option<Time>,
    pub(super) counters: Counters,
    /// When its answers became plain again, after one that was not.
    pub(super) plain_since: Time,
    degraded: bool,
    /// From whom anything has come, and when last; in this life.
    heard: BTreeMap<usize, Heard>,
}

/// When a neuron was given anything from another one, by its own clock.
#[derive(Debug)]
struct Heard {
    at: Time,
    /// The receiver itself was late since, which excuses the other one's silence once.
    excused: bool,
}

pub(super) struct HostState {
    id: HostId,
    machine: Machine,
    clock: Clock,
    pub(super) up: bool,
    pub(super) crashed: bool,
    /// Counts its crashes, so that what was under way before is not taken for new.
    epoch: u32,
    busy_until: Time,
    queued: usize,
    /// It does nothing before.
    frozen_until: Time,
}

pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    pub(super) nodes: Vec<Node>,
    index: BTreeMap<NeuronId, usize>,
    pub(super) hosts: Vec<HostState>,
    /// From which host to which no message passes.
    cuts: BTreeSet<(usize, usize)>,
    calm: bool,
    queue: BinaryHeap<Scheduled>,
    order: u64,
    pub(super) now: Time,
    rng: fastrand::Rng,
    /// When the last message of an edge arrives, where order is kept.
    last: BTreeMap<(usize, usize), Time>,
    pub(super) controller: ControllerId,
    pub(super) requests: u64,
    pub(super) preparing: BTreeMap<u64, Preparing>,
    pub(super) together: Vec<Together>,
    pub(super) asked: BTreeMap<u64, Asked>,
    pub(super) signals: BTreeMap<&'static str, u64>,
    pub(super) lost: u64,
    /// Signals other than signs of life that were sent in the last five seconds.
    pub(super) late_signals: u64,
    /// Who counted a level for longer than its lease, and whose level it was.
    pub(super) fenced: BTreeSet<(NeuronId, NeuronId)>,
    /// When each tag was evaluated.
    pub(super) latencies: Vec<(Tag, Time)>,
    /// When each tag was stamped.
    pub(super) stamps: Vec<(Tag, Time)>,
    pub(super) trace: Fingerprint,
    pub(super) steps: u64,
    story: Option<Vec<String>>,
}

impl<'a> World<'a> {
    pub(super) fn new(plan: &'a Plan, tells: bool) -> Self {
        let mut world = Self {
            plan,
            nodes: Vec::new(),
            index: BTreeMap::new(),
            hosts: Vec::new(),
            cuts: BTreeSet::new(),
            calm: false,
            queue: BinaryHeap::new(),
            order: 0,
            now: START,
            rng: fastrand::Rng::with_seed(plan.seed),
            last: BTreeMap::new(),
            controller: "sim".parse().expect("it is a name"),
            requests: 0,
            preparing: BTreeMap::new(),
            together: Vec::new(),
            asked: BTreeMap::new(),
            signals: BTreeMap::new(),
            lost: 0,
            late_signals: 0,
            fenced: BTreeSet::new(),
            latencies: Vec::new(),
            stamps: Vec::new(),
            trace: Fingerprint::new(),
            steps: 0,
            story: tells.then(Vec::new),
        };
        let mut hosts = BTreeMap::new();
        for (id, config) in plan.network.configs() {
            let host = plan.host_of(&id);
            let host = *hosts.entry(host.clone()).or_insert_with(|| world.add_host(host));
            world.index.insert(id.clone(), world.nodes.len());
            world.nodes.push(Node {
                id,
                host,
                config,
                neuron: None,
                lives: Vec::new(),
                saved: None,
                first_saved: None,
                wake: None,
                counters: Counters::default(),
                plain_since: START,
                degraded: false,
                heard: BTreeMap::new(),
            });
        }
        for (index, (at, _)) in plan.acts.iter().enumerate() {
            world.push(START.after(*at), Item::Act(index));
        }
        world.push(START.after(plan.calm), Item::Calm);
        for index in 0..world.nodes.len() {
            if !plan.absent.contains(&world.nodes[index].id) {
                world.start(index, None, false);
                world.nodes[index].first_saved = world.nodes[index].saved.clone();
            }
        }
        world
    }

    fn add_host(&mut self, id: HostId) -> usize {
        let machine = self.plan.machines.get(&id).copied().unwrap_or_default();
        self.hosts.push(HostState {
            id,
            machine,
            clock: Clock::set(self.now, machine.offset, machine.drift),
            up: true,
            crashed: false,
            epoch: 0,
            busy_until: Time::ZERO,
            queued: 0,
            frozen_until: Time::ZERO,
        });
        self.hosts.len() - 1
    }

    pub(super) fn find(&self, id: &NeuronId) -> Option<usize> {
        self.index.get(id).copied()
    }

    fn host(&self, id: &HostId) -> Option<usize> {
        self.hosts.iter().position(|host| host.id == *id)
    }

    pub(super) fn is_up(&self, index: usize) -> bool {
        self.hosts[self.nodes[index].host].up && self.nodes[index].neuron.is_some()
    }

    /// Whether its clock was ever more than an hour off.
    pub(super) fn is_far_off(&self, index: usize) -> bool {
        let host = &self.hosts[self.nodes[index].host];
        let later = self.plan.acts.iter().filter_map(|(_, act)| match act {
            Act::Restart { host: restarted, offset, .. } if *restarted == host.id => Some(*offset),
            _ => None,
        });
        later.chain([host.machine.offset]).any(|offset| offset.abs() > HOUR)
    }

    /// Whether what arrived ever had to wait for its host, or found no room there.
    pub(super) fn was_late(&self, index: usize) -> bool {
        let host = &self.hosts[self.nodes[index].host].id;
        let machine = self.plan.machines.get(host).copied().unwrap_or_default();
        let freezes = |act: &Act| matches!(act, Act::Freeze(frozen, _) if frozen == host);
        !machine.service.is_zero() || self.plan.acts.iter().any(|(_, act)| freezes(act))
    }

    pub(super) fn has_crashed(&self, index: usize) -> bool {
        self.hosts[self.nodes[index].host].crashed
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(story) = &mut self.story {
            story.push(format!("{:>12.6} s  {}", now.since(START).as_secs_f64(), line()));
        }
    }

    pub(super) fn into_story(self) -> Vec<String> {
        self.story.unwrap_or_default()
    }

    /// Lets everything happen up to the end of the plan.
    pub(super) fn run(&mut self) {
        let end = START.after(self.plan.end);
        while let Some(next) = self.queue.pop() {
            if next.at > end {
                break;
            }
            self.now = next.at;
            self.steps += 1;
            if self.steps == MAX_STEPS {
                break;
            }
            match next.item {
                Item::Arrival { to, epoch, input } => self.arrive(to, epoch, input),
                Item::Turn { to, epoch, input } => {
                    let host = self.nodes[to].host;
                    if self.hosts[host].epoch == epoch {
                        self.hosts[host].queued -= 1;
                        self.give(to, input);
                    }
                }
                Item::Wake(index) => {
                    let frozen_until = self.hosts[self.nodes[index].host].frozen_until;
                    if self.nodes[index].wake != Some(self.now) || !self.is_up(index) {
                        continue;
                    }
                    if frozen_until > self.now {
                        self.nodes[index].wake = Some(frozen_until);
                        self.push(frozen_until, Item::Wake(index));
                    } else {
                        self.give(index, Input::Wake);
                    }
                }
                Item::Report { from, report } => self.reported(from, report),
                Item::Act(index) => self.act(index),
                Item::Calm => {
                    self.calm = true;
                    self.cuts.clear();
                    for host in &mut self.hosts {
                        (host.machine.service, host.machine.inbox) = (Duration::ZERO, 0);
                    }
                }
            }
        }
        self.now = end;
        for index in 0..self.nodes.len() {
            self.end_life(index);
            self.look_for_fenced(index);
        }
    }

    fn push(&mut self, at: Time, item: Item) {
        self.order += 1;
        self.queue.push(Scheduled { at, order: self.order, item });
    }

    /// Begins a life of a neuron, from what was saved or as if for the first time.
    fn start(&mut self, index: usize, saved: Option<Saved>, stray: bool) {
        let nonce = self.rng.u32(..);
        let now = self.local(index);
        let carrier = self.plan.carrier;
        let node = &mut self.nodes[index];
        let mut neuron = match saved {
            Some(saved) => Neuron::resume(node.id.clone(), saved, carrier, nonce, now),
            None => Neuron::start(node.id.clone(), node.config.clone(), carrier, nonce, now),
        };
        neuron.keep_record();
        node.neuron = Some(neuron);
        node.heard.clear();
        node.lives.push(Life { stray, ..Life::default() });
        self.drain(index);
    }

    /// What the clock of a neuron's host shows.
    fn local(&self, index: usize) -> Time {
        self.hosts[self.nodes[index].host].clock.shows(self.now)
    }

    fn end_life(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let Some(neuron) = &node.neuron else { return };
        node.counters = add(&node.counters, &neuron.counters());
        if let Some(life) = node.lives.last_mut() {
            life.upto = neuron.complete_through();
        }
    }

    fn arrive(&mut self, to: usize, epoch: u32, input: Input) {
        let host = &mut self.hosts[self.nodes[to].host];
        if !host.up || host.epoch != epoch || self.nodes[to].neuron.is_none() {
            self.lost += 1;
            return;
        }
        if host.machine.service.is_zero() && host.frozen_until <= self.now {
            return self.give(to, input);
        }
        if host.machine.inbox > 0 && host.queued >= host.machine.inbox {
            self.lost += 1;
            return;
        }
        host.queued += 1;
        host.busy_until = host.busy_until.max(self.now).max(host.frozen_until).after(host.machine.service);
        let at = host.busy_until;
        self.push(at, Item::Turn { to, epoch, input });
    }

    fn give(&mut self, index: usize, input: Input) {
        let now = self.local(index);
        if self.story.is_some() {
            let line = format!("{} <- {input:?}", self.nodes[index].id);
            self.tell(|| line);
        }
        self.trace.add_number(self.now.as_micros());
        self.trace.add_number(index as u64);
        self.note_heard(index, &input, now);
        if let Some(neuron) = &mut self.nodes[index].neuron {
            neuron.handle(input, now);
        }
        self.drain(index);
        self.look_for_fenced(index);
    }

    fn note_heard(&mut self, index: usize, input: &Input, now: Time) {
        let late = self.nodes[index].neuron.as_ref().is_some_and(|neuron| neuron.is_late(now));
        let heard = self.nodes[index].heard.values_mut().filter(|heard| late && !heard.excused);
        heard.for_each(|heard| *heard = Heard { at: now, excused: true });
        if let Input::Signal { from, .. } = input
            && let Some(from) = self.find(from)
        {
            self.nodes[index].heard.insert(from, Heard { at: now, excused: false });
        }
    }

    /// Whether a neuron counts a level of somebody it has not heard for longer than a lease and a patience.
    fn look_for_fenced(&mut self, index: usize) {
        let settings = self.plan.network.settings();
        let now = self.local(index);
        let Node { neuron: Some(neuron), heard, id, .. } = &self.nodes[index] else { return };
        if neuron.fenced_by().is_some() {
            // It has fallen silent.
            return;
        }
        for source in neuron.relies_on() {
            let Some(heard) = self.find(source).and_then(|source| heard.get(&source)) else { continue };
            if now.since(heard.at) > settings.lease + settings.patience {
                self.fenced.insert((id.clone(), source.clone()));
            }
        }
    }

    /// Does what a neuron wants done.
    fn drain(&mut self, index: usize) {
        while let Some(neuron) = &mut self.nodes[index].neuron
            && let Some(output) = neuron.poll_output()
        {
            match output {
                Output::Signal { to, signal } => self.signal(index, &to, signal),
                Output::Report { report, .. } => {
                    let (copies, delay) = self.fate(index, None);
                    // Whoever waits for an answer repeats the request until there is one.
                    if copies > 0 || matches!(report, Report::Reply { .. }) {
                        self.push(self.now.after(delay), Item::Report { from: index, report });
                    }
                }
                Output::Save => {
                    let saved = neuron.saved();
                    self.nodes[index].saved = Some(saved);
                }
                Output::Record(record) => self.keep(index, record),
            }
        }
        let Some(neuron) = &self.nodes[index].neuron else { return };
        let wake = neuron.wake_at().map(|at| self.hosts[self.nodes[index].host].clock.when(at, self.now));
        if wake != self.nodes[index].wake {
            self.nodes[index].wake = wake;
            if let Some(at) = wake {
                self.push(at, Item::Wake(index));
            }
        }
    }

    fn keep(&mut self, index: usize, record: Record) {
        if self.story.is_some() {
            let line = format!("{} {record:?}", self.nodes[index].id);
            self.tell(|| line);
        }
        match &record {
            Record::Stamped { tag, .. } => {
                self.trace.add_number(tag.to_bits());
                self.stamps.push((*tag, self.now));
            }
            Record::Evaluated(claim) => {
                self.trace.add_number(claim.at.to_bits());
                self.trace.add_number(claim.value.level.to_bits());
                for name in claim.value.missing.names() {
                    self.trace.add(name.as_str().as_bytes());
                }
                self.latencies.push((claim.at, self.now));
                let node = &mut self.nodes[index];
                if std::mem::replace(&mut node.degraded, claim.value.is_degraded()) && !node.degraded {
                    node.plain_since = self.now;
                }
            }
        }
        if let Some(life) = self.nodes[index].lives.last_mut() {
            life.records.push(record);
        }
    }

    fn signal(&mut self, from: usize, to: &NeuronId, signal: Signal) {
        let kind = kind(&signal.body);
        *self.signals.entry(kind).or_default() += 1;
        let sign_of_life = matches!(signal.body, SignalBody::Nothing { wave: false, .. });
        if !sign_of_life && self.now.after(Duration::from_secs(5)) > START.after(self.plan.end) {
            self.late_signals += 1;
        }
        let Some(to) = self.find(to) else { return };
        let input = Input::Signal { from: self.nodes[from].id.clone(), signal };
        self.carry(Some(from), to, input);
    }

    /// The link from one neuron's host to another's; that of the controller is like most.
    fn link(&self, from: usize, to: Option<usize>) -> Link {
        let host = |index: usize| self.hosts[self.nodes[index].host].id.clone();
        let special = to.filter(|_| !self.plan.links.is_empty()).map(|to| (host(from), host(to)));
        special.and_then(|pair| self.plan.links.get(&pair)).copied().unwrap_or(self.plan.link)
    }

    /// How many copies of a message arrive, and after which time.
    fn fate(&mut self, from: usize, to: Option<usize>) -> (usize, Duration) {
        let near = to.is_some_and(|to| self.nodes[to].host == self.nodes[from].host);
        if near {
            return (1, Duration::from_micros(self.rng.u64(1..20)));
        }
        let link = self.link(from, to);
        let loses = self.plan.carrier.delivery == Delivery::AtMostOnce && !self.calm;
        let copies = if loses { link.copies(&mut self.rng) } else { 1 };
        let delay = self.takes(link);
        (copies, delay)
    }

    fn takes(&mut self, link: Link) -> Duration {
        let delay = link.takes(&mut self.rng);
        if self.calm { delay.min(LONGEST_WHEN_CALM) } else { delay }
    }

    /// Carries a message from a neuron, or from the controller, which sits beside whom it speaks to.
    pub(super) fn carry(&mut self, from: Option<usize>, to: usize, input: Input) {
        let (mut copies, delay) = self.fate(from.unwrap_or(to), from.map(|_| to));
        if from.is_none() && !prepares(&input) {
            // Whoever stimulates or asks repeats it until there is an answer.
            copies = copies.max(1);
        }
        let (here, there) = (from.map(|from| self.nodes[from].host), self.nodes[to].host);
        if let Some(here) = here
            && self.cuts.contains(&(here, there))
        {
            self.lost += 1;
            return;
        }
        self.lost += u64::from(copies == 0);
        if let Some(from) = from
            && !self.plan.carrier.may_lose()
            && !self.is_up(to)
        {
            // Such a carrier knows that nobody is there.
            let undelivered = Input::Undelivered { to: self.nodes[to].id.clone() };
            let epoch = self.hosts[self.nodes[from].host].epoch;
            return self.push(self.now.after(delay), Item::Arrival { to: from, epoch, input: undelivered });
        }
        let link = self.link(from.unwrap_or(to), from.map(|_| to));
        for copy in 0..copies {
            let mut at = self.now.after(delay);
            if copy > 0 {
                at = at.after(self.takes(link));
            }
            if !link.reorders {
                let last = self.last.entry((from.unwrap_or(usize::MAX), to)).or_default();
                at = at.max(*last);
                *last = at;
            }
            let epoch = self.hosts[there].epoch;
            self.push(at, Item::Arrival { to, epoch, input: input.clone() });
        }
    }

    fn act(&mut self, index: usize) {
        let act = self.plan.acts[index].1.clone();
        if self.story.is_some() {
            let line = format!("*** {act:?}");
            self.tell(|| line);
        }
        match act {
            Act::Stimulate { neuron, level, hold } => {
                let stimulus = Stimulus { sensor: None, level, hold };
                self.command(&neuron, Command::Stimulate { stimulus, at: None, within: Duration::ZERO });
            }
            Act::Train { neuron, levels } => self.command(&neuron, Command::Train { levels }),
            Act::Feed { neuron, sensor, level, window } => {
                let stimulus = Stimulus { sensor: Some(sensor), level, hold: None };
                let at = window.map(|window| {
                    let width = u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1);
                    Tag::at(Time::from_micros((self.now.as_micros() / width + 1) * width))
                });
                self.command(&neuron, Command::Stimulate { stimulus, at, within: window.unwrap_or_default() });
            }
            Act::Present(members) => {
                let member = |(id, level): (NeuronId, f64)| {
                    Some((self.find(&id)?, vec![Stimulus { sensor: None, level, hold: None }]))
                };
                let members: Vec<_> = members.into_iter().filter_map(member).collect();
                self.prepare(members.into_iter().map(|(to, stimuli)| (to, stimuli, Command::Reserve)).collect());
            }
            Act::ChangeTogether(members) => {
                let member = |(id, changes): (NeuronId, Vec<crate::command::ConfigChange>)| {
                    Some((self.find(&id)?, Vec::new(), Command::Prepare { changes }))
                };
                let members: Vec<_> = members.into_iter().filter_map(member).collect();
                self.prepare(members);
            }
            Act::Ask(neuron) => {
                let Some(to) = self.find(&neuron) else { return };
                // Not in the future of the one who is asked, or the answer would have to wait for it.
                let tag = Tag::at(self.now.min(self.local(to)));
                let id = self.request(to, Command::OutputAt { tag });
                let asked = Asked { neuron: to, tag, at: self.now, answer: None, answered: None };
                self.asked.insert(id, asked);
            }
            Act::Change { neuron, command } => self.command(&neuron, command),
            Act::Panic(neuron) => {
                let Some(index) = self.find(&neuron).filter(|index| self.is_up(*index)) else { return };
                let now = self.local(index);
                if let Some(neuron) = &mut self.nodes[index].neuron {
                    neuron.restart(now);
                }
                self.drain(index);
            }
            Act::Crash(host) => self.crash(&host),
            Act::Restart { host, disk, offset } => self.restart(&host, disk, offset),
            Act::Cut(one, other) => {
                self.cut(&one, &other);
                self.cut(&other, &one);
            }
            Act::CutOneWay(from, to) => self.cut(&from, &to),
            Act::Heal(one, other) => {
                if let (Some(one), Some(other)) = (self.host(&one), self.host(&other)) {
                    self.cuts.remove(&(one, other));
                    self.cuts.remove(&(other, one));
                }
            }
            Act::Freeze(host, span) => {
                if let Some(host) = self.host(&host) {
                    self.hosts[host].frozen_until = self.now.after(span);
                }
            }
            Act::Join(neuron) => {
                if let Some(index) = self.find(&neuron)
                    && self.nodes[index].lives.is_empty()
                    && self.hosts[self.nodes[index].host].up
                {
                    self.start(index, None, false);
                }
            }
        }
    }

    fn cut(&mut self, from: &HostId, to: &HostId) {
        if let (Some(from), Some(to)) = (self.host(from), self.host(to))
            && !self.calm
        {
            self.cuts.insert((from, to));
        }
    }

    fn crash(&mut self, host: &HostId) {
        let Some(host) = self.host(host).filter(|host| self.hosts[*host].up) else { return };
        let state = &mut self.hosts[host];
        (state.up, state.crashed) = (false, true);
        state.epoch += 1;
        (state.queued, state.busy_until, state.frozen_until) = (0, Time::ZERO, Time::ZERO);
        for index in 0..self.nodes.len() {
            if self.nodes[index].host == host {
                self.end_life(index);
                self.nodes[index].neuron = None;
                self.nodes[index].wake = None;
            }
        }
    }

    fn restart(&mut self, host: &HostId, disk: Disk, offset: i64) {
        let Some(host) = self.host(host).filter(|host| !self.hosts[*host].up) else { return };
        let state = &mut self.hosts[host];
        state.up = true;
        state.clock = Clock::set(self.now, offset, state.machine.drift);
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            if node.host != host || node.lives.is_empty() {
                continue;
            }
            let (saved, stray) = match disk {
                Disk::Kept => (node.saved.clone(), false),
                Disk::Lost => (None, true),
                Disk::Old => (node.first_saved.clone(), true),
            };
            let stray = stray || node.lives.iter().any(|life| life.stray);
            self.start(index, saved, stray);
        }
    }
}

fn kind(body: &SignalBody) -> &'static str {
    match body {
        SignalBody::Subscribe { .. } => "subscribe",
        SignalBody::Unsubscribe { .. } => "unsubscribe",
        SignalBody::Hello => "hello",
        SignalBody::NoStream { .. } => "no stream",
        SignalBody::Fenced { .. } => "fenced",
        SignalBody::Changed { .. } => "changed",
        SignalBody::Ack { .. } => "ack",
        SignalBody::Nothing { .. } => "nothing",
        SignalBody::Probe { .. } => "probe",
    }
}

fn add(one: &Counters, other: &Counters) -> Counters {
    Counters {
        evaluations: one.evaluations + other.evaluations,
        degraded: one.degraded + other.degraded,
        late: one.late + other.late,
        silences: one.silences + other.silences,
        resent: one.resent + other.resent,
        given_up: one.given_up + other.given_up,
        superseded: one.superseded + other.superseded,
        ..Counters::default()
    }
}
