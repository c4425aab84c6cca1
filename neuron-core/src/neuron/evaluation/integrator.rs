//! The decision whether a neuron fires: the weighted sum, and what the neuron remembers beside it.
//!
//! Nothing here knows watermarks or messages. Levels come in, a level goes out.

use std::{collections::VecDeque, time::Duration};

use thin_vec::ThinVec;

use crate::{
    collections::OptionalF64,
    command::ConfigChange,
    id::{SensorId, Source, SourceId},
    neuron::{Config, Params, Rule, inputs::SumBounds},
    record::{Event, TimedState},
    sensor::Sensor,
    tag::Tag,
};

/// The most spikes that a pulse neuron keeps: eight for each millisecond of the usual window.
///
/// When there are more, it forgets all of them.
const MAX_SPIKES: usize = 4096;

/// The level that an evaluation leads to, and what begins with it.
#[derive(Debug, PartialEq)]
pub(super) struct LevelDecision {
    pub(super) level: f64,
    /// Something that began and ends by itself after this span; `None` if nothing did.
    pub(super) begun: Option<(TimedState, Duration)>,
}

/// A sensor that is attached.
#[derive(Clone, Debug)]
struct SensorInput {
    id: SensorId,
    sensor: Sensor,
    /// The level that counts; `None` if it is unknown.
    level: Option<f64>,
    /// The tag of the reading that it shows.
    since: Tag,
}

impl SensorInput {
    fn new(id: SensorId, sensor: Sensor) -> Self {
        Self { id, sensor, level: sensor.silent_level(), since: Tag::ORIGIN }
    }
}

/// Decides whether a neuron fires.
#[derive(Clone, Debug)]
pub(super) struct Integrator {
    threshold: OptionalF64,
    /// Ordered by name, which is the order in which their contributions are added.
    sensors: ThinVec<SensorInput>,
    /// The tag of the stimulus that holds; `None` if none does.
    stimulated: Option<Tag>,
    /// It fired at the last evaluation.
    fires: bool,
    /// The tag at which support was lost, while the neuron lingers; else `None`.
    lingering: Option<Tag>,
    /// The tag of the firing, during the refractory period; else `None`.
    refractory: Option<Tag>,
    /// The spikes that still count, with their weighted levels; `None` if there are none.
    #[expect(clippy::box_collection, reason = "most neurons have none")]
    spikes: Option<Box<VecDeque<(Tag, f64)>>>,
    tick: TickState,
}

/// What has happened at the tag that is being evaluated.
#[derive(Clone, Debug, Default)]
struct TickState {
    has_spiked: bool,
    is_stimulated: bool,
    /// The refractory period is over.
    has_recovered: bool,
}

