//! Samples and configurations.

use std::{collections::BTreeMap, fmt::Display, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::fields::{finite, level, micros, name, tag, to_missing};
use crate::{
    command::{ConfigView, Sample},
    id::{NameError, NeuronId, SensorId},
    neuron::{Mode, Rule, Sensor, SensorHold, WhenSilent},
    wire::error::WireError,
};

/// The configuration of a neuron. Durations are in microseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct WireConfig {
    output: WireSample,
    threshold: Option<f64>,
    weights: Vec<(String, f64)>,
    sensors: Vec<WireSensor>,
    inputs: Vec<(String, Option<u64>)>,
    connections: Vec<String>,
    hold: u64,
    linger: u64,
    asap: bool,
    /// The window and the refractory period of the pulse rule; `None` for the level rule.
    pulse: Option<(u64, u64)>,
}

impl WireConfig {
    pub(super) fn encode(config: &ConfigView) -> Result<Self, WireError> {
        Ok(Self {
            output: WireSample::encode(&config.output)?,
            threshold: config.threshold.map(finite).transpose()?,
            weights: encode_weights(&config.weights)?,
            sensors: config.sensors.iter().map(WireSensor::encode).collect::<Result<_, _>>()?,
            inputs: config.inputs.iter().map(|(id, delay)| (id.to_string(), delay.map(micros))).collect(),
            connections: config.connections.iter().map(ToString::to_string).collect(),
            hold: micros(config.hold),
            linger: micros(config.linger),
            asap: config.mode == Mode::Asap,
            pulse: match config.rule {
                Rule::Level => None,
                Rule::Pulse { window, refractory } => Some((micros(window), micros(refractory))),
            },
        })
    }

    pub(super) fn decode(self) -> Result<ConfigView, WireError> {
        Ok(ConfigView {
            output: self.output.decode()?,
            threshold: self.threshold.map(finite).transpose()?,
            weights: decode_weights(self.weights)?,
            sensors: self.sensors.into_iter().map(WireSensor::decode).collect::<Result<_, _>>()?,
            inputs: self
                .inputs
                .into_iter()
                .map(|(text, delay)| Ok((name(&text)?, delay.map(Duration::from_micros))))
                .collect::<Result<_, WireError>>()?,
            connections: self.connections.iter().map(|text| name::<NeuronId>(text)).collect::<Result<_, _>>()?,
            hold: Duration::from_micros(self.hold),
            linger: Duration::from_micros(self.linger),
            mode: if self.asap { Mode::Asap } else { Mode::Coherent },
            rule: match self.pulse {
                None => Rule::Level,
                Some((window, refractory)) => {
                    Rule::Pulse { window: Duration::from_micros(window), refractory: Duration::from_micros(refractory) }
                }
            },
        })
    }
}

/// A sensor: its name, its weight, its hold, and whether it is unknown while it is silent.
#[derive(Serialize, Deserialize)]
struct WireSensor {
    name: String,
    weight: f64,
    hold: WireHold,
    is_unknown_when_silent: bool,
}

#[derive(Serialize, Deserialize)]
enum WireHold {
    OfNeuron,
    For(u64),
    UntilNext,
}

impl WireSensor {
    fn encode((id, sensor): (&SensorId, &Sensor)) -> Result<Self, WireError> {
        let hold = match sensor.hold {
            SensorHold::OfNeuron => WireHold::OfNeuron,
            SensorHold::For(hold) => WireHold::For(micros(hold)),
            SensorHold::UntilNext => WireHold::UntilNext,
        };
        let is_unknown_when_silent = sensor.when_silent == WhenSilent::Unknown;
        Ok(Self { name: id.to_string(), weight: finite(sensor.weight)?, hold, is_unknown_when_silent })
    }

    fn decode(self) -> Result<(SensorId, Sensor), WireError> {
        let hold = match self.hold {
            WireHold::OfNeuron => SensorHold::OfNeuron,
            WireHold::For(hold) => SensorHold::For(Duration::from_micros(hold)),
            WireHold::UntilNext => SensorHold::UntilNext,
        };
        let when_silent = if self.is_unknown_when_silent { WhenSilent::Unknown } else { WhenSilent::Zero };
        Ok((name(&self.name)?, Sensor { weight: finite(self.weight)?, hold, when_silent }))
    }
}

fn encode_weights<T: Display>(weights: &BTreeMap<T, f64>) -> Result<Vec<(String, f64)>, WireError> {
    weights.iter().map(|(id, weight)| Ok((id.to_string(), finite(*weight)?))).collect()
}

fn decode_weights<T: FromStr<Err = NameError> + Ord>(
    weights: Vec<(String, f64)>,
) -> Result<BTreeMap<T, f64>, WireError> {
    weights.into_iter().map(|(text, weight)| Ok((name(&text)?, finite(weight)?))).collect()
}

/// A level, its tag and what it lacks.
#[derive(Serialize, Deserialize)]
pub(super) struct WireSample {
    level: f64,
    tag: u64,
    missing: Vec<String>,
}

impl WireSample {
    pub(super) fn encode(sample: &Sample) -> Result<Self, WireError> {
        let missing = sample.missing.names().iter().map(ToString::to_string).collect();
        Ok(Self { level: level(sample.level)?, tag: sample.tag.to_bits(), missing })
    }

    pub(super) fn decode(self) -> Result<Sample, WireError> {
        Ok(Sample { level: level(self.level)?, tag: tag(self.tag)?, missing: to_missing(self.missing)? })
    }
}
