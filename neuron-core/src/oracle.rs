//! The meaning of a network: its levels as a function of the record of stamped events, computed in
//! one pass.
//!
//! This is what the documentation of [`Rule`], [`Event`] and [`Config`] promises, section by
//! section, written to be read and not to be fast. It shares only value types with the neuron, and
//! judges it: [`Verdict::of`] compares what neurons have claimed, at each tag of each claim, with
//! the levels of [`Oracle::run`].

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
    /// The changes of each neuron's level, in the order of their tags. Before the first one the
    /// level is 0.
    changes: BTreeMap<NeuronId, Vec<(Tag, f64)>>,
}

impl Oracle {
    /// Computes the levels from the first configurations of the neurons and the events they
    /// stamped.
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
                if cell.level != cell.now.before {
                    oracle.changes.entry((*id).clone()).or_default().push((tag, cell.level));
                }
            }
        }
        oracle
    }

    /// Returns the level of a neuron at a tag; 0 for a neuron that does not exist.
    pub fn level_at(&self, neuron: &NeuronId, tag: Tag) -> f64 {
        let changes = self.changes(neuron);
        let next = changes.partition_point(|(at, _)| *at <= tag);
        next.checked_sub(1).map_or(0.0, |index| changes[index].1)
    }

    /// Returns the changes of a neuron's level, in the order of their tags; empty for a neuron that
    /// does not exist.
    pub fn changes(&self, neuron: &NeuronId) -> &[(Tag, f64)] {
        self.changes.get(neuron).map_or(&[], Vec::as_slice)
    }
}

/// Evaluates a neuron at a tag, after the inputs that count at that tag.
fn evaluate(cells: &mut BTreeMap<&NeuronId, Cell>, id: &NeuronId, tag: Tag) {
    let Some(cell) = cells.get(id).filter(|cell| !cell.now.evaluated) else { return };
    let awaited: Vec<NeuronId> = cell.awaited().cloned().collect();
    let mut levels = cell.reentered.clone();
    levels.retain(|source, _| cell.config.inputs.contains_key(source));
    let mut rises = BTreeSet::new();
    for source in awaited {
        evaluate(cells, &source, tag);
        let level = cells.get(&source).map_or(0.0, |cell| cell.level);
        let cell = &cells[id];
        let before = cell.last_levels.get(&source).copied().unwrap_or(0.0);
        if level != before && level != 0.0 && !cell.now.connected.contains(&source) {
            rises.insert(source.clone());
        }
        levels.insert(source, level);
    }
    if let Some(cell) = cells.get_mut(id) {
        cell.evaluate(tag, &levels, &rises);
    }
}

/// One neuron, at the tag that is being evaluated.
#[derive(Debug)]
struct Cell {
    config: Config,
    level: f64,
    /// The tag of the stimulus in force; `None` if there is none.
    stimulus: Option<Tag>,
    /// The level of each sensor that was read, and the tag of the reading.
    readings: BTreeMap<SensorId, (f64, Tag)>,
    /// The levels of the edges that do not make the neuron wait.
    reentered: BTreeMap<NeuronId, f64>,
    /// The levels of the other edges at the tag before.
    last_levels: BTreeMap<NeuronId, f64>,
    /// The tag at which the neuron began to linger; `None` while it does not.
    lingering: Option<Tag>,
    /// The tag of the pulse whose refractory period lasts; `None` if there is none.
    fired: Option<Tag>,
    /// The kicks that may still count, with their tags and contributions.
    kicks: Vec<(Tag, f64)>,
    now: Tick,
}

