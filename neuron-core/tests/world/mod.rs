//! A network in virtual time: real neurons, a carrier that delays, reorders and duplicates, and nobody's clock.
//!
//! Everything that is random comes from one seed, and every step is written to a trace, so the same plan gives the same
//! trace, byte for byte.

use std::{
    collections::{BTreeMap, BinaryHeap},
    fmt::Write as _,
    time::Duration,
};

use neuron_core::{
    ControllerId, NeuronId, SensorId, Tag, Time,
    command::{Answer, Command, Refusal, Report, Request, Stimulus},
    neuron::{Config, Input, Neuron, Output, Pace},
    oracle::{Mistake, Oracle, Verdict},
    record::Record,
    signal::SignalBody,
};

/// How the carrier behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carrier {
    /// The longest time a message is under way, in microseconds.
    pub max_delay: u64,
    /// Whether messages of one edge overtake each other.
    pub reorders: bool,
    /// How many in a hundred come twice.
    pub duplicates: u8,
}

/// Something done from outside.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Stimulate { neuron: NeuronId, level: f64, hold: Option<Duration> },
    Feed { neuron: NeuronId, sensor: SensorId, level: f64, window: Option<Duration> },
    Present(Vec<(NeuronId, f64)>),
    Ask(NeuronId),
    Change { neuron: NeuronId, command: Command },
    Restart(NeuronId),
}

struct Node {
    neuron: Neuron,
    records: Vec<Record>,
    wake: Option<Time>,
}

enum Item {
    Input { to: NeuronId, input: Input },
    Report { from: NeuronId, report: Report },
    Wake(NeuronId),
    Op(usize),
}

struct Event {
    at: Time,
    order: u64,
    item: Item,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// A wave being prepared.
struct Preparing {
    members: Vec<(NeuronId, f64)>,
    floors: Vec<Tag>,
}

pub(crate) struct World {
    setup: BTreeMap<NeuronId, Config>,
    nodes: BTreeMap<NeuronId, Node>,
    queue: BinaryHeap<Event>,
    order: u64,
    now: Time,
    rng: fastrand::Rng,
    carrier: Carrier,
    /// When the last message of an edge arrives, where order is kept.
    last: BTreeMap<(NeuronId, NeuronId), Time>,
    ops: Vec<Op>,
    controller: ControllerId,
    requests: u64,
    preparing: BTreeMap<u64, Preparing>,
    asked: BTreeMap<u64, (NeuronId, Tag)>,
    pub answers: Vec<(NeuronId, Tag, Result<f64, Refusal>)>,
    pub moved: usize,
    pub refused: Vec<Refusal>,
    pub signals: usize,
    pub trace: String,
}

/// Longer than any message is under way, so that questions are the exception.
pub(crate) const PACE: Pace = Pace { grace: Duration::from_millis(5), retry: Duration::from_millis(25) };

/// When the operations begin: the network has started by then.
pub(crate) const START: Time = Time::from_micros(1_000_000);

impl World {
    pub(crate) fn new(setup: BTreeMap<NeuronId, Config>, carrier: Carrier, seed: u64) -> Self {
        let mut world = Self {
            setup: setup.clone(),
            nodes: BTreeMap::new(),
            queue: BinaryHeap::new(),
            order: 0,
            now: Time::from_micros(1000),
            rng: fastrand::Rng::with_seed(seed),
            carrier,
            last: BTreeMap::new(),
            ops: Vec::new(),
            controller: "test".parse().unwrap(),
            requests: 0,
            preparing: BTreeMap::new(),
            asked: BTreeMap::new(),
            answers: Vec::new(),
            moved: 0,
            refused: Vec::new(),
            signals: 0,
            trace: String::new(),
        };
        for (id, config) in setup {
            let mut neuron = Neuron::start(id.clone(), config, PACE, world.now);
            neuron.keep_record();
            world.nodes.insert(id.clone(), Node { neuron, records: Vec::new(), wake: None });
            world.drain(&id);
        }
        world
    }

