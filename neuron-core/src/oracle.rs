//! What a network means: its levels as a function of the record of stamped events, computed in one pass.
//!
//! This is section by section what the documentation of [`Rule`], [`Event`] and [`Config`] promises, written for
//! reading and not for speed. It shares no code with the neuron, and judges it: [`Verdict::of`] compares what neurons
//! have claimed, at each tag of each claim, with what [`Oracle::run`] says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    command::ConfigChange,
    id::{NeuronId, SensorId, Source},
    neuron::{Config, Mode, Rule},
    record::{Claim, Event, Record, TimedState},
    tag::Tag,
};

/// The levels of all neurons of a network, for every tag.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Oracle {
    /// The changes of each neuron's level, in the order of their tags; before the first one it is 0.
    changes: BTreeMap<NeuronId, Vec<(Tag, f64)>>,
}

impl Oracle {
    /// Computes the levels from how the neurons were set up and what they have stamped.
    pub fn run<'a>(
        setup: &BTreeMap<NeuronId, Config>,
        record: impl IntoIterator<Item = (&'a NeuronId, Tag, &'a Event)>,
    ) -> Self {
        let mut by_tag: BTreeMap<Tag, Vec<(&NeuronId, &Event)>> = BTreeMap::new();
        for (neuron, tag, event) in record {
            by_tag.entry(tag).or_default().push((neuron, event));
        }
        let mut cells: BTreeMap<&NeuronId, Cell> =
            setup.iter().map(|(id, config)| (id, Cell::new(config.clone()))).collect();
        let mut oracle = Self::default();
        for (tag, events) in by_tag {
            for cell in cells.values_mut() {
                cell.begin();
            }
            for (neuron, event) in events {
                if let Some(cell) = cells.get_mut(neuron) {
                    cell.apply(event, tag);
                }
            }
            for id in setup.keys() {
                evaluate(&mut cells, id, tag);
            }
            for (id, cell) in &cells {
                if cell.level != cell.before {
                    oracle.changes.entry((*id).clone()).or_default().push((tag, cell.level));
                }
            }
        }
        oracle
    }

    /// The level of a neuron at a tag.
    pub fn level_at(&self, neuron: &NeuronId, tag: Tag) -> f64 {
        let changes = self.changes(neuron);
        let next = changes.partition_point(|(at, _)| *at <= tag);
        next.checked_sub(1).map_or(0.0, |index| changes[index].1)
    }

    /// The changes of a neuron's level, in the order of their tags.
    pub fn changes(&self, neuron: &NeuronId) -> &[(Tag, f64)] {
        self.changes.get(neuron).map_or(&[], Vec::as_slice)
    }
}

/// Evaluates a neuron at a tag, its inputs first.
fn evaluate(cells: &mut BTreeMap<&NeuronId, Cell>, id: &NeuronId, tag: Tag) {
    let Some(cell) = cells.get(id).filter(|cell| !cell.evaluated) else { return };
    let awaited: Vec<NeuronId> = cell.awaited().cloned().collect();
    let mut levels = cell.reentered.clone();
    levels.retain(|source, _| cell.config.inputs.contains_key(source));
    let mut rises = BTreeSet::new();
    for source in awaited {
        evaluate(cells, &source, tag);
        let level = cells.get(&source).map_or(0.0, |cell| cell.level);
        let cell = &cells[id];
        let before = cell.heard.get(&source).copied().unwrap_or(0.0);
        if level != before && level != 0.0 && !cell.connected.contains(&source) {
            rises.insert(source.clone());
        }
        levels.insert(source, level);
    }
    if let Some(cell) = cells.get_mut(id) {
        cell.evaluate(tag, &levels, &rises);
    }
}

/// One neuron at one tag.
#[derive(Debug)]
struct Cell {
    config: Config,
    level: f64,
    stimulus: Option<Tag>,
    readings: BTreeMap<SensorId, (f64, Tag)>,
    /// What edges show that nobody waits for.
    reentered: BTreeMap<NeuronId, f64>,
    /// What the other edges showed at the tag before.
    heard: BTreeMap<NeuronId, f64>,
    lingering: Option<Tag>,
    linger_ended: bool,
    fired: Option<Tag>,
    kicks: Vec<(Tag, f64)>,
    // Of the present tag only:
    before: f64,
    evaluated: bool,
    restarted: bool,
    forgotten: bool,
    forced: bool,
    kicked: bool,
    recovered: bool,
    /// Sources that count from this tag on: that they do is no kick.
    connected: BTreeSet<NeuronId>,
}

