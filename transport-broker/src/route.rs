//! The sender and the receiver of an envelope.

use neuron_core::{
    ControllerId, HostId, NeuronId,
    transport::{Address, Envelope},
    wire::{self, WireError},
};

use crate::MessageKind;

/// The sender and the receiver of an envelope. Envelopes of one route share a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// From a neuron to a neuron.
    Signal {
        /// The sender.
        from: NeuronId,
        /// The receiver.
        to: NeuronId,
    },
    /// From a controller to a neuron.
    Request {
        /// The sender.
        from: ControllerId,
        /// The receiver.
        to: NeuronId,
    },
    /// From a neuron to a controller.
    Report {
        /// The sender.
        from: NeuronId,
        /// The receiver.
        to: ControllerId,
    },
    /// From a host to a host.
    Host {
        /// The sender.
        from: HostId,
        /// The receiver.
        to: HostId,
    },
}

impl Route {
    /// Splits an envelope into its route and its encoded frame.
    ///
    /// # Errors
    /// When the content does not fit into a frame.
    pub fn encode(envelope: Envelope) -> Result<(Self, Vec<u8>), WireError> {
        Ok(match envelope {
            Envelope::Signal { from, to, signal } => (Self::Signal { from, to }, wire::encode_signal(&signal)?),
            Envelope::Request { from, to, request } => (Self::Request { from, to }, wire::encode_request(&request)?),
            Envelope::Report { from, to, report } => (Self::Report { from, to }, wire::encode_report(&report)?),
            Envelope::Host { from, to, message } => (Self::Host { from, to }, wire::encode_host_message(&message)?),
        })
    }

    /// Decodes a frame that came on this route into its envelope.
    ///
    /// # Errors
    /// When the bytes are not a frame of this route's kind.
    pub fn decode(&self, frame: &[u8]) -> Result<Envelope, WireError> {
        Ok(match self {
            Self::Signal { from, to } => {
                Envelope::Signal { from: from.clone(), to: to.clone(), signal: wire::decode_signal(frame)? }
            }
            Self::Request { from, to } => {
                let request = Box::new(wire::decode_request(frame)?);
                Envelope::Request { from: from.clone(), to: to.clone(), request }
            }
            Self::Report { from, to } => {
                let report = Box::new(wire::decode_report(frame)?);
                Envelope::Report { from: from.clone(), to: to.clone(), report }
            }
            Self::Host { from, to } => {
                let message = Box::new(wire::decode_host_message(frame)?);
                Envelope::Host { from: from.clone(), to: to.clone(), message }
            }
        })
    }

    /// Returns the kind of the envelopes on this route.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Signal { .. } => MessageKind::Signal,
            Self::Request { .. } => MessageKind::Request,
            Self::Report { .. } => MessageKind::Report,
            Self::Host { .. } => MessageKind::Host,
        }
    }

    /// Returns the address of the receiver.
    pub fn target(&self) -> Address {
        match self {
            Self::Signal { to, .. } | Self::Request { to, .. } => Address::Neuron(to.clone()),
            Self::Report { to, .. } => Address::Controller(to.clone()),
            Self::Host { to, .. } => Address::Host(to.clone()),
        }
    }

    /// Returns the route of what answers the messages on this one.
    #[must_use]
    pub fn reverse(&self) -> Self {
        match self.clone() {
            Self::Signal { from, to } => Self::Signal { from: to, to: from },
            Self::Request { from, to } => Self::Report { from: to, to: from },
            Self::Report { from, to } => Self::Request { from: to, to: from },
            Self::Host { from, to } => Self::Host { from: to, to: from },
        }
    }

    /// Returns the name of the receiver and the name of the sender, in this order.
    pub fn target_and_source(&self) -> (&str, &str) {
        match self {
            Self::Signal { from, to } => (to.as_str(), from.as_str()),
            Self::Request { from, to } => (to.as_str(), from.as_str()),
            Self::Report { from, to } => (to.as_str(), from.as_str()),
            Self::Host { from, to } => (to.as_str(), from.as_str()),
        }
    }
}