/// What happened to a neuron at the tag that is being evaluated.
#[derive(Debug, Default)]
struct Tick {
    /// The level at the tag before.
    before: f64,
    evaluated: bool,
    restarted: bool,
    memory_reset: bool,
    /// A stimulus began.
    stimulated: bool,
    kicked: bool,
    linger_ended: bool,
    /// The refractory period ended.
    recovered: bool,
    /// The sources that were connected. Their first level is not a kick.
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
            last_levels: BTreeMap::new(),
            lingering: None,
            fired: None,
            kicks: Vec::new(),
            now: Tick::default(),
        }
    }

    /// Returns the inputs whose level at a tag counts at the same tag.
    fn awaited(&self) -> impl Iterator<Item = &NeuronId> {
        let waits = self.config.mode == Mode::Coherent;
        self.config.inputs.iter().filter(move |(_, delay)| waits && delay.is_none()).map(|(source, _)| source)
    }

    fn begin(&mut self) {
        self.now = Tick { before: self.level, ..Tick::default() };
    }

    fn apply(&mut self, event: &Event, tag: Tag) {
        match event {
            Event::Restart => {
                self.stimulus = None;
                self.readings.clear();
                self.reentered.clear();
                self.last_levels.clear();
                self.lingering = None;
                self.fired = None;
                self.kicks.clear();
                self.now.restarted = true;
            }
            Event::ResetMemory => {
                self.lingering = None;
                self.fired = None;
                self.now.memory_reset = true;
            }
            Event::Stimulus { level } if *level == 0.0 => {
                self.stimulus = None;
                self.kicks.clear();
                self.fired = None;
            }
            Event::Stimulus { .. } => {
                self.stimulus = Some(tag);
                self.now.stimulated = true;
            }
            Event::Reading { sensor, level } => {
                if let Some(weight) = self.config.sensors.get(sensor).copied() {
                    self.readings.insert(sensor.clone(), (*level, tag));
                    self.kick(tag, weight, *level);
                }
            }
            // A level that was under way when its connection ended does not count.
            Event::Reentry { source, .. } if !self.config.inputs.contains_key(source) => {}
            // The true level of a degraded value is unknown. What follows from it is degraded as
            // well, unless it is the same for every level, so any level will do here.
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
                    self.now.linger_ended = true;
                }
            }
            Event::Expired { what: TimedState::Refractory, began } => {
                if self.fired == Some(*began) {
                    self.fired = None;
                    self.now.recovered = true;
                }
            }
            Event::Configured(change) => {
                self.config.apply(change);
                self.apply_to_levels(change);
            }
        }
    }

    /// Updates what depends on the configuration: a new connection does not kick, and the levels of
    /// what is removed are dropped.
    fn apply_to_levels(&mut self, change: &ConfigChange) {
        match change {
            ConfigChange::DeleteWeight { source: Source::Sensor(sensor) } => {
                self.readings.remove(sensor);
            }
            ConfigChange::Connect { source, .. } => {
                self.now.connected.insert(source.clone());
            }
            ConfigChange::Disconnect { source } => {
                self.reentered.remove(source);
                self.last_levels.remove(source);
            }
            _ => {}
        }
    }

    /// Adds a kick of a source whose level has changed to `level`; a fall to 0 is not a kick.
    fn kick(&mut self, tag: Tag, weight: f64, level: f64) {
        if level != 0.0 {
            self.kicks.push((tag, weight * level));
            self.now.kicked = true;
        }
    }

    /// Computes the level at `tag` from the levels of the inputs and the inputs that have just
    /// risen.
    fn evaluate(&mut self, tag: Tag, levels: &BTreeMap<NeuronId, f64>, rises: &BTreeSet<NeuronId>) {
        let weights = &self.config.weights;
        let weight = |source: &NeuronId| weights.get(source).copied().unwrap_or(0.0);
        let reaches = |sum: f64| self.config.threshold.is_some_and(|threshold| sum >= threshold);
        self.level = match self.config.rule {
            Rule::Level => {
                // The order of the sum is fixed: neurons by name, then sensors by name.
                let mut sum = 0.0;
                for (source, level) in levels {
                    sum += weight(source) * level;
                }
                for (sensor, weight) in &self.config.sensors {
                    sum += weight * self.readings.get(sensor).map_or(0.0, |(level, _)| *level);
                }
                let was_on =
                    self.now.before != 0.0 && !self.now.restarted && !self.now.memory_reset && !self.now.linger_ended;
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
                    self.now.kicked = true;
                }
                if self.now.memory_reset {
                    self.kicks.clear();
                    self.now.kicked = false;
                    self.now.recovered = false;
                }
                self.kicks.retain(|(kick, _)| kick.after(window) > tag);
                let sum = self.kicks.iter().fold(0.0, |sum, (_, contribution)| sum + contribution);
                if self.fired.is_some() || self.now.recovered {
                    self.kicks.clear();
                    if self.fired.is_some() { 1.0 } else { 0.0 }
                } else if self.now.stimulated || (self.now.kicked && reaches(sum)) {
                    self.kicks.clear();
                    self.fired = Some(tag);
                    1.0
                } else {
                    0.0
                }
            }
        };
        self.last_levels = levels
            .iter()
            .filter(|(source, _)| !self.reentered.contains_key(*source))
            .map(|(s, l)| (s.clone(), *l))
            .collect();
        self.now.evaluated = true;
    }
}

/// A wrong claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// The neuron that made the claim.
    pub neuron: NeuronId,
    /// The tag at which the claim is wrong.
    pub tag: Tag,
    /// The level that it claimed there.
    pub claimed: f64,
    /// The level according to the oracle.
    pub actual: f64,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { neuron, tag, claimed, actual } = self;
        write!(f, "{neuron} claimed {claimed} at {tag}, where it is {actual}")
    }
}

/// The judgement on the claims of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The plain claims that are wrong, once for each wrong tag of their interval at which the
    /// level changes.
    pub mistakes: Vec<Mistake>,
    /// The tags that were evaluated twice, or out of order.
    pub repeated: Vec<(NeuronId, Tag)>,
    /// The number of claims.
    pub claims: usize,
    /// The number of degraded claims among them. They claim no level and are never wrong.
    pub degraded: usize,
}

impl Verdict {
    /// Judges the claims in the records of neurons.
    ///
    /// A claim is judged at its tag and at each later tag up to the `known` of the next claim. Each
    /// item of `records` is a neuron, its records, and the tag up to which its last claim is
    /// judged.
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
