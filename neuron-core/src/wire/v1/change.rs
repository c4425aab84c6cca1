//! Changes of a configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fields::{finite, micros, name};
use crate::{command::ConfigChange, id::Source, wire::error::WireError};

/// The source of a weight.
#[derive(Serialize, Deserialize)]
pub(super) enum WireSource {
    Neuron(String),
    Sensor(String),
}

impl WireSource {
    fn encode(source: &Source) -> Self {
        match source {
            Source::Neuron(id) => Self::Neuron(id.to_string()),
            Source::Sensor(id) => Self::Sensor(id.to_string()),
        }
    }

    fn decode(self) -> Result<Source, WireError> {
        Ok(match self {
            Self::Neuron(id) => Source::Neuron(name(&id)?),
            Self::Sensor(id) => Source::Sensor(name(&id)?),
        })
    }
}

/// A change of a configuration, as [`Command::Prepare`](crate::command::Command::Prepare) carries
/// it.
#[derive(Serialize, Deserialize)]
pub(super) enum WireChange {
    SetWeight(WireSource, f64),
    DeleteWeight(WireSource),
    SetThreshold(f64),
    Connect(String, Option<u64>),
    Disconnect(String),
}

impl WireChange {
    pub(super) fn encode(change: &ConfigChange) -> Result<Self, WireError> {
        Ok(match change {
            ConfigChange::SetWeight { source, weight } => Self::SetWeight(WireSource::encode(source), finite(*weight)?),
            ConfigChange::DeleteWeight { source } => Self::DeleteWeight(WireSource::encode(source)),
            ConfigChange::SetThreshold { threshold } => Self::SetThreshold(finite(*threshold)?),
            ConfigChange::Connect { source, delay } => Self::Connect(source.to_string(), delay.map(micros)),
            ConfigChange::Disconnect { source } => Self::Disconnect(source.to_string()),
        })
    }

    pub(super) fn decode(self) -> Result<ConfigChange, WireError> {
        Ok(match self {
            Self::SetWeight(source, weight) => {
                ConfigChange::SetWeight { source: source.decode()?, weight: finite(weight)? }
            }
            Self::DeleteWeight(source) => ConfigChange::DeleteWeight { source: source.decode()? },
            Self::SetThreshold(threshold) => ConfigChange::SetThreshold { threshold: finite(threshold)? },
            Self::Connect(source, delay) => {
                ConfigChange::Connect { source: name(&source)?, delay: delay.map(Duration::from_micros) }
            }
            Self::Disconnect(source) => ConfigChange::Disconnect { source: name(&source)? },
        })
    }
}
