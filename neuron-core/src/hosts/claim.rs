//! What hosts say of the neurons that they run, so that no neuron runs twice.

use crate::{
    id::{HostId, NeuronId},
    tag::Time,
};

/// What a host says of a neuron that it runs, or is about to run. All hosts of the network may hear
/// it; only a device that may speak as the neuron can say it.
///
/// Why: docs/decisions/0052-a-host-claims-its-neurons.md
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The neuron.
    pub neuron: NeuronId,
    /// The name of the host.
    pub host: HostId,
    /// A random number, drawn when the host started: it tells apart hosts of one name.
    pub id: u64,
    /// When the host started, by its own clock. Of two hosts that both run a neuron, the one that
    /// says the earlier time goes on.
    pub since: Time,
    /// The host has waited for other claims; `false` while it waits.
    pub is_established: bool,
    /// The `id` of the claim that this one answers; `None` if it answers none. Only an answer ends a
    /// host: a claim may have been kept on the way since its host has died.
    pub answers: Option<u64>,
}
