//! The content of a file, version 2: version 1, and the changes that controllers asked for.
//!
//! This layout is frozen: files that were written with it must always be readable. A neuron without
//! such changes is written with version 1.

use bincode::Options as _;
use serde::{Deserialize, Serialize};

use super::v1::{self, FileV1};
use crate::{
    id::NeuronId,
    neuron::{CompletedChange, Saved},
    tag::Tag,
};

/// The fields of a file.
#[derive(Serialize, Deserialize)]
struct FileV2 {
    state: FileV1,
    /// The controller, the number of its request, and the tag from which on the change counts.
    changes: Vec<(String, u64, u64)>,
}

/// Encodes the state of a neuron.
pub(super) fn encode(neuron: &NeuronId, saved: &Saved) -> Result<Vec<u8>, bincode::Error> {
    let changes = saved.changes.iter();
    let changes = changes.map(|change| (change.controller.to_string(), change.request, change.tag.to_bits()));
    v1::format().serialize(&FileV2 { state: FileV1::new(neuron, saved), changes: changes.collect() })
}

/// Returns the neuron and its state.
///
/// # Errors
/// Returns a description of what is wrong with the bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<(NeuronId, Saved), String> {
    let file: FileV2 =
        v1::format().with_limit(bytes.len() as u64).deserialize(bytes).map_err(|error| error.to_string())?;
    let (neuron, saved) = file.state.into_saved()?;
    let changes = file.changes.into_iter().map(|(controller, request, tag)| {
        let controller = controller.parse().map_err(v1::bad_name)?;
        Ok(CompletedChange { controller, request, tag: Tag::from_bits(tag) })
    });
    let changes = changes.collect::<Result<_, String>>()?;
    Ok((neuron, Saved { changes, ..saved }))
}
