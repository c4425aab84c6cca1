//! Watching a neuron from a controller, without input and output of its own.
//!
//! [`WatchLink`] is what a controller knows of one watched neuron. It takes in reports, answers and
//! the time, and returns the changes that the reader is told, and the renewals to be sent. The
//! controller of a host drives it.
//!
//! Why: docs/decisions/0041-a-watch-is-renewed-by-its-reader.md

mod link;
#[cfg(test)]
mod tests;

pub(crate) use link::{Polled, WatchLink};

use crate::{tag::Tag, value::Missing};

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
