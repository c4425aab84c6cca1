//! Sensors that are attached to neurons.
//!
//! Why: docs/decisions/0044-silence-of-a-sensor.md

use std::time::Duration;

use serde::Serialize;

use crate::serialize;

/// A sensor that is attached to a neuron: its weight, how long a reading counts, and what silence
/// means.
///
/// ```
/// use std::time::Duration;
///
/// use neuron_core::neuron::{Sensor, SensorHold, WhenSilent};
///
/// // A thermometer that reports each minute. Without it the neuron does not know.
/// let thermometer = Sensor::new(0.5).hold(Duration::from_secs(90)).when_silent(WhenSilent::Unknown);
/// assert_eq!(thermometer.hold, SensorHold::For(Duration::from_secs(90)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sensor {
    /// The factor that a reading is multiplied by.
    pub weight: f64,
    /// How long a reading counts.
    pub hold: SensorHold,
    /// What the sensor counts as before its first reading, and after a reading has run out.
    pub when_silent: WhenSilent,
}

/// How long a reading of a sensor counts. The caller of a reading can choose another time for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SensorHold {
    /// As long as a stimulus of the neuron: for its hold.
    #[default]
    OfNeuron,
    /// For this long.
    For(#[serde(serialize_with = "serialize::duration")] Duration),
    /// Until the next reading, or a restart of the neuron.
    UntilNext,
}

/// What a sensor counts as while no reading of it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenSilent {
    /// As 0.
    #[default]
    Zero,
    /// As unknown: it could show any number. While that could change the level, the answers of the
    /// neuron are degraded and name the sensor; the sum counts it as 0.
    Unknown,
}

impl Sensor {
    /// Makes a sensor whose readings hold as long as stimuli of the neuron, and that counts as 0
    /// while it is silent.
    pub const fn new(weight: f64) -> Self {
        Self { weight, hold: SensorHold::OfNeuron, when_silent: WhenSilent::Zero }
    }

    /// Sets how long a reading counts.
    pub const fn hold(mut self, hold: Duration) -> Self {
        self.hold = SensorHold::For(hold);
        self
    }

    /// Lets a reading count until the next one.
    pub const fn until_next(mut self) -> Self {
        self.hold = SensorHold::UntilNext;
        self
    }

    /// Sets what the sensor counts as while no reading of it holds.
    pub const fn when_silent(mut self, when_silent: WhenSilent) -> Self {
        self.when_silent = when_silent;
        self
    }

    /// Returns the level while no reading holds; `None` if it is unknown then.
    pub(crate) const fn silent_level(&self) -> Option<f64> {
        match self.when_silent {
            WhenSilent::Zero => Some(0.0),
            WhenSilent::Unknown => None,
        }
    }

    /// Returns how long a reading counts at a neuron with this hold; [`Duration::MAX`] until the
    /// next one.
    pub(crate) fn hold_at(&self, hold: Duration) -> Duration {
        match self.hold {
            SensorHold::OfNeuron => hold,
            SensorHold::For(hold) => hold,
            SensorHold::UntilNext => Duration::MAX,
        }
    }
}
