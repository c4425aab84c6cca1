//! The configuration of a neuron, and changes of it.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    id::{NeuronId, SensorId, Source},
    sensor::Sensor,
    serialize,
};

/// The largest magnitude of a weight, a threshold or a reading.
///
/// Products of two such numbers, and sums of any number of products, stay far below the largest
/// `f64`. So no sum becomes infinite or undefined.
pub const MAX_MAGNITUDE: f64 = 1e100;

/// Returns whether `number` may be a weight, a threshold or a reading: a number whose magnitude is
/// at most [`MAX_MAGNITUDE`].
pub fn is_finite(number: f64) -> bool {
    number.abs() <= MAX_MAGNITUDE
}

/// Returns whether `number` is the level of a neuron: 0 or 1. Minus zero is none: it would be
/// another value for whatever compares bits.
pub fn is_level(number: f64) -> bool {
    number.to_bits() == 0.0_f64.to_bits() || number.to_bits() == 1.0_f64.to_bits()
}

/// When a neuron may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Once for each tag, when every input that could change the answer is known there. Answers are
    /// correct or degraded.
    #[default]
    Coherent,
    /// As soon as possible, on every arrival. This is the fastest mode, and it may glitch: the
    /// changes of one wave take effect one by one, in the order of their arrival.
    ///
    /// Each arrival gets a tag of its own, later than the tag of the wave. So the level at the tag
    /// of a wave is not the result of the wave: watch such a neuron instead of asking for a tag.
    Asap,
}

/// What makes a neuron fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// It fires while the weighted sum of the levels of its inputs is at or above the threshold.
    #[default]
    Level,
    /// It fires for an instant when the sum of the kicks reaches the threshold.
    ///
    /// A kick is a rise of an input, or a reading other than 0. It counts with the weight that its
    /// source had when it arrived. The neuron fires only when a kick or a stimulus arrives, never
    /// because one expires. Firing uses up all kicks.
    Pulse {
        /// How long a kick counts; 0.5 s by default.
        #[serde(serialize_with = "serialize::duration")]
        window: Duration,
        /// How long after a firing the neuron ignores kicks; 0.1 s by default. Its level is 1
        /// during this period. The tag at which the period ends still belongs to it.
        #[serde(serialize_with = "serialize::duration")]
        refractory: Duration,
    },
}

impl Rule {
    /// The default `window` of a pulse neuron, from the second version of the 2016 system.
    pub const WINDOW: Duration = Duration::from_millis(500);
    /// The default `refractory` period of a pulse neuron, from the same source.
    pub const REFRACTORY: Duration = Duration::from_millis(100);
}

/// The configuration that a neuron starts with.
///
/// ```
/// use neuron_core::neuron::Config;
///
/// let and_gate = Config::new().threshold(1.9).input("x".parse()?, 1.0).input("y".parse()?, 1.0);
/// assert_eq!(and_gate.weights.len(), 2);
/// # Ok::<(), neuron_core::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The threshold that the weighted sum must reach for the neuron to fire. `None`: only a
    /// stimulus makes it fire.
    pub threshold: Option<f64>,
    /// The weights of neurons. One without a connection has no effect until it is connected.
    pub weights: BTreeMap<NeuronId, f64>,
    /// The sensors that are attached to this neuron.
    pub sensors: BTreeMap<SensorId, Sensor>,
    /// The neurons that are connected as inputs, each with the delay of the edge; `None` for an
    /// edge that the neuron waits for.
    pub inputs: BTreeMap<NeuronId, Option<Duration>>,
    /// How long a stimulus or a reading lasts.
    pub hold: Duration,
    /// How long the neuron stays on once the sum has fallen below the threshold.
    pub linger: Duration,
    /// When the neuron may answer.
    pub mode: Mode,
    /// What makes the neuron fire.
    pub rule: Rule,
    /// How long an input may be silent while the neuron waits for it. After that the neuron answers
    /// without it. A reservation may keep other neurons waiting for half as long.
    pub patience: Duration,
    /// How long a level stays valid without a renewal. Sources renew their levels every third of
    /// this.
    pub lease: Duration,
}

