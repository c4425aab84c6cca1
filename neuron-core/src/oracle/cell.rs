//! One neuron of the oracle.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    command::ConfigChange,
    id::{NeuronId, SensorId, Source},
    neuron::{Config, Mode, Rule, Sensor, WhenSilent},
    record::{Event, TimedState, end_of},
    tag::Tag,
};

/// One neuron, at the tag that is being evaluated.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) config: Config,
    pub(super) level: f64,
    /// The tag of the stimulus in force; `None` if there is none.
    stimulus: Option<Tag>,
    /// The reading of each sensor that holds, `None` if that is unknown, and its tag.
    readings: BTreeMap<SensorId, (Option<f64>, Tag)>,
    /// The levels of the edges that do not make the neuron wait.
    pub(super) reentered: BTreeMap<NeuronId, f64>,
    /// The levels of the other edges at the tag before.
    pub(super) last_levels: BTreeMap<NeuronId, f64>,
    /// The tag at which the neuron began to linger; `None` while it does not.
    lingering: Option<Tag>,
    /// The tag of the pulse whose refractory period lasts; `None` if there is none.
    fired: Option<Tag>,
    /// The kicks that may still count, with their tags and contributions.
    kicks: Vec<(Tag, f64)>,
    /// What has begun at the tag that is being evaluated, with the tags at which it ends.
    ends: Vec<(Tag, TimedState)>,
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
    pub(super) fn new(config: Config) -> Self {
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
            ends: Vec::new(),
            now: Tick::default(),
        }
    }

    /// Returns the inputs whose level at a tag counts at the same tag.
    pub(super) fn awaited(&self) -> impl Iterator<Item = &NeuronId> {
        let waits = self.config.mode == Mode::Coherent;
        self.config.inputs.iter().filter(move |(_, delay)| waits && delay.is_none()).map(|(source, _)| source)
    }

    /// Returns whether the neuron was evaluated at this tag.
    pub(super) fn is_evaluated(&self) -> bool {
        self.now.evaluated
    }

    /// Returns whether the level differs from that at the tag before.
    pub(super) fn has_changed(&self) -> bool {
        self.level != self.now.before
    }

    /// Returns whether the source was connected at this tag. Its first level is not a kick.
    pub(super) fn has_connected(&self, source: &NeuronId) -> bool {
        self.now.connected.contains(source)
    }

    /// Begins the next tag.
    pub(super) fn begin(&mut self) {
        self.now = Tick { before: self.level, ..Tick::default() };
    }

    /// Takes what has begun at the tag that was evaluated, with the tags at which it ends.
    pub(super) fn take_ends(&mut self) -> Vec<(Tag, TimedState)> {
        std::mem::take(&mut self.ends)
    }

    /// Schedules the end of a state that begins with the tag `began`.
    fn end_after(&mut self, what: TimedState, began: Tag, span: Duration) {
        self.ends.push((end_of(began, span), what));
    }

    /// Applies an event at its tag.
    pub(super) fn apply(&mut self, event: &Event, tag: Tag) {
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
            Event::Stimulus { level, .. } if *level == 0.0 => {
                self.stimulus = None;
                self.kicks.clear();
                self.fired = None;
            }
            Event::Stimulus { hold, .. } => {
                self.stimulus = Some(tag);
                self.now.stimulated = true;
                self.end_after(TimedState::Stimulus, tag, *hold);
            }
            Event::Reading { sensor, level, hold } => {
                if let Some(attached) = self.config.sensors.get(sensor).copied() {
                    self.readings.insert(sensor.clone(), (*level, tag));
                    self.end_after(TimedState::Reading(sensor.clone()), tag, *hold);
                    self.kick(tag, attached.weight, level.unwrap_or(0.0));
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
            Event::Recheck | Event::Extended { .. } => {}
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

    /// Returns the level of a sensor; `None` if it is unknown.
    fn level_of(&self, id: &SensorId, sensor: &Sensor) -> Option<f64> {
        match self.readings.get(id) {
            Some((level, _)) => *level,
            None if sensor.when_silent == WhenSilent::Unknown => None,
            None => Some(0.0),
        }
    }

    /// Returns whether the level depends on a sensor that is unknown. That can only be told of a
    /// level neuron, and as far as its own sensors go.
    pub(super) fn depends_on_unknown(&self) -> bool {
        let mut unknown = self.config.sensors.iter().filter(|(id, sensor)| self.level_of(id, sensor).is_none());
        self.config.rule == Rule::Level
            && self.config.threshold.is_some()
            && self.stimulus.is_none()
            && unknown.any(|(_, sensor)| sensor.weight != 0.0)
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
    pub(super) fn evaluate(&mut self, tag: Tag, levels: &BTreeMap<NeuronId, f64>, rises: &BTreeSet<NeuronId>) {
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
                for (sensor, attached) in &self.config.sensors {
                    sum += attached.weight * self.level_of(sensor, attached).unwrap_or(0.0);
                }
                let was_on =
                    self.now.before != 0.0 && !self.now.restarted && !self.now.memory_reset && !self.now.linger_ended;
                if self.stimulus.is_some() || reaches(sum) {
                    self.lingering = None;
                    1.0
                } else if was_on && !self.config.linger.is_zero() {
                    if self.lingering.is_none() {
                        self.lingering = Some(tag);
                        self.end_after(TimedState::Linger, tag, self.config.linger);
                    }
                    1.0
                } else {
                    0.0
                }
            }
            Rule::Pulse { window, refractory } => {
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
                    self.end_after(TimedState::Refractory, tag, refractory);
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
