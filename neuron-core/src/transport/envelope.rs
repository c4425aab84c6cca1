//! What a transport carries, and where to.

use crate::{
    command::{Report, Request},
    id::{ControllerId, NeuronId},
    signal::Signal,
};

/// A destination of envelopes within a network. A neuron and a controller of one name are two
/// addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A neuron, which receives signals and requests.
    Neuron(NeuronId),
    /// A controller, which receives reports.
    Controller(ControllerId),
}

/// A message with its sender and its receiver.
///
/// The variants are the only ways that exist: neurons signal to neurons, controllers send requests
/// to neurons, neurons report to controllers.
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
}

impl Envelope {
    /// Returns the address that it is for. Clones the name.
    pub fn to(&self) -> Address {
        match self {
            Self::Signal { to, .. } | Self::Request { to, .. } => Address::Neuron(to.clone()),
            Self::Report { to, .. } => Address::Controller(to.clone()),
        }
    }
}
