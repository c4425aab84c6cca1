//! A hostile machine: what it is, and when it lies.
//!
//! A device that is taken over has valid credentials. A broker lets it publish well-formed messages
//! in its own name to every inbox of the network, and no others. [`Liar`] draws such messages.

mod liar;
mod pool;
mod reports;
mod signals;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use liar::{Liar, Victims};

use super::{Plan, action::name, judge::connections};
use crate::id::{HostId, NeuronId};

/// A machine of a plan that lies. It runs one neuron of the network, on a host of its own, and
/// sends what that neuron would send, in part altered, and random messages beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hostile {
    /// Its neuron. If the network does not have it, the run has no hostile machine.
    pub neuron: NeuronId,
    /// When it begins to lie.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
    /// The longest pause between two bursts of lies.
    pub pause: Duration,
    /// The most lies at one time.
    pub burst: u32,
    /// The share of its neuron's own messages that are altered, lost or doubled, in percent.
    pub altered: u8,
    /// Which lies it tells.
    pub habits: Habits,
    /// What becomes of it afterwards.
    pub afterwards: Afterwards,
    /// A rule that the run leaves out on purpose; `None` in every run that is to be judged.
    pub weakness: Option<Weakness>,
}

/// Lies that have lasting effects, so that a run with them shows less of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// It claims that later incarnations of its neighbours have been heard, which fences them.
    pub fences: bool,
    /// It names tags hours ahead.
    pub far_tags: bool,
    /// It invents incarnations of its own.
    pub incarnations: bool,
}

/// What becomes of a hostile machine when it has ended its lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It loses power, for good.
    Crashes,
    /// It stops in order, for good.
    Leaves,
    /// It loses power and comes back as an honest machine, with its disk, after this time.
    ComesBack(Duration),
}

/// A rule that a run leaves out on purpose, to show that the judges notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// The broker does not check who sends: lies come in the names of other neurons.
    AnySender,
    /// The controller takes replies from any neuron, and for any tag.
    AnyReply,
    /// Hosts let every neuron subscribe.
    AnyListener,
    /// Hosts do not count the subscriptions that they refuse.
    Uncounted,
}

impl Hostile {
    /// Returns a machine that lies about ten times a second, from the start until the faults of a
    /// plan usually end, and then loses power.
    ///
    /// # Panics
    /// If `neuron` is not a valid name.
    pub fn new(neuron: &str) -> Self {
        Self {
            neuron: name(neuron),
            from: Duration::ZERO,
            until: Duration::from_secs(12),
            pause: Duration::from_millis(200),
            burst: 4,
            altered: 20,
            habits: Habits::default(),
            afterwards: Afterwards::Crashes,
            weakness: None,
        }
    }

    /// Returns the host that the neuron runs on.
    pub(super) fn host(&self) -> HostId {
        name(self.neuron.as_str())
    }
}

impl Plan {
    /// Returns whether the hostile neuron may listen to another one: the network has that edge. No
    /// action makes one.
    pub(super) fn liar_listens_to(&self, liar: &NeuronId, source: &NeuronId) -> bool {
        self.network.neuron(liar).is_some_and(|spec| spec.weights.contains_key(source))
    }

    /// Returns whether another neuron ever listens to the hostile one.
    pub(super) fn liar_feeds(&self, liar: &NeuronId, listener: &NeuronId) -> bool {
        self.network.neuron(listener).is_some_and(|spec| spec.weights.contains_key(liar))
            || connections(self).any(|(to, from, _)| to == listener && from == liar)
    }
}
