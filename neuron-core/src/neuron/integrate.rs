//! What fires: the weighted sum, and what a neuron remembers beside it.
//!
//! Nothing here knows of other neurons' frontiers or of messages; levels come in, a level goes out.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use thin_vec::ThinVec;

use super::{Config, Rule, number::Number, params::Params, rare::Rare};
use crate::{
    command::ConfigChange,
    id::{SensorId, Source},
    record::{Event, Lasting},
    tag::Tag,
};

/// What the neurons among the inputs weigh, added in the order of their names.
///
/// Adding rounds, but never reverses an order: whatever the doubtful ones are, the sum lies between `least` and `most`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weighed {
    /// With the doubtful ones at 0.
    sum: f64,
    least: f64,
    most: f64,
    /// There are doubtful ones. Even one without a weight can kick, and that is enough for a threshold of 0.
    doubtful: bool,
}

impl Weighed {
    pub(crate) fn add(&mut self, contribution: f64) {
        self.sum += contribution;
        self.least += contribution;
        self.most += contribution;
    }

    /// Adds a neuron whose level is not known: it is 0 or 1.
    pub(crate) fn add_doubtful(&mut self, weight: f64) {
        self.least += weight.min(0.0);
        self.most += weight.max(0.0);
        self.doubtful = true;
    }
}

/// The most kicks that a pulse neuron keeps: eight for each millisecond of the usual window. When there are more, it begins anew.
const MAX_KICKS: usize = 4096;

/// What an evaluation led to.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) level: f64,
    /// Something began that ends by itself after this time.
    pub(crate) begun: Option<(Lasting, Duration)>,
}

#[derive(Clone, Debug)]
struct Attached {
    sensor: SensorId,
    weight: f64,
    level: f64,
    /// The tag of the reading that it shows.
    since: Tag,
}

/// The part of a neuron that decides whether it fires.
#[derive(Clone, Debug)]
pub(crate) struct Integrator {
    threshold: Number,
    settings: Arc<Params>,
    /// Ordered by name, which is the order they are added in.
    sensors: ThinVec<Attached>,
    /// The tag of the stimulus that holds.
    stimulated: Option<Tag>,
    /// It fired when it was evaluated last.
    fires: bool,
    /// The tag at which support was lost, while the neuron stays on nevertheless.
    lingering: Option<Tag>,
    /// The tag of the firing, while no other may follow.
    refractory: Option<Tag>,
    kicks: Rare<VecDeque<(Tag, f64)>>,
    /// At the tag being evaluated …
    moment: Moment,
}

/// What happened at the tag that is being evaluated.
#[derive(Clone, Debug, Default)]
struct Moment {
    kicked: bool,
    stimulated: bool,
    recovered: bool,
}

impl Integrator {
    pub(crate) fn new(config: &Config, settings: Arc<Params>) -> Self {
        let attached = |(sensor, weight): (&SensorId, &f64)| Attached {
            sensor: sensor.clone(),
            weight: *weight,
            level: 0.0,
            since: Tag::ORIGIN,
        };
        Self {
            threshold: config.threshold.into(),
            settings,
            sensors: config.sensors.iter().map(attached).collect(),
            stimulated: None,
            fires: false,
            lingering: None,
            refractory: None,
            kicks: Rare::NONE,
            moment: Moment::default(),
        }
    }