impl Integrator {
    /// Makes the integrator of a neuron at rest.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            threshold: config.threshold.into(),
            sensors: config.sensors.iter().map(|(id, sensor)| SensorInput::new(id.clone(), *sensor)).collect(),
            stimulated: None,
            fires: false,
            lingering: None,
            refractory: None,
            spikes: None,
            tick: TickState::default(),
        }
    }

    /// Returns the threshold; `None` if none is set.
    pub(super) fn threshold(&self) -> Option<f64> {
        self.threshold.get()
    }

    /// Returns the attached sensors.
    pub(super) fn sensors(&self) -> impl Iterator<Item = (&SensorId, &Sensor)> {
        self.sensors.iter().map(|attached| (&attached.id, &attached.sensor))
    }

    /// Returns a sensor; `None` if it is not attached.
    pub(super) fn sensor(&self, sensor: &SensorId) -> Option<&Sensor> {
        self.find(sensor).ok().map(|index| &self.sensors[index].sensor)
    }

    /// Returns the names of the sensors whose level is unknown.
    pub(super) fn unknown_sensors(&self) -> impl Iterator<Item = SourceId> {
        self.sensors.iter().filter(|attached| attached.level.is_none()).map(|attached| attached.id.clone().into())
    }

    /// Widens the bounds of the sum for the sensors whose level is unknown.
    #[inline]
    pub(super) fn add_unknown_sensors(&self, sum: &mut SumBounds) {
        // Most neurons have no sensors.
        if !self.sensors.is_empty() {
            self.add_unknown(sum);
        }
    }

    #[inline(never)]
    fn add_unknown(&self, sum: &mut SumBounds) {
        for attached in self.sensors.iter().filter(|attached| attached.level.is_none()) {
            sum.add_unbounded(attached.sensor.weight);
        }
    }

    fn find(&self, sensor: &SensorId) -> Result<usize, usize> {
        self.sensors.binary_search_by(|attached| attached.id.cmp(sensor))
    }

    /// Applies an own event. Events about connections and weights of neurons have no effect here.
    pub(super) fn apply(&mut self, event: &Event, at: Tag, params: &Params) {
        match event {
            Event::Restart => {
                self.stimulated = None;
                self.sensors.iter_mut().for_each(|attached| attached.level = attached.sensor.silent_level());
                self.lingering = None;
                self.refractory = None;
                self.spikes = None;
                self.fires = false;
            }
            Event::ResetMemory => {
                self.lingering = None;
                self.refractory = None;
                self.spikes = None;
                self.fires = false;
                self.tick.has_spiked = false;
                self.tick.has_recovered = false;
            }
            Event::Stimulus { level, .. } if *level == 0.0 => {
                self.stimulated = None;
                self.spikes = None;
                self.refractory = None;
            }
            Event::Stimulus { .. } => {
                self.stimulated = Some(at);
                self.tick.is_stimulated = true;
            }
            Event::Reading { sensor, level, .. } => {
                if let Ok(index) = self.find(sensor) {
                    let attached = &mut self.sensors[index];
                    attached.level = *level;
                    attached.since = at;
                    let weight = attached.sensor.weight;
                    self.spike(at, weight, level.unwrap_or(0.0), params.rule);
                }
            }
            Event::Expired { what: TimedState::Stimulus, began } if self.stimulated == Some(*began) => {
                self.stimulated = None
            }
            Event::Expired { what: TimedState::Reading(sensor), began } => {
                if let Ok(index) = self.find(sensor)
                    && self.sensors[index].since == *began
                {
                    self.sensors[index].level = self.sensors[index].sensor.silent_level();
                }
            }
            Event::Expired { what: TimedState::Linger, began } if self.lingering == Some(*began) => {
                self.lingering = None;
                self.fires = false;
            }
            Event::Expired { what: TimedState::Refractory, began } if self.refractory == Some(*began) => {
                self.refractory = None;
                self.tick.has_recovered = true;
            }
            Event::Configured(ConfigChange::SetThreshold { threshold }) => self.threshold = (*threshold).into(),
            Event::Configured(ConfigChange::SetWeight { source: Source::Sensor(sensor), weight }) => {
                match self.find(sensor) {
                    Ok(index) => self.sensors[index].sensor.weight = *weight,
                    Err(index) => self.sensors.insert(index, SensorInput::new(sensor.clone(), Sensor::new(*weight))),
                }
            }
            Event::Configured(ConfigChange::DeleteWeight { source: Source::Sensor(sensor) }) => {
                if let Ok(index) = self.find(sensor) {
                    self.sensors.remove(index);
                }
            }
            _ => {}
        }
    }

    /// Returns whether the level depends on more than the present levels of the inputs.
    pub(super) fn has_memory(&self, params: &Params) -> bool {
        !params.linger.is_zero() || params.rule != Rule::Level
    }

    fn spike_count(&self) -> usize {
        self.spikes.as_ref().map_or(0, |spikes| spikes.len())
    }

    /// Returns whether there are more spikes than may be kept.
    pub(super) fn is_overfull(&self) -> bool {
        self.refractory.is_none() && self.spike_count() > MAX_SPIKES
    }

    /// Leaves out the tag that was being evaluated.
    pub(super) fn skip(&mut self) {
        self.tick = TickState::default();
    }

    /// Notes that an input has changed to `level`, or that a sensor was read. If the level is not
    /// 0, that is a spike for a pulse neuron.
    #[inline]
    pub(super) fn spike(&mut self, at: Tag, weight: f64, level: f64, rule: Rule) {
        if matches!(rule, Rule::Pulse { .. }) && level != 0.0 {
            // If there are too many, the next evaluation forgets all of them.
            if self.spike_count() <= MAX_SPIKES {
                self.spikes.get_or_insert_default().push_back((at, weight * level));
            }
            self.tick.has_spiked = true;
        }
    }

    /// Returns whether the memory holds whatever happened at tags that were missed: during the
    /// refractory period spikes do not matter.
    pub(super) fn outlasts_gap(&self) -> bool {
        self.refractory.is_some()
    }

    /// Returns whether the level at the tag that is being evaluated is the same whatever the
    /// uncertain inputs are.
    ///
    /// The memory is not trusted if the last answer was degraded. For a pulse neuron it is not
    /// enough that the sum is certain: an uncertain input may have spiked at any time.
    pub(super) fn is_definite(&self, sum: &SumBounds, was_degraded: bool, params: &Params) -> bool {
        if !sum.is_uncertain {
            return true;
        }
        match params.rule {
            Rule::Level => {
                let ends = [sum.least, sum.most].map(|end| self.reaches(self.add_sensors(end)));
                self.stimulated.is_some() || ends[0] == ends[1]
            }
            Rule::Pulse { .. } => {
                let fires = self.tick.is_stimulated && !self.tick.has_recovered;
                !was_degraded && (self.refractory.is_some() || fires)
            }
        }
    }

    /// Decides the level at a tag. The sensors are added to the sum in the order of their names.
    #[inline]
    pub(super) fn evaluate(&mut self, at: Tag, sum: &SumBounds, params: &Params) -> LevelDecision {
        let tick = std::mem::take(&mut self.tick);
        let outcome = match params.rule {
            Rule::Level => self.apply_level_rule(at, sum.sum, params.linger),
            Rule::Pulse { window, refractory } => self.apply_pulse_rule(at, window, refractory, &tick),
        };
        self.fires = outcome.level != 0.0;
        outcome
    }

    fn apply_level_rule(&mut self, at: Tag, sum: f64, linger: Duration) -> LevelDecision {
        let is_supported = self.stimulated.is_some() || self.reaches(self.add_sensors(sum));
        if is_supported {
            self.lingering = None;
            return LevelDecision { level: 1.0, begun: None };
        }
        if !self.fires || linger.is_zero() {
            return LevelDecision { level: 0.0, begun: None };
        }
        if self.lingering.is_some() {
            return LevelDecision { level: 1.0, begun: None };
        }
        self.lingering = Some(at);
        LevelDecision { level: 1.0, begun: Some((TimedState::Linger, linger)) }
    }

    fn apply_pulse_rule(&mut self, at: Tag, window: Duration, refractory: Duration, tick: &TickState) -> LevelDecision {
        self.stimulated = None;
        if self.refractory.is_some() || tick.has_recovered {
            self.spikes = None;
            let level = if self.refractory.is_some() { 1.0 } else { 0.0 };
            return LevelDecision { level, begun: None };
        }
        if let Some(spikes) = &mut self.spikes {
            while spikes.front().is_some_and(|(spike, _)| spike.after(window) <= at) {
                spikes.pop_front();
            }
        }
        let contributions = self.spikes.iter().flat_map(|spikes| spikes.iter());
        let sum = contributions.fold(0.0, |sum, (_, contribution)| sum + contribution);
        let fires = tick.is_stimulated || (tick.has_spiked && self.reaches(sum));
        if !fires {
            return LevelDecision { level: 0.0, begun: None };
        }
        self.spikes = None;
        self.refractory = Some(at);
        LevelDecision { level: 1.0, begun: Some((TimedState::Refractory, refractory)) }
    }

    fn add_sensors(&self, sum: f64) -> f64 {
        let contributions = self.sensors.iter().map(|attached| attached.sensor.weight * attached.level.unwrap_or(0.0));
        contributions.fold(sum, |sum, contribution| sum + contribution)
    }

    fn reaches(&self, sum: f64) -> bool {
        self.threshold.get().is_some_and(|threshold| sum >= threshold)
    }
}
