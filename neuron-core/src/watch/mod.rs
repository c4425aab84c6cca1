//! Watching a neuron from a controller, without input and output of its own.
//!
//! [`WatchLink`] is what a controller knows of one watched neuron. It takes in reports, answers and
//! the time, and returns the changes that the reader is told, and the renewals to be sent. The
//! controller of a host drives it. [`NetworkLink`] does the same for all neurons of a network, and
//! [`HostWatchers`] is what a host keeps for that.
//!
//! Why: docs/decisions/0041-a-watch-is-renewed-by-its-reader.md
//! Why: docs/decisions/0046-a-network-is-watched-by-host.md

#[cfg(feature = "actor")]
mod host_watchers;
mod link;
#[cfg(feature = "actor")]
mod network;
#[cfg(test)]
mod tests;
#[cfg(feature = "actor")]
mod unread;

#[cfg(feature = "actor")]
pub(crate) use host_watchers::HostWatchers;
pub(crate) use link::{Polled, WatchLink};
#[cfg(feature = "actor")]
pub(crate) use network::{Home, NetworkLink, NetworkOutput};
#[cfg(feature = "actor")]
pub(crate) use unread::Unread;

use crate::{id::NeuronId, tag::Tag, value::Missing};

/// A change of a neuron's level.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Change {
    /// The level from `tag` on: 1 when the neuron fires, else 0. Also 0 while the neuron cannot be
    /// heard.
    pub level: f64,
    /// When the level changed, in tag time. For a neuron that cannot be heard any more, and for one
    /// that is heard again with the level that was told before, the tag that was told last. Tags of
    /// a watch never decrease.
    pub tag: Tag,
    /// The neurons that were missing and could have changed the level; empty for a plain answer. It
    /// is the watched neuron itself if that cannot be heard.
    pub missing: Missing,
    /// How many changes between the last one that was returned and this one were lost: because they
    /// were not read in time, or on the way. A stretch of time whose levels are not known counts as
    /// one: because the neuron missed what an input said then, or was started anew.
    pub missed: u64,
}

impl Change {
    /// Returns whether the neuron fires.
    pub fn fires(&self) -> bool {
        self.level != 0.0
    }

    /// Returns whether neurons were missing that could have changed the level.
    pub fn is_degraded(&self) -> bool {
        !self.missing.is_empty()
    }
}

/// What is told of a neuron by a watch of all neurons.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchEvent {
    /// Its level has changed; or it is told for the first time.
    Changed {
        /// The neuron.
        neuron: NeuronId,
        /// The change, as a watch of this neuron alone tells it.
        change: Change,
    },
    /// It has been removed from the network. Nothing follows, unless it is added again.
    Removed {
        /// The neuron.
        neuron: NeuronId,
    },
}

impl WatchEvent {
    /// Returns the neuron.
    pub fn neuron(&self) -> &NeuronId {
        let (Self::Changed { neuron, .. } | Self::Removed { neuron }) = self;
        neuron
    }
}
