//! What a plan does to a network.

use std::time::Duration;

use crate::{
    command::{Command, ConfigChange},
    id::{HostId, NeuronId, SensorId},
};

/// Something that is done to a network, by a controller or by a fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A controller stimulates a neuron.
    Stimulate {
        /// The neuron.
        neuron: NeuronId,
        /// 1 makes the neuron fire; 0 ends an earlier stimulus.
        level: f64,
        /// How long the stimulus lasts. `None`: the hold of the neuron.
        hold: Option<Duration>,
    },
    /// A controller stimulates a neuron several times in a row.
    Train {
        /// The neuron.
        neuron: NeuronId,
        /// The levels, in their order.
        levels: Vec<f64>,
    },
    /// A controller sends a reading of a sensor.
    Feed {
        /// The neuron that the sensor is attached to.
        neuron: NeuronId,
        /// The sensor.
        sensor: SensorId,
        /// The level that the sensor shows; `None` if it is unknown.
        level: Option<f64>,
        /// The coincidence window. `None`: the reading gets a tag of its own.
        window: Option<Duration>,
    },
    /// A controller stimulates several neurons at one tag.
    Present(Vec<(NeuronId, f64)>),
    /// A controller asks for the level at the present time of the neuron's clock.
    Query(NeuronId),
    /// A controller sends a command that changes the configuration of a neuron.
    Change {
        /// The neuron.
        neuron: NeuronId,
        /// The command.
        command: Command,
    },
    /// A controller changes several neurons at one tag.
    Transaction(Vec<(NeuronId, Vec<ConfigChange>)>),
    /// A controller begins to watch a neuron.
    Watch(NeuronId),
    /// A controller ends its watches of a neuron.
    Unwatch(NeuronId),
    /// A neuron panics, and restarts at once with its configuration.
    Panic(NeuronId),
    /// A host loses power.
    Crash(HostId),
    /// A host stops in order: its neurons stop, and it says goodbye to other hosts.
    Stop(HostId),
    /// A host that crashed or stopped comes back.
    Restart {
        /// The host.
        host: HostId,
        /// What became of its disk.
        disk: Disk,
        /// How far its clock is ahead from then on, in microseconds; negative if it is behind.
        offset: i64,
    },
    /// The clock of a host is set. A host that is up follows it forward, and not back; one that is
    /// frozen, afterwards. No effect while the host is down.
    SetClock {
        /// The host.
        host: HostId,
        /// How far its clock is ahead from then on, in microseconds; negative if it is behind.
        offset: i64,
    },
    /// From now on no message passes between two hosts.
    Partition(HostId, HostId),
    /// From now on no message passes from the first host to the second.
    PartitionOneWay(HostId, HostId),
    /// Messages between two hosts pass again, in both directions.
    Heal(HostId, HostId),
    /// A host pauses for a time, and then continues where it was.
    Freeze(HostId, Duration),
    /// A neuron that was absent starts.
    Join(NeuronId),
}

/// What became of the disk of a host that crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// It holds what was saved last.
    Kept,
    /// It is empty: the neurons start from the network file, as if for the first time.
    Lost,
    /// It holds what was saved when the run began, like a backup.
    Old,
}

impl Action {
    /// Returns a stimulus that lasts for the hold of the neuron.
    ///
    /// # Panics
    /// If `neuron` is not a valid name.
    pub fn stimulate(neuron: &str, level: f64) -> Self {
        Self::Stimulate { neuron: name(neuron), level, hold: None }
    }

    /// Returns whether it is a wave or a transaction in which a neuron takes part.
    pub(super) fn has_member(&self, neuron: &NeuronId) -> bool {
        match self {
            Self::Present(members) => members.iter().any(|(member, _)| member == neuron),
            Self::Transaction(members) => members.iter().any(|(member, _)| member == neuron),
            _ => false,
        }
    }

    /// Returns the crash of a host. A neuron without a host has one of its own name.
    ///
    /// # Panics
    /// If `host` is not a valid name.
    pub fn crash(host: &str) -> Self {
        Self::Crash(name(host))
    }

    /// Returns the restart of a host with its disk and a correct clock.
    ///
    /// # Panics
    /// If `host` is not a valid name.
    pub fn restart(host: &str) -> Self {
        Self::Restart { host: name(host), disk: Disk::Kept, offset: 0 }
    }
}

#[expect(clippy::panic, reason = "a test with a bad name has to see it at once")]
pub(super) fn name<T: std::str::FromStr<Err = crate::NameError>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}