impl Cell {
    fn new(config: Config) -> Self {
        Self {
            config,
            level: 0.0,
            stimulus: None,
            readings: BTreeMap::new(),
            reentered: BTreeMap::new(),
            heard: BTreeMap::new(),
            lingering: None,
            linger_ended: false,
            fired: None,
            kicks: Vec::new(),
            before: 0.0,
            evaluated: false,
            restarted: false,
            forgotten: false,
            forced: false,
            kicked: false,
            recovered: false,
            connected: BTreeSet::new(),
        }
    }

    /// The inputs whose level at a tag counts at that tag.
    fn awaited(&self) -> impl Iterator<Item = &NeuronId> {
        let waits = self.config.mode == Mode::Coherent;
        self.config.inputs.iter().filter(move |(_, delay)| waits && delay.is_none()).map(|(source, _)| source)
    }

    fn begin(&mut self) {
        self.before = self.level;
        (self.evaluated, self.linger_ended) = (false, false);
        (self.restarted, self.forgotten) = (false, false);
        (self.forced, self.kicked, self.recovered) = (false, false, false);
        self.connected.clear();
    }

    fn apply(&mut self, event: &Event, tag: Tag) {
        match event {
            Event::Restart => {
                self.stimulus = None;
                self.readings.clear();
                self.reentered.clear();
                self.heard.clear();
                self.lingering = None;
                self.fired = None;
                self.kicks.clear();
                self.restarted = true;
            }
            Event::ResetMemory => {
                self.lingering = None;
                self.fired = None;
                self.forgotten = true;
            }
            Event::Stimulus { level } if *level == 0.0 => {
                self.stimulus = None;
                self.kicks.clear();
                self.fired = None;
            }
            Event::Stimulus { .. } => {
                self.stimulus = Some(tag);
                self.forced = true;
            }
            Event::Reading { sensor, level } => {
                if let Some(weight) = self.config.sensors.get(sensor).copied() {
                    self.readings.insert(sensor.clone(), (*level, tag));
                    self.kick(tag, weight, *level);
                }
            }
            // Of a degraded level nobody knows what it should have been. What follows from it is degraded as well, unless it
            // is the same for every level; so any will do.
            // What was under way when a connection ended does not count.
            Event::Reentry { source, .. } if !self.config.inputs.contains_key(source) => {}
            Event::Reentry { source, value } => {
                let before = self.reentered.insert(source.clone(), value.level).unwrap_or(0.0);
                if before != value.level {
                    let weight = self.config.weights.get(source).copied().unwrap_or(0.0);
                    self.kick(tag, weight, value.level);
                }
            }
            Event::Recheck => {}
            Event::Expired { what: TimedState::Stimulus, began } => {
                if self.stimulus == Some(*began) {
                    self.stimulus = None;
                }
            }
            Event::Expired { what: TimedState::Reading(sensor), began } => {
                if self.readings.get(sensor).is_some_and(|(_, since)| since == began) {
                    self.readings.remove(sensor);
                }
            }
            Event::Expired { what: TimedState::Linger, began } => {
                if self.lingering == Some(*began) {
                    self.lingering = None;
                    self.linger_ended = true;
                }
            }
            Event::Expired { what: TimedState::Refractory, began } => {
                if self.fired == Some(*began) {
                    self.fired = None;
                    self.recovered = true;
                }
            }
            Event::Configured(ConfigChange::SetThreshold { threshold }) => self.config.threshold = Some(*threshold),
            Event::Configured(ConfigChange::SetWeight { source: Source::Neuron(source), weight }) => {
                self.config.weights.insert(source.clone(), *weight);
            }
            Event::Configured(ConfigChange::SetWeight { source: Source::Sensor(sensor), weight }) => {
                self.config.sensors.insert(sensor.clone(), *weight);
            }
            Event::Configured(ConfigChange::DeleteWeight { source: Source::Neuron(source) }) => {
                self.config.weights.remove(source);
            }
            Event::Configured(ConfigChange::DeleteWeight { source: Source::Sensor(sensor) }) => {
                self.config.sensors.remove(sensor);
                self.readings.remove(sensor);
            }
            Event::Configured(ConfigChange::Connect { source, delay }) => {
                self.config.inputs.insert(source.clone(), *delay);
                self.connected.insert(source.clone());
            }
            Event::Configured(ConfigChange::Disconnect { source }) => {
                self.config.inputs.remove(source);
                self.reentered.remove(source);
                self.heard.remove(source);
            }
        }
    }

    fn kick(&mut self, tag: Tag, weight: f64, level: f64) {
        if level != 0.0 {
            self.kicks.push((tag, weight * level));
            self.kicked = true;
        }
    }

