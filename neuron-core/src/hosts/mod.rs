//! Hosts, which live or die as a whole, as others see them: without input and output of its own.
//!
//! `HostLinks` is what a host knows of the others. It takes in what its own neurons subscribe to,
//! where those neurons run, the messages of other hosts, and the time. It returns messages to be
//! sent, and which inputs are lost or back. Hosts that share no edge send each other nothing.
//!
//! Why: docs/decisions/0043-hosts-tell-each-other-that-they-live.md

mod claim;
#[cfg(feature = "actor")]
mod claims;
#[cfg(any(feature = "actor", feature = "sim"))]
#[cfg_attr(not(feature = "actor"), allow(dead_code, reason = "a host uses more of it than the simulator"))]
mod links;
mod message;
#[cfg(any(feature = "actor", feature = "sim"))]
mod peer;
#[cfg(all(test, any(feature = "actor", feature = "sim")))]
mod tests;

use std::time::Duration;

pub use claim::Claim;
#[cfg(feature = "actor")]
pub(crate) use claims::{ANSWER_TIME, CONTESTED_FOR, ClaimOutput, HostClaims, START_PAUSE};
#[cfg(any(feature = "actor", feature = "sim"))]
pub(crate) use links::{HostLinks, LinkOutput};
pub use message::{HostMessage, HostMessageBody, MAX_GONE};

use crate::{
    id::{HostId, NeuronId},
    tag::Time,
};

/// How often hosts that share an edge tell each other that they live.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// After how long without a fresh sign of life a host is lost: two may be lost on the way. One may
/// be a second old when it is echoed, and wait for another second until it is echoed.
pub const LOST_AFTER: Duration = Duration::from_millis(4500);

/// Whether a host lives, as another one sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// It lives.
    Up,
    /// It has stopped in order.
    Left {
        /// The local time at which it said so.
        since: Time,
    },
    /// It cannot be heard: it has crashed, or is cut off.
    Lost {
        /// The local time at which that was noticed.
        since: Time,
    },
}

#[cfg(feature = "actor")]
impl HostState {
    /// Returns the state with its time moved on by `by`.
    pub(crate) fn moved(self, by: Duration) -> Self {
        match self {
            Self::Up => Self::Up,
            Self::Left { since } => Self::Left { since: since.after(by) },
            Self::Lost { since } => Self::Lost { since: since.after(by) },
        }
    }
}

/// A host of a network, as another one sees it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct HostInfo {
    /// The name of the host.
    pub id: HostId,
    /// Whether it lives.
    pub state: HostState,
    /// The neurons that it runs, or ran last, as far as they are known; ordered by name.
    pub neurons: Vec<NeuronId>,
    /// The version of this library that it runs; `None` if it has not been asked.
    pub version: Option<String>,
    /// How long a message there and back took last; `None` if that was not measured, and for the
    /// host itself.
    #[cfg_attr(feature = "actor", serde(serialize_with = "crate::serialize::optional_duration"))]
    pub round_trip: Option<Duration>,
}
