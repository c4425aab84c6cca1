//! What a transport carries, and where to.

use crate::{
    command::{Report, Request},
    id::{ControllerId, NeuronId},
    signal::Signal,
};

/// Where an envelope can be sent to, within a network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A neuron: it gets signals and requests.
    Neuron(NeuronId),
    /// A controller: it gets reports.
    Controller(ControllerId),
}

/// A message with its sender and its receiver.
///
/// Who may say what to whom is in the type: neurons signal to neurons, controllers make requests to neurons, neurons
/// report to controllers.
#[derive(Clone, Debug, PartialEq)]
pub enum Envelope {
    /// From a neuron to a neuron.
    Signal {
        /// The sender.
        from: NeuronId,
        /// The receiver.
        to: NeuronId,
        /// The message.
        signal: Signal,
    },
    /// From a controller to a neuron.
    Request {
        /// The sender.
        from: ControllerId,
        /// The receiver.
        to: NeuronId,
        /// The message.
        request: Box<Request>,
    },
    /// From a neuron to a controller.
    Report {
        /// The sender.
        from: NeuronId,
        /// The receiver.
        to: ControllerId,
        /// The message.
        report: Box<Report>,
    },
}

impl Envelope {
    /// Where it goes.
    pub fn to(&self) -> Address {
        match self {
            Self::Signal { to, .. } | Self::Request { to, .. } => Address::Neuron(to.clone()),
            Self::Report { to, .. } => Address::Controller(to.clone()),
        }
    }
}