    fn evaluate(&mut self, tag: Tag, levels: &BTreeMap<NeuronId, f64>, rises: &BTreeSet<NeuronId>) {
        let weights = &self.config.weights;
        let weight = |source: &NeuronId| weights.get(source).copied().unwrap_or(0.0);
        let reaches = |sum: f64| self.config.threshold.is_some_and(|threshold| sum >= threshold);
        self.level = match self.config.rule {
            Rule::Level => {
                // Neurons in the order of their names, then sensors in the order of theirs.
                let mut sum = 0.0;
                for (source, level) in levels {
                    sum += weight(source) * level;
                }
                for (sensor, weight) in &self.config.sensors {
                    sum += weight * self.readings.get(sensor).map_or(0.0, |(level, _)| *level);
                }
                let was_on = self.before != 0.0 && !self.restarted && !self.forgotten && !self.linger_ended;
                if self.stimulus.is_some() || reaches(sum) {
                    self.lingering = None;
                    1.0
                } else if was_on && !self.config.linger.is_zero() {
                    self.lingering = self.lingering.or(Some(tag));
                    1.0
                } else {
                    0.0
                }
            }
            Rule::Pulse { window, .. } => {
                self.stimulus = None;
                for source in rises {
                    self.kicks.push((tag, weight(source)));
                    self.kicked = true;
                }
                if self.forgotten {
                    self.kicks.clear();
                    (self.kicked, self.recovered) = (false, false);
                }
                self.kicks.retain(|(kick, _)| kick.after(window) > tag);
                let sum = self.kicks.iter().fold(0.0, |sum, (_, contribution)| sum + contribution);
                if self.fired.is_some() || self.recovered {
                    self.kicks.clear();
                    if self.fired.is_some() { 1.0 } else { 0.0 }
                } else if self.forced || (self.kicked && reaches(sum)) {
                    self.kicks.clear();
                    self.fired = Some(tag);
                    1.0
                } else {
                    0.0
                }
            }
        };
        self.heard = levels
            .iter()
            .filter(|(source, _)| !self.reentered.contains_key(*source))
            .map(|(s, l)| (s.clone(), *l))
            .collect();
        self.evaluated = true;
    }
}

/// Something that a neuron claimed and that is not so.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// The neuron.
    pub neuron: NeuronId,
    /// The tag at which it is wrong.
    pub tag: Tag,
    /// The level it claimed there.
    pub claimed: f64,
    /// The level it has.
    pub actual: f64,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { neuron, tag, claimed, actual } = self;
        write!(f, "{neuron} claimed {claimed} at {tag}, where it is {actual}")
    }
}

/// What became of the claims of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Plain claims that were wrong somewhere in their interval.
    pub mistakes: Vec<Mistake>,
    /// Tags that were evaluated twice, or out of order.
    pub repeated: Vec<(NeuronId, Tag)>,
    /// Claims made.
    pub claims: usize,
    /// Claims among them that are degraded, and so claim nothing.
    pub degraded: usize,
}

impl Verdict {
    /// Judges all claims in the records of a network's neurons: at their tag, and at each later tag up to which the next
    /// claim says that they still held. The last claim of each neuron is judged up to `upto`.
    pub fn of<'a>(oracle: &Oracle, records: impl IntoIterator<Item = (&'a NeuronId, &'a [Record], Tag)>) -> Self {
        let mut verdict = Self::default();
        for (neuron, records, upto) in records {
            let claims: Vec<Claim> = records
                .iter()
                .filter_map(|record| match record {
                    Record::Evaluated(claim) => Some(claim.clone()),
                    Record::Stamped { .. } => None,
                })
                .collect();
            for (index, claim) in claims.iter().enumerate() {
                let last = claims.get(index + 1).map_or(upto, |next| next.known).max(claim.at);
                verdict.judge(oracle, neuron, claim, last);
                if claims.get(index + 1).is_some_and(|next| next.at <= claim.at) {
                    verdict.repeated.push((neuron.clone(), claim.at));
                }
            }
            verdict.claims += claims.len();
        }
        verdict
    }

    fn judge(&mut self, oracle: &Oracle, neuron: &NeuronId, claim: &Claim, last: Tag) {
        if claim.value.is_degraded() {
            self.degraded += 1;
            return;
        }
        let changes = oracle.changes(neuron);
        let from = changes.partition_point(|(tag, _)| *tag <= claim.at);
        let inside = changes[from..].iter().take_while(|(tag, _)| *tag <= last);
        let levels = inside.copied().chain([(claim.at, oracle.level_at(neuron, claim.at))]);
        for (tag, actual) in levels {
            if actual != claim.value.level {
                self.mistakes.push(Mistake { neuron: neuron.clone(), tag, claimed: claim.value.level, actual });
            }
        }
    }
}
