//! Why a host did not do what it was asked to.

use std::fmt;

use super::{
    ControlError,
    text::{hosts, list, unknown},
};
use crate::{
    error_text::fmt_with_causes,
    id::{HostId, NeuronId},
    network::NetworkError,
    store::StoreError,
    tag::Time,
    transport::TransportError,
};

/// Why a host did not start, or did not add or remove a neuron.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The system gave no thread.
    #[error("cannot start the host's thread")]
    Thread(#[source] std::io::Error),
    /// The system gave no event loop for the host's thread, as when the process has as many files
    /// and sockets open as it may.
    #[error(
        "cannot make the event loop of the host's thread, which needs a few file descriptors; if too many are open, \
         raise the limit (`ulimit -n`)"
    )]
    EventLoop(#[source] std::io::Error),
    /// An inbox could not be opened.
    #[error("cannot open the inbox of {address}")]
    Subscribe {
        /// The neuron or the controller whose inbox it is.
        address: String,
        /// Why the transport did not open it.
        source: TransportError,
    },
    /// The host is to run a neuron that the network does not have.
    #[error("{}", unknown("neuron", name, nearest))]
    UnknownNeuron {
        /// The name that was given.
        name: String,
        /// The most similar name in the network; `None` if none is similar.
        nearest: Option<String>,
    },
    /// No neuron of the network names this host.
    #[error("no neuron of the network has `host = \"{name}\"`; {}", hosts(known))]
    UnknownHost {
        /// The name that was given.
        name: String,
        /// The hosts that the network does name; empty if it names none.
        known: Vec<String>,
    },
    /// What was saved for a neuron cannot be read. Nothing has been started.
    #[error("cannot load what was saved for {neuron}")]
    Load {
        /// The neuron.
        neuron: NeuronId,
        /// Why the store did not return it.
        source: StoreError,
    },
    /// What was saved of a neuron reaches more than three hours ahead of the clock, and the clock
    /// was not set within the time that
    /// [`HostBuilder::wait_for_clock`](crate::actor::HostBuilder::wait_for_clock) allows. Nothing
    /// has been started: what the neuron said would have tags that no other neuron believes.
    ///
    /// Either the clock is behind now: set it right, and start again. Or it was ahead when this was
    /// saved, be it for a minute: start once with
    /// [`HostBuilder::forget_future`](crate::actor::HostBuilder::forget_future). Do not delete the
    /// file of the neuron: other neurons remember it, and [fence](Self::Fenced) one that has
    /// forgotten what it was, or do not believe it.
    #[error(
        "{neuron} has spoken of times up to {} (UTC), but the clock shows {}: either the clock is behind now; then set \
         it, and start again. Or it was ahead before, for instance because local time was taken for UTC; then start \
         once with `forget_future`",
        saved.to_utc(),
        clock.to_utc()
    )]
    AheadOfClock {
        /// The neuron that has spoken of the latest time.
        neuron: NeuronId,
        /// The time up to which it may have spoken.
        saved: Time,
        /// The time that the clock shows, after the wait.
        clock: Time,
    },
    /// The store does not list what it has, or does not save the ceiling of the host. Nothing has been
    /// started.
    #[error("cannot use the store")]
    Store(#[source] StoreError),
    /// A neuron cannot be saved, and so must not say anything.
    #[error("cannot save {neuron}, and what is not saved must not be said")]
    Save {
        /// The neuron.
        neuron: NeuronId,
        /// Why the store did not save it.
        source: StoreError,
    },
    /// The neuron has left, but is still in the store: the next host will run it again, without
    /// connections.
    #[error("{neuron} has left, but cannot be removed from the store")]
    Forget {
        /// The neuron.
        neuron: NeuronId,
        /// Why the store did not remove it.
        source: StoreError,
    },
    /// Other neurons have heard of another incarnation of this one: it runs elsewhere at the same
    /// time, or its store was lost, or is an outdated copy. It was fenced before it could
    /// contradict itself.
    ///
    /// Stop the other one, or put the right store back. If that is lost for good, save for the
    /// neuron, in its store, a [`Saved`](crate::neuron::Saved) whose `incarnation` is `known` and
    /// whose `ceiling` is the present time ([`Tag::at`](crate::Tag::at)): it resumes in an
    /// incarnation that is later than all, and says nothing of the time before.
    #[error(
        "{neuron} was started as incarnation {ours}, but others have heard of another incarnation, number {known}: it \
         runs elsewhere, or its store was lost or restored from an old copy"
    )]
    Fenced {
        /// The neuron.
        neuron: NeuronId,
        /// The number of the incarnation that was started here.
        ours: u32,
        /// The number of the incarnation that others have heard of. If both are equal, they come
        /// from copies of one store.
        known: u32,
    },
    /// Another host runs neurons of this one. This host does not start; or it ends, if both have
    /// started before they could hear each other.
    ///
    /// Stop the other host and start this one again, or leave the other one running. If both have
    /// one name, the same program probably runs twice.
    #[error(
        "another host, {host}, runs {}: a neuron runs once; stop that host, or give this one other neurons, and start this \
         one again",
        list(neurons)
    )]
    RunsElsewhere {
        /// The name of the other host.
        host: HostId,
        /// The neurons that both run, as far as they are known.
        neurons: Vec<NeuronId>,
    },
    /// A neuron stopped before it was ready: it panicked twice, or another host took its place on
    /// the transport.
    #[error("{neuron} stopped before it was ready; it panicked twice, or another host took its place")]
    Ended {
        /// The neuron.
        neuron: NeuronId,
    },
    /// The neuron does not fit into the network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The neuron belongs to the network, but runs on another host, which alone can remove it.
    #[error("{0} runs on another host")]
    Elsewhere(NeuronId),
    /// The neuron could not be disconnected.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The host's thread ended before all neurons were ready.
    #[error("the host stopped before its neurons were ready")]
    Stopped,
}

impl fmt::Debug for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
    }
}
