//! What a transport carries, and where to.

use crate::{
    command::{Report, Request},
    hosts::HostMessage,
    id::{ControllerId, HostId, NeuronId},
    signal::Signal,
};

/// A destination of envelopes within a network. A neuron, a controller and a host of one name are
/// three addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A neuron, which receives signals and requests.
    Neuron(NeuronId),
    /// A controller, which receives reports.
    Controller(ControllerId),
    /// A host, which receives signs of life of other hosts.
    Host(HostId),
}

impl Address {
    /// Returns the name in the address.
    pub fn name(&self) -> &str {
        match self {
            Self::Neuron(id) => id.as_str(),
            Self::Controller(id) => id.as_str(),
            Self::Host(id) => id.as_str(),
        }
    }
}

/// A message with its sender and its receiver.
///
/// The variants are the only ways that exist: neurons signal to neurons, controllers send requests
/// to neurons, neurons report to controllers, hosts tell hosts that they live.
#[derive(Clone, Debug, PartialEq)]
pub enum Envelope {
    /// From a neuron to a neuron.
    Signal {
        /// The neuron that sends it.
        from: NeuronId,
        /// The neuron that it is for.
        to: NeuronId,
        /// The message.
        signal: Signal,
    },
    /// From a controller to a neuron.
    Request {
        /// The controller that sends it.
        from: ControllerId,
        /// The neuron that it is for.
        to: NeuronId,
        /// The message.
        request: Box<Request>,
    },
    /// From a neuron to a controller.
    Report {
        /// The neuron that sends it.
        from: NeuronId,
        /// The controller that it is for.
        to: ControllerId,
        /// The message.
        report: Box<Report>,
    },
    /// From a host to a host.
    Host {
        /// The host that sends it.
        from: HostId,
        /// The host that it is for.
        to: HostId,
        /// The message.
        message: Box<HostMessage>,
    },
}

impl Envelope {
    /// Returns the address that it is for. Clones the name.
    pub fn to(&self) -> Address {
        match self {
            Self::Signal { to, .. } | Self::Request { to, .. } => Address::Neuron(to.clone()),
            Self::Report { to, .. } => Address::Controller(to.clone()),
            Self::Host { to, .. } => Address::Host(to.clone()),
        }
    }
}
