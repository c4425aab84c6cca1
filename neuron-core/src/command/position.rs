//! Where a change stands among all changes.

use crate::{
    id::{HostId, NeuronId},
    signal::Incarnation,
};

/// The most neurons that one [`HostChanges`] lists, so that it fits into a bundle.
pub const MAX_LISTED: usize = 512;

/// The position of a change of level among all changes of a neuron. Positions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchPosition {
    /// The incarnation of the neuron.
    pub incarnation: Incarnation,
    /// How many changes there were in that incarnation, up to and including this one, counted from
    /// when the neuron was first watched in it. A stretch of tags whose level the neuron itself
    /// does not know counts as one more.
    pub number: u64,
}

/// A position among all changes of all neurons of a host, since a controller began to watch it. The
/// default is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostPosition {
    /// A random number that the host draws when it begins to count; 0 if nothing is known of it.
    pub life: u64,
    /// How many changes it has counted since.
    pub counter: u64,
}

/// Which neurons of a host have changed, come or gone since a position that the controller knew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChanges {
    /// The number of the watch.
    pub watch: u64,
    /// The name of the host.
    pub host: HostId,
    /// Up to where the list goes. If the life is not the one that the controller knew, everything
    /// is listed from the beginning.
    pub position: HostPosition,
    /// What the host has counted up to now; above `position` if more is to be listed. `None` while
    /// the host has not taken all its neurons in.
    pub latest: Option<u64>,
    /// The neurons in the order of their last change, each once and at most [`MAX_LISTED`].
    pub changed: Vec<HostChange>,
}

/// A neuron of a host that has changed, come or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChange {
    /// The neuron.
    pub neuron: NeuronId,
    /// The position of its last change; `None` if the host does not run it any more.
    pub position: Option<WatchPosition>,
}
