//! What fires: the weighted sum, and what a neuron remembers beside it.
//!
//! Nothing here knows of other neurons' frontiers or of messages; levels come in, a level goes out.

use std::{collections::VecDeque, time::Duration};

use super::config::{Config, Rule};
use crate::{
    id::{SensorId, Source},
    record::{Event, Lasting},
    tag::Tag,
};

/// What an evaluation led to.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) level: f64,
    /// Something began that ends by itself after this time.
    pub(crate) begun: Option<(Lasting, Duration)>,
}

#[derive(Debug)]
struct Attached {
    sensor: SensorId,
    weight: f64,
    level: f64,
    /// The tag of the reading that it shows.
    since: Tag,
}

/// The part of a neuron that decides whether it fires.
#[derive(Debug)]
pub(crate) struct Integrator {
    threshold: Option<f64>,
    linger: Duration,
    rule: Rule,
    /// Ordered by name, which is the order they are added in.
    sensors: Vec<Attached>,
    /// The tag of the stimulus that holds.
    stimulated: Option<Tag>,
    level: f64,
    /// The tag at which support was lost, while the neuron stays on nevertheless.
    lingering: Option<Tag>,
    /// The tag of the firing, while no other may follow.
    refractory: Option<Tag>,
    kicks: VecDeque<(Tag, f64)>,
    /// At the tag being evaluated …
    moment: Moment,
}

/// What happened at the tag that is being evaluated.
#[derive(Debug, Default)]
struct Moment {
    kicked: bool,
    stimulated: bool,
    recovered: bool,
}

impl Integrator {
    pub(crate) fn new(config: &Config) -> Self {
        let attached = |(sensor, weight): (&SensorId, &f64)| Attached {
            sensor: sensor.clone(),
            weight: *weight,
            level: 0.0,
            since: Tag::ORIGIN,
        };
        Self {
            threshold: config.threshold,
            linger: config.linger,
            rule: config.rule,
            sensors: config.sensors.iter().map(attached).collect(),
            stimulated: None,
            level: 0.0,
            lingering: None,
            refractory: None,
            kicks: VecDeque::new(),
            moment: Moment::default(),
        }
    }

    pub(crate) fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    pub(crate) fn sensors(&self) -> impl Iterator<Item = (&SensorId, f64)> {
        self.sensors.iter().map(|attached| (&attached.sensor, attached.weight))
    }

    pub(crate) fn has_sensor(&self, sensor: &SensorId) -> bool {
        self.find(sensor).is_ok()
    }

    fn find(&self, sensor: &SensorId) -> Result<usize, usize> {
        self.sensors.binary_search_by(|attached| attached.sensor.cmp(sensor))
    }

    /// Takes in what concerns this neuron alone; events about connections and other neurons' weights are not for here.
    pub(crate) fn apply(&mut self, event: &Event, at: Tag) {
        match event {
            Event::Restart => {
                self.stimulated = None;
                self.sensors.iter_mut().for_each(|attached| attached.level = 0.0);
                self.lingering = None;
                self.refractory = None;
                self.kicks.clear();
                self.level = 0.0;
            }
            Event::Forget => {
                self.lingering = None;
                self.refractory = None;
                self.kicks.clear();
                self.level = 0.0;
                (self.moment.kicked, self.moment.recovered) = (false, false);
            }
            Event::Stimulus { level } if *level == 0.0 => {
                self.stimulated = None;
                self.kicks.clear();
                self.refractory = None;
            }
            Event::Stimulus { .. } => {
                self.stimulated = Some(at);
                self.moment.stimulated = true;
            }
            Event::Reading { sensor, level } => {
                if let Ok(index) = self.find(sensor) {
                    let attached = &mut self.sensors[index];
                    (attached.level, attached.since) = (*level, at);
                    let weight = attached.weight;
                    self.kick(at, weight, *level);
                }
            }
            Event::End { what: Lasting::Stimulus, of } if self.stimulated == Some(*of) => self.stimulated = None,
            Event::End { what: Lasting::Reading(sensor), of } => {
                if let Ok(index) = self.find(sensor)
                    && self.sensors[index].since == *of
                {
                    self.sensors[index].level = 0.0;
                }
            }
            Event::End { what: Lasting::Linger, of } if self.lingering == Some(*of) => {
                self.lingering = None;
                self.level = 0.0;
            }
            Event::End { what: Lasting::Refractory, of } if self.refractory == Some(*of) => {
                self.refractory = None;
                self.moment.recovered = true;
            }
            Event::SetThreshold { threshold } => self.threshold = Some(*threshold),
            Event::SetWeight { source: Source::Sensor(sensor), weight } => match self.find(sensor) {
                Ok(index) => self.sensors[index].weight = *weight,
                Err(index) => self.sensors.insert(
                    index,
                    Attached { sensor: sensor.clone(), weight: *weight, level: 0.0, since: Tag::ORIGIN },
                ),
            },
            Event::DeleteWeight { source: Source::Sensor(sensor) } => {
                if let Ok(index) = self.find(sensor) {
                    self.sensors.remove(index);
                }
            }
            _ => {}
        }
    }