    /// Plans an operation for a time after the start.
    pub(crate) fn at(&mut self, after: Duration, op: Op) {
        self.ops.push(op);
        let item = Item::Op(self.ops.len() - 1);
        self.push(START.after(after), item);
    }

    /// Runs until nothing happens any more, or until `end`. Tells whether the world came to rest.
    pub(crate) fn run(&mut self, end: Duration) -> bool {
        let end = START.after(end);
        while let Some(event) = self.queue.pop() {
            if event.at > end {
                return false;
            }
            self.now = event.at;
            match event.item {
                Item::Input { to, input } => {
                    let _ = writeln!(self.trace, "{} {to} {input:?}", self.now.as_micros());
                    self.give(&to, input);
                }
                Item::Wake(id) => {
                    if self.nodes[&id].wake == Some(self.now) {
                        self.give(&id, Input::Wake);
                    }
                }
                Item::Report { from, report } => self.reported(from, report),
                Item::Op(index) => self.operate(index),
            }
        }
        true
    }

    fn give(&mut self, id: &NeuronId, input: Input) {
        let now = self.now;
        self.node(id).neuron.handle(input, now);
        self.drain(id);
    }

    fn node(&mut self, id: &NeuronId) -> &mut Node {
        self.nodes.get_mut(id).unwrap()
    }

    fn drain(&mut self, id: &NeuronId) {
        while let Some(output) = self.node(id).neuron.poll_output() {
            match output {
                Output::Signal { to, signal } => {
                    let counts = !matches!(signal.body, SignalBody::Subscribe { .. } | SignalBody::Hello);
                    self.signals += usize::from(counts);
                    self.carry(id, to, Input::Signal { from: id.clone(), signal });
                }
                Output::Report { report, .. } => {
                    let delay = self.delay();
                    self.push(self.now.after(delay), Item::Report { from: id.clone(), report });
                }
                Output::Record(record) => {
                    let _ = writeln!(self.trace, "{} {id} {record:?}", self.now.as_micros());
                    self.node(id).records.push(record);
                }
            }
        }
        let wake = self.node(id).neuron.wake_at();
        if wake != self.node(id).wake {
            self.node(id).wake = wake;
            if let Some(at) = wake {
                self.push(at.max(self.now), Item::Wake(id.clone()));
            }
        }
    }

    fn carry(&mut self, from: &NeuronId, to: NeuronId, input: Input) {
        if !self.nodes.contains_key(&to) {
            return;
        }
        let copies = 1 + u32::from(self.rng.u8(0..100) < self.carrier.duplicates);
        for _ in 0..copies {
            let mut at = self.now.after(self.delay());
            if !self.carrier.reorders {
                let last = self.last.entry((from.clone(), to.clone())).or_default();
                at = at.max(*last);
                *last = at;
            }
            self.push(at, Item::Input { to: to.clone(), input: input.clone() });
        }
    }

    fn delay(&mut self) -> Duration {
        Duration::from_micros(self.rng.u64(1..=self.carrier.max_delay))
    }

    fn push(&mut self, at: Time, item: Item) {
        self.order += 1;
        self.queue.push(Event { at, order: self.order, item });
    }

    fn request(&mut self, to: &NeuronId, command: Command) -> u64 {
        self.requests += 1;
        let request = Request { id: self.requests, command };
        let from = self.controller.clone();
        let as_neuron = "controller".parse().unwrap();
        self.carry(&as_neuron, to.clone(), Input::Request { from, request });
        self.requests
    }

