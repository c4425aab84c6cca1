//! What a host says of its neurons to a controller that watches all of them.

use serde::{Deserialize, Serialize};

use super::fields::{PositionFields, name, position_fields, to_position};
use crate::{
    command::{HostChange, HostChanges, HostPosition, MAX_LISTED},
    wire::error::{WireError, WireErrorKind},
};

#[derive(Serialize, Deserialize)]
pub(super) struct WireHostChanges {
    watch: u64,
    host: String,
    life: u64,
    counter: u64,
    latest: Option<u64>,
    changed: Vec<(String, Option<PositionFields>)>,
}

impl WireHostChanges {
    pub(super) fn encode(changes: &HostChanges) -> Result<Self, WireError> {
        check_length(changes.changed.len())?;
        let changed = changes.changed.iter();
        let changed = changed.map(|change| (change.neuron.to_string(), change.position.map(position_fields)));
        Ok(Self {
            watch: changes.watch,
            host: changes.host.to_string(),
            life: changes.position.life,
            counter: changes.position.counter,
            latest: changes.latest,
            changed: changed.collect(),
        })
    }

    pub(super) fn decode(self) -> Result<HostChanges, WireError> {
        check_length(self.changed.len())?;
        let changed = self
            .changed
            .into_iter()
            .map(|(neuron, position)| Ok(HostChange { neuron: name(&neuron)?, position: position.map(to_position) }));
        Ok(HostChanges {
            watch: self.watch,
            host: name(&self.host)?,
            position: HostPosition { life: self.life, counter: self.counter },
            latest: self.latest,
            changed: changed.collect::<Result<_, WireError>>()?,
        })
    }
}

fn check_length(neurons: usize) -> Result<(), WireError> {
    if neurons > MAX_LISTED { Err(WireErrorKind::Malformed.into()) } else { Ok(()) }
}