    /// Whether its level depends on more than the present levels of its inputs.
    pub(crate) fn remembers(&self) -> bool {
        !self.linger.is_zero() || self.rule != Rule::Level
    }

    /// The tag that was being evaluated is given up: what happened at it is over.
    pub(crate) fn skip(&mut self) {
        self.moment = Moment::default();
    }

    /// An input rose to `level`, or a sensor was read: for a pulse neuron that is a kick.
    pub(crate) fn kick(&mut self, at: Tag, weight: f64, level: f64) {
        if matches!(self.rule, Rule::Pulse { .. }) && level != 0.0 {
            self.kicks.push_back((at, weight * level));
            self.moment.kicked = true;
        }
    }

    /// Decides the level at a tag. `sum` is the weighted sum of the neurons among the inputs, in the order of their
    /// names; the sensors are added to it in the order of theirs.
    pub(crate) fn evaluate(&mut self, at: Tag, sum: f64) -> Outcome {
        let moment = std::mem::take(&mut self.moment);
        let outcome = match self.rule {
            Rule::Level => self.follow(at, sum),
            Rule::Pulse { window, refractory } => self.pulse(at, window, refractory, &moment),
        };
        self.level = outcome.level;
        outcome
    }

    fn follow(&mut self, at: Tag, sum: f64) -> Outcome {
        let sum = self.sensors.iter().fold(sum, |sum, attached| sum + attached.weight * attached.level);
        let supported = self.stimulated.is_some() || self.reaches(sum);
        if supported {
            self.lingering = None;
            return Outcome { level: 1.0, begun: None };
        }
        if self.level == 0.0 || self.linger.is_zero() {
            return Outcome { level: 0.0, begun: None };
        }
        if self.lingering.is_some() {
            return Outcome { level: 1.0, begun: None };
        }
        self.lingering = Some(at);
        Outcome { level: 1.0, begun: Some((Lasting::Linger, self.linger)) }
    }

    fn pulse(&mut self, at: Tag, window: Duration, refractory: Duration, moment: &Moment) -> Outcome {
        self.stimulated = None;
        if self.refractory.is_some() || moment.recovered {
            self.kicks.clear();
            let level = if self.refractory.is_some() { 1.0 } else { 0.0 };
            return Outcome { level, begun: None };
        }
        while self.kicks.front().is_some_and(|(kick, _)| kick.after(window) <= at) {
            self.kicks.pop_front();
        }
        let sum = self.kicks.iter().fold(0.0, |sum, (_, contribution)| sum + contribution);
        let fires = moment.stimulated || (moment.kicked && self.reaches(sum));
        if !fires {
            return Outcome { level: 0.0, begun: None };
        }
        self.kicks.clear();
        self.refractory = Some(at);
        Outcome { level: 1.0, begun: Some((Lasting::Refractory, refractory)) }
    }

    fn reaches(&self, sum: f64) -> bool {
        self.threshold.is_some_and(|threshold| sum >= threshold)
    }
}
