//! From whom to whom.

use neuron_core::{
    ControllerId, NeuronId,
    transport::{Address, Envelope},
    wire::{self, WireError},
};

use crate::MessageKind;

/// The way that an envelope takes. All that take the same one have one subject.
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
}

impl Route {
    /// The way of an envelope, and the frame that goes it.
    ///
    /// # Errors
    /// When it does not fit into a frame.
    pub fn seal(envelope: Envelope) -> Result<(Self, Vec<u8>), WireError> {
        Ok(match envelope {
            Envelope::Signal { from, to, signal } => (Self::Signal { from, to }, wire::encode_signal(&signal)?),
            Envelope::Request { from, to, request } => (Self::Request { from, to }, wire::encode_request(&request)?),
            Envelope::Report { from, to, report } => (Self::Report { from, to }, wire::encode_report(&report)?),
        })
    }

    /// The envelope that came this way.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn open(&self, frame: &[u8]) -> Result<Envelope, WireError> {
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
        })
    }

    /// What goes there.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Signal { .. } => MessageKind::Signal,
            Self::Request { .. } => MessageKind::Request,
            Self::Report { .. } => MessageKind::Report,
        }
    }

    /// The names of its two ends: whose inbox it leads to, and who speaks.
    pub fn ends(&self) -> (&str, &str) {
        match self {
            Self::Signal { from, to } => (to.as_str(), from.as_str()),
            Self::Request { from, to } => (to.as_str(), from.as_str()),
            Self::Report { from, to } => (to.as_str(), from.as_str()),
        }
    }

    /// Where it leads.
    pub fn to(&self) -> Address {
        match self {
            Self::Signal { to, .. } | Self::Request { to, .. } => Address::Neuron(to.clone()),
            Self::Report { to, .. } => Address::Controller(to.clone()),
        }
    }
}
