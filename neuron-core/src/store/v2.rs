//! The content of a file, version 2: version 1, the changes that controllers asked for, and how
//! long readings hold and what silence means.
//!
//! This layout is frozen: files that were written with it must always be readable. A neuron without
//! such changes, and whose sensors are as [`Sensor::new`] makes them, is written with version 1.

use std::time::Duration;

use bincode::Options as _;
use serde::{Deserialize, Serialize};

use super::v1::{self, FileV1};
use crate::{
    id::NeuronId,
    neuron::{CompletedChange, Saved, SensorHold, WhenSilent},
    tag::Tag,
};

/// The fields of a file.
#[derive(Serialize, Deserialize)]
struct FileV2 {
    state: FileV1,
    /// The controller, the number of its request, and the tag from which on the change counts.
    changes: Vec<(String, u64, u64)>,
    /// Of each sensor of `state`, in the same order, its hold and whether it is unknown while it is
    /// silent.
    sensors: Vec<(HoldV2, bool)>,
}

#[derive(Serialize, Deserialize)]
enum HoldV2 {
    OfNeuron,
    /// In nanoseconds.
    For(u64),
    UntilNext,
}

/// Encodes the state of a neuron.
pub(super) fn encode(neuron: &NeuronId, saved: &Saved) -> Result<Vec<u8>, bincode::Error> {
    let changes = saved.changes.iter();
    let changes = changes.map(|change| (change.controller.to_string(), change.request, change.tag.to_bits()));
    let sensors = saved.config.sensors.values().map(|sensor| {
        let hold = match sensor.hold {
            SensorHold::OfNeuron => HoldV2::OfNeuron,
            SensorHold::For(hold) => HoldV2::For(v1::nanos(hold)),
            SensorHold::UntilNext => HoldV2::UntilNext,
        };
        (hold, sensor.when_silent == WhenSilent::Unknown)
    });
    v1::format().serialize(&FileV2 {
        state: FileV1::new(neuron, saved),
        changes: changes.collect(),
        sensors: sensors.collect(),
    })
}

/// Returns the neuron and its state.
///
/// # Errors
/// Returns a description of what is wrong with the bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<(NeuronId, Saved), String> {
    let file: FileV2 =
        v1::format().with_limit(bytes.len() as u64).deserialize(bytes).map_err(|error| error.to_string())?;
    let (neuron, mut saved) = file.state.into_saved()?;
    if file.sensors.len() != saved.config.sensors.len() {
        return Err(format!("{} sensors, and the holds of {}", saved.config.sensors.len(), file.sensors.len()));
    }
    for (sensor, (hold, is_unknown)) in saved.config.sensors.values_mut().zip(file.sensors) {
        sensor.hold = match hold {
            HoldV2::OfNeuron => SensorHold::OfNeuron,
            HoldV2::For(hold) => SensorHold::For(Duration::from_nanos(hold)),
            HoldV2::UntilNext => SensorHold::UntilNext,
        };
        sensor.when_silent = if is_unknown { WhenSilent::Unknown } else { WhenSilent::Zero };
    }
    let changes = file.changes.into_iter().map(|(controller, request, tag)| {
        let controller = controller.parse().map_err(v1::bad_name)?;
        Ok(CompletedChange { controller, request, tag: Tag::from_bits(tag) })
    });
    let changes = changes.collect::<Result<_, String>>()?;
    Ok((neuron, Saved { changes, ..saved }))
}
