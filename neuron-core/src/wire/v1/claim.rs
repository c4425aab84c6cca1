//! What hosts claim.

use super::{
    fields::{name, time},
    kind,
};
use crate::{
    hosts::Claim,
    id::NeuronId,
    wire::{
        error::{WireError, WireErrorKind},
        frame,
    },
};

pub(in crate::wire) fn encode_claim(claim: &Claim) -> Result<Vec<u8>, WireError> {
    let Claim { neuron, host, id, since, is_established, answers } = claim;
    let fields = (neuron.as_str(), host.as_str(), id, since.as_micros(), is_established, answers);
    frame::encode(kind::CLAIM, &fields)
}

pub(in crate::wire) fn decode_claim(kind: u8, bytes: &[u8]) -> Result<Claim, WireError> {
    if kind != kind::CLAIM {
        return Err(WireErrorKind::UnknownKind(kind).into());
    }
    let (neuron, host, id, since, is_established, answers): (String, String, u64, u64, bool, Option<u64>) =
        frame::decode(bytes)?;
    let neuron: NeuronId = name(&neuron)?;
    Ok(Claim { neuron, host: name(&host)?, id, since: time(since)?, is_established, answers })
}
