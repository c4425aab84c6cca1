//! How a neuron is set up.

use std::{collections::BTreeMap, time::Duration};

use crate::id::{NeuronId, SensorId, Source};

/// The largest magnitude of a weight, a threshold or a reading.
///
/// Products of two such numbers, and sums of any number of products, stay far from infinity, so no sum can become
/// infinite or undefined.
pub const MAX_MAGNITUDE: f64 = 1e100;

/// Whether `number` may be a weight, a threshold or a reading.
pub fn is_finite(number: f64) -> bool {
    number.abs() <= MAX_MAGNITUDE
}

/// When a neuron may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Once per tag, when everything that could bear on it has been heard. Never wrong.
    #[default]
    Coherent,
    /// On every arrival. Fastest, and may glitch: the news of one wave counts one by one, as it comes in. Each arrival has a tag of
    /// its own, later than that of the wave, so the level at the tag of a wave is not what the wave leads to: watch such a neuron.
    Asap,
}

/// What makes a neuron fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// While the weighted sum of its inputs' levels is at or above the threshold.
    #[default]
    Level,
    /// For an instant, when the kicks that still count reach the threshold.
    ///
    /// A kick is a rise of an input, or a reading other than 0. It counts with the weight it had when it came. The
    /// neuron fires only when a kick (or a stimulus) comes, never because one expires. Firing uses up all kicks.
    Pulse {
        /// How long a kick counts; 0.5 s by default.
        window: Duration,
        /// How long after a firing the neuron ignores kicks; its output reads 1 meanwhile. 0.1 s by default. The tag
        /// at which the period ends still belongs to it.
        refractory: Duration,
    },
}

impl Rule {
    /// The default `window` of a pulse neuron, from the second version of the 2016 system.
    pub const WINDOW: Duration = Duration::from_millis(500);
    /// The default `refractory` period of a pulse neuron, from the same source.
    pub const REFRACTORY: Duration = Duration::from_millis(100);
}

/// How one neuron is set up when it starts.
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
    /// The neuron fires when the weighted sum reaches this. Not set: it never fires by itself.
    pub threshold: Option<f64>,
    /// The weights of neurons.
    pub weights: BTreeMap<NeuronId, f64>,
    /// The weights of the sensors attached here.
    pub sensors: BTreeMap<SensorId, f64>,
    /// The neurons to subscribe to, each with the delay of the edge.
    pub inputs: BTreeMap<NeuronId, Option<Duration>>,
    /// How long a stimulus or a reading lasts.
    pub hold: Duration,
    /// How long the neuron stays on after its support has gone.
    pub linger: Duration,
    /// When it may answer.
    pub mode: Mode,
    /// What makes it fire.
    pub rule: Rule,
    /// How long an input may be silent while it is waited for, before the neuron answers without it. Half of this is how
    /// long a reservation may keep others waiting.
    pub patience: Duration,
    /// How long a level lasts that is not renewed. It is renewed every third of this.
    pub lease: Duration,
}

impl Config {
    /// The default hold, from the article: "its output is certainly 0 after 5 seconds".
    pub const HOLD: Duration = Duration::from_secs(5);
    /// The default patience.
    pub const PATIENCE: Duration = Duration::from_millis(250);
    /// The default lease: a level that nobody renews any more is over before people wonder.
    pub const LEASE: Duration = Duration::from_secs(2);

    /// No inputs, no threshold.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the threshold.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Connects a neuron, with a weight.
    pub fn input(mut self, source: NeuronId, weight: f64) -> Self {
        self.inputs.insert(source.clone(), None);
        self.weights.insert(source, weight);
        self
    }

    /// Connects a neuron over an edge with a delay.
    pub fn delayed_input(mut self, source: NeuronId, weight: f64, delay: Duration) -> Self {
        self.inputs.insert(source.clone(), Some(delay));
        self.weights.insert(source, weight);
        self
    }

    /// Attaches a sensor.
    pub fn sensor(mut self, sensor: SensorId, weight: f64) -> Self {
        self.sensors.insert(sensor, weight);
        self
    }

    /// Sets how long a stimulus or a reading lasts.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// Sets how long the neuron stays on after its support has gone.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets how long an input may be silent.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how long a level lasts that is not renewed.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Applies one change.
    pub(crate) fn apply(&mut self, change: &ConfigChange) {
        match change {
            ConfigChange::SetWeight { source: Source::Neuron(id), weight } => {
                self.weights.insert(id.clone(), *weight);
            }
            ConfigChange::SetWeight { source: Source::Sensor(id), weight } => {
                self.sensors.insert(id.clone(), *weight);
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

/// One change of a neuron's configuration, as it is asked for, recorded and kept.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigChange {
    /// Sets the weight of a source. For a sensor this also attaches it.
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
        /// The delay of the edge; `None` for an edge without delay, whose source is waited for.
        delay: Option<Duration>,
    },
    /// Disconnects a source: from the tag of the change on, it does not count.
    Disconnect {
        /// The source.
        source: NeuronId,
    },
}