    pub(crate) fn threshold(&self) -> Option<f64> {
        self.threshold.get()
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
                self.kicks.forget();
                self.fires = false;
            }
            Event::Forget => {
                self.lingering = None;
                self.refractory = None;
                self.kicks.forget();
                self.fires = false;
                (self.moment.kicked, self.moment.recovered) = (false, false);
            }
            Event::Stimulus { level } if *level == 0.0 => {
                self.stimulated = None;
                self.kicks.forget();
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
                self.fires = false;
            }
            Event::End { what: Lasting::Refractory, of } if self.refractory == Some(*of) => {
                self.refractory = None;
                self.moment.recovered = true;
            }
            Event::Configured(ConfigChange::SetThreshold { threshold }) => self.threshold = (*threshold).into(),
            Event::Configured(ConfigChange::SetWeight { source: Source::Sensor(sensor), weight }) => {
                match self.find(sensor) {
                    Ok(index) => self.sensors[index].weight = *weight,
                    Err(index) => self.sensors.insert(
                        index,
                        Attached { sensor: sensor.clone(), weight: *weight, level: 0.0, since: Tag::ORIGIN },
                    ),
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

    /// Whether its level depends on more than the present levels of its inputs.
    pub(crate) fn remembers(&self) -> bool {
        !self.settings.linger.is_zero() || self.settings.rule != Rule::Level
    }

    /// Shares the settings of another neuron, if they are the same.
    #[cfg(any(feature = "actor", test))]
    pub(crate) fn share_settings(&mut self, others: &Arc<Params>) {
        Params::intern(&mut self.settings, others);
    }

    fn kick_count(&self) -> usize {
        self.kicks.get().map_or(0, VecDeque::len)
    }

    /// Whether it has more kicks to remember than it may.
    pub(crate) fn is_overfull(&self) -> bool {
        self.refractory.is_none() && self.kick_count() > MAX_KICKS
    }

    /// The tag that was being evaluated is left out: what happened at it is over.
    pub(crate) fn skip(&mut self) {
        self.moment = Moment::default();
    }

    /// An input rose to `level`, or a sensor was read: for a pulse neuron that is a kick.
    pub(crate) fn kick(&mut self, at: Tag, weight: f64, level: f64) {
        if matches!(self.settings.rule, Rule::Pulse { .. }) && level != 0.0 {
            // Once there are too many, all of them are forgotten with the next evaluation.
            if self.kick_count() <= MAX_KICKS {
                self.kicks.make().push_back((at, weight * level));
            }
            self.moment.kicked = true;
        }
    }

    /// Whether what it remembers holds whatever has happened in tags that were missed: kicks do not matter now.
    pub(crate) fn outlasts_a_gap(&self) -> bool {
        self.refractory.is_some()
    }

    /// Whether the level at the tag that is being evaluated is the same whatever the doubtful inputs are. What a neuron
    /// remembers is not to be trusted if its last answer was degraded.
    ///
    /// For a pulse neuron it is not enough that the sum is: a doubtful input may have kicked at any time.
    pub(crate) fn is_definite(&self, weighed: &Weighed, was_degraded: bool) -> bool {
        if !weighed.doubtful {
            return true;
        }
        match self.settings.rule {
            Rule::Level => {
                let ends = [weighed.least, weighed.most].map(|end| self.reaches(self.add_sensors(end)));
                self.stimulated.is_some() || ends[0] == ends[1]
            }
            Rule::Pulse { .. } => {
                let fires = self.moment.stimulated && !self.moment.recovered;
                !was_degraded && (self.refractory.is_some() || fires)
            }
        }
    }

    /// Decides the level at a tag. The sensors are added to what the neurons weigh, in the order of their names.
    pub(crate) fn evaluate(&mut self, at: Tag, weighed: &Weighed) -> Outcome {
        let moment = std::mem::take(&mut self.moment);
        let outcome = match self.settings.rule {
            Rule::Level => self.follow(at, weighed.sum),
            Rule::Pulse { window, refractory } => self.pulse(at, window, refractory, &moment),
        };
        self.fires = outcome.level != 0.0;
        outcome
    }

    fn follow(&mut self, at: Tag, sum: f64) -> Outcome {
        let supported = self.stimulated.is_some() || self.reaches(self.add_sensors(sum));
        if supported {
            self.lingering = None;
            return Outcome { level: 1.0, begun: None };
        }
        if !self.fires || self.settings.linger.is_zero() {
            return Outcome { level: 0.0, begun: None };
        }
        if self.lingering.is_some() {
            return Outcome { level: 1.0, begun: None };
        }
        self.lingering = Some(at);
        Outcome { level: 1.0, begun: Some((Lasting::Linger, self.settings.linger)) }
    }

    fn pulse(&mut self, at: Tag, window: Duration, refractory: Duration, moment: &Moment) -> Outcome {
        self.stimulated = None;
        if self.refractory.is_some() || moment.recovered {
            self.kicks.forget();
            let level = if self.refractory.is_some() { 1.0 } else { 0.0 };
            return Outcome { level, begun: None };
        }
        if let Some(kicks) = self.kicks.get_mut() {
            while kicks.pop_front_if(|(kick, _)| kick.after(window) <= at).is_some() {}
        }
        let sum = self.kicks.get().into_iter().flatten().fold(0.0, |sum, (_, contribution)| sum + contribution);
        let fires = moment.stimulated || (moment.kicked && self.reaches(sum));
        if !fires {
            return Outcome { level: 0.0, begun: None };
        }
        self.kicks.forget();
        self.refractory = Some(at);
        Outcome { level: 1.0, begun: Some((Lasting::Refractory, refractory)) }
    }

    fn add_sensors(&self, sum: f64) -> f64 {
        self.sensors.iter().fold(sum, |sum, attached| sum + attached.weight * attached.level)
    }

    fn reaches(&self, sum: f64) -> bool {
        self.threshold.get().is_some_and(|threshold| sum >= threshold)
    }
}