    fn operate(&mut self, index: usize) {
        match self.ops[index].clone() {
            Op::Stimulate { neuron, level, hold } => {
                let stimulus = Stimulus { sensor: None, level, hold };
                self.request(&neuron, Command::Stimulate { stimulus, at: None, within: Duration::ZERO });
            }
            Op::Feed { neuron, sensor, level, window } => {
                let stimulus = Stimulus { sensor: Some(sensor), level, hold: None };
                let at = window.map(|window| {
                    let width = window.as_micros() as u64;
                    Tag::at(Time::from_micros((self.now.as_micros() / width + 1) * width))
                });
                let within = window.unwrap_or_default();
                self.request(&neuron, Command::Stimulate { stimulus, at, within });
            }
            Op::Present(members) => {
                let ticket = self.requests + 1;
                // All reservations of a wave carry the same number; each member sees only its own.
                for (member, _) in &members {
                    self.requests = ticket - 1;
                    self.request(member, Command::Reserve);
                }
                self.preparing.insert(ticket, Preparing { members, floors: Vec::new() });
            }
            Op::Ask(neuron) => {
                let tag = Tag::at(self.now);
                let id = self.request(&neuron, Command::OutputAt { tag });
                self.asked.insert(id, (neuron, tag));
            }
            Op::Change { neuron, command } => {
                self.request(&neuron, command);
            }
            Op::Restart(neuron) => {
                let now = self.now;
                self.node(&neuron).neuron.restart(now);
                self.drain(&neuron);
            }
        }
    }

    fn reported(&mut self, _from: NeuronId, report: Report) {
        let Report::Reply { request, result } = report else { return };
        match result {
            Ok(Answer::Floor(floor)) => {
                let Some(preparing) = self.preparing.get_mut(&request) else { return };
                preparing.floors.push(floor);
                if preparing.floors.len() < preparing.members.len() {
                    return;
                }
                let Preparing { members, floors } = self.preparing.remove(&request).unwrap();
                let at = floors.into_iter().max().unwrap();
                for (member, level) in members {
                    let stimuli = vec![Stimulus { sensor: None, level, hold: None }];
                    self.request(&member, Command::Commit { ticket: request, at, stimuli });
                }
            }
            Ok(Answer::Stamped(stamp)) => self.moved += usize::from(stamp.moved),
            Ok(Answer::Output(sample)) => {
                if let Some((neuron, tag)) = self.asked.remove(&request) {
                    assert_eq!(sample.tag, tag);
                    self.answers.push((neuron, tag, Ok(sample.level)));
                }
            }
            Ok(_) => {}
            Err(refusal) => match self.asked.remove(&request) {
                Some((neuron, tag)) => self.answers.push((neuron, tag, Err(refusal))),
                None => self.refused.push(refusal),
            },
        }
    }

    pub(crate) fn oracle(&self) -> Oracle {
        let stamped = self.nodes.iter().flat_map(|(id, node)| {
            node.records.iter().filter_map(move |record| match record {
                Record::Stamped { tag, event } => Some((id, *tag, event)),
                Record::Evaluated(_) => None,
            })
        });
        Oracle::run(&self.setup, stamped)
    }

    /// Judges all claims; those that stand at the end up to `Tag::MAX` if the world is at rest, else as far as their
    /// neurons have spoken.
    pub(crate) fn judge(&self, at_rest: bool) -> (Oracle, Verdict) {
        let oracle = self.oracle();
        let records = self.nodes.iter().map(|(id, node)| {
            let upto = if at_rest { Tag::MAX } else { node.neuron.frontier() };
            (id, node.records.as_slice(), upto)
        });
        let mut verdict = Verdict::of(&oracle, records);
        for (neuron, tag, answer) in &self.answers {
            let actual = oracle.level_at(neuron, *tag);
            if let Ok(claimed) = *answer
                && claimed != actual
            {
                verdict.mistakes.push(Mistake { neuron: neuron.clone(), tag: *tag, claimed, actual });
            }
        }
        (oracle, verdict)
    }

    pub(crate) fn records(&self, id: &NeuronId) -> &[Record] {
        &self.nodes[id].records
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.asked.len() + self.preparing.len()
    }

    /// Distinct tags that anything was stamped with.
    pub(crate) fn tags(&self) -> usize {
        let records = self.nodes.values().flat_map(|node| &node.records);
        let tags = records.filter_map(|record| match record {
            Record::Stamped { tag, .. } => Some(*tag),
            Record::Evaluated(_) => None,
        });
        tags.collect::<std::collections::BTreeSet<_>>().len()
    }
}
