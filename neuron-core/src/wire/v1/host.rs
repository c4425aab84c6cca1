//! Messages between hosts.

use std::time::Duration;

use super::{
    fields::{micros, name},
    kind,
};
use crate::{
    hosts::{HostMessage, HostMessageBody, MAX_GONE},
    id::NeuronId,
    wire::{
        error::{WireError, WireErrorKind},
        frame,
    },
};

pub(in crate::wire) fn encode_host_message(message: &HostMessage) -> Result<Vec<u8>, WireError> {
    let life = message.life;
    match &message.body {
        HostMessageBody::Alive { number, echo, held, listens } => {
            frame::encode(kind::HOST_ALIVE, &(life, number, echo, micros(*held), listens))
        }
        HostMessageBody::Gone { neurons } => {
            let names: Vec<&str> = neurons.iter().map(NeuronId::as_str).collect();
            frame::encode(kind::HOST_GONE, &(life, names))
        }
        HostMessageBody::Goodbye => frame::encode(kind::HOST_GOODBYE, &life),
    }
}

pub(in crate::wire) fn decode_host_message(kind: u8, bytes: &[u8]) -> Result<HostMessage, WireError> {
    let (life, body) = match kind {
        kind::HOST_ALIVE => {
            let (life, number, echo, held, listens) = frame::decode(bytes)?;
            (life, HostMessageBody::Alive { number, echo, held: Duration::from_micros(held), listens })
        }
        kind::HOST_GONE => {
            let (life, names): (u32, Vec<String>) = frame::decode(bytes)?;
            if names.len() > MAX_GONE {
                return Err(WireErrorKind::Malformed.into());
            }
            let neurons = names.iter().map(|text| name(text)).collect::<Result<_, _>>()?;
            (life, HostMessageBody::Gone { neurons })
        }
        kind::HOST_GOODBYE => (frame::decode(bytes)?, HostMessageBody::Goodbye),
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    Ok(HostMessage { life, body })
}