impl Config {
    /// The default hold, from the article that this system follows: "its output is certainly 0
    /// after 5 seconds".
    pub const HOLD: Duration = Duration::from_secs(5);
    /// The default patience: several round trips through a broker, and still short for a person who
    /// waits.
    pub const PATIENCE: Duration = Duration::from_millis(250);
    /// The default lease: short enough that a level whose source is gone ends before a person is
    /// puzzled by it, long enough that renewals cost little.
    pub const LEASE: Duration = Duration::from_secs(2);

    /// Returns a configuration without inputs and threshold, and with the default times.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the threshold.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Connects a neuron as an input, with a weight.
    pub fn input(mut self, source: NeuronId, weight: f64) -> Self {
        self.inputs.insert(source.clone(), None);
        self.weights.insert(source, weight);
        self
    }

    /// Connects a neuron as an input over an edge with a delay.
    pub fn delayed_input(mut self, source: NeuronId, weight: f64, delay: Duration) -> Self {
        self.inputs.insert(source.clone(), Some(delay));
        self.weights.insert(source, weight);
        self
    }

    /// Attaches a sensor, with a weight.
    pub fn sensor(self, sensor: SensorId, weight: f64) -> Self {
        self.sensor_with(sensor, Sensor::new(weight))
    }

    /// Attaches a sensor.
    pub fn sensor_with(mut self, sensor: SensorId, attached: Sensor) -> Self {
        self.sensors.insert(sensor, attached);
        self
    }

    /// Sets how long a stimulus or a reading lasts.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// Sets how long the neuron stays on once the sum has fallen below the threshold.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets how long an input may be silent while the neuron waits for it.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how long a level stays valid without a renewal.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets when the neuron may answer.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets what makes the neuron fire.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// Applies one change.
    pub(crate) fn apply(&mut self, change: &ConfigChange) {
        match change {
            ConfigChange::SetWeight { source: Source::Neuron(id), weight } => {
                self.weights.insert(id.clone(), *weight);
            }
            ConfigChange::SetWeight { source: Source::Sensor(id), weight } => {
                self.sensors.entry(id.clone()).or_insert_with(|| Sensor::new(*weight)).weight = *weight;
            }
            ConfigChange::DeleteWeight { source: Source::Neuron(id) } => {
                self.weights.remove(id);
            }
            ConfigChange::DeleteWeight { source: Source::Sensor(id) } => {
                self.sensors.remove(id);
            }
            ConfigChange::SetThreshold { threshold } => self.threshold = Some(*threshold),
            ConfigChange::Connect { source, delay } => {
                self.inputs.insert(source.clone(), *delay);
            }
            ConfigChange::Disconnect { source } => {
                self.inputs.remove(source);
            }
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threshold: None,
            weights: BTreeMap::new(),
            sensors: BTreeMap::new(),
            inputs: BTreeMap::new(),
            hold: Self::HOLD,
            linger: Duration::ZERO,
            mode: Mode::Coherent,
            rule: Rule::Level,
            patience: Self::PATIENCE,
            lease: Self::LEASE,
        }
    }
}

/// One change of a neuron's configuration. Commands, events and transactions carry it.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigChange {
    /// Sets the weight of a source. For a sensor this also attaches it, as [`Sensor::new`] makes
    /// it.
    SetWeight {
        /// The source whose weight is set.
        source: Source,
        /// The weight; its magnitude is at most [`MAX_MAGNITUDE`].
        weight: f64,
    },
    /// Deletes the weight of a source. A connected neuron without a weight counts as 0.
    DeleteWeight {
        /// The source whose weight is deleted.
        source: Source,
    },
    /// Sets the threshold.
    SetThreshold {
        /// The threshold; its magnitude is at most [`MAX_MAGNITUDE`].
        threshold: f64,
    },
    /// Connects a source: from the tag of the change on, it counts as an input.
    Connect {
        /// The source.
        source: NeuronId,
        /// The delay of the edge; `None` for an edge that the neuron waits for.
        delay: Option<Duration>,
    },
    /// Disconnects a source: from the tag of the change on, it does not count as an input.
    Disconnect {
        /// The source.
        source: NeuronId,
    },
}
