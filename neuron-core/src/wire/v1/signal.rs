//! Signals.

use super::{
    fields::{
        IncarnationFields, MissingNames, StreamFields, incarnation_fields, level, name, stream_fields, tag,
        to_incarnation, to_missing, to_stream,
    },
    kind,
};
use crate::{
    signal::{Signal, SignalBody},
    value::Value,
    wire::{
        error::{WireError, WireErrorKind},
        frame,
    },
};

pub(in crate::wire) fn encode_signal(signal: &Signal) -> Result<Vec<u8>, WireError> {
    let sender = incarnation_fields(signal.incarnation);
    match &signal.body {
        SignalBody::Subscribe { stream: id } => frame::encode(kind::SUBSCRIBE, &(sender, stream_fields(*id))),
        SignalBody::Unsubscribe { stream: id } => frame::encode(kind::UNSUBSCRIBE, &(sender, stream_fields(*id))),
        SignalBody::Hello => frame::encode(kind::HELLO, &sender),
        SignalBody::NoStream { stream: id } => frame::encode(kind::NO_STREAM, &(sender, stream_fields(*id))),
        SignalBody::Fenced { answered, known } => {
            frame::encode(kind::FENCED, &(sender, incarnation_fields(*answered), incarnation_fields(*known)))
        }
        SignalBody::Where => frame::encode(kind::WHERE, &sender),
        SignalBody::Home { host } => frame::encode(kind::HOME, &(sender, host.as_str())),
        SignalBody::Changed { stream: id, seq, known, at, value } => {
            let number = level(value.level)?;
            let missing = MissingNames(&value.missing);
            frame::encode(
                kind::CHANGED,
                &(sender, stream_fields(*id), seq, known.to_bits(), at.to_bits(), number, missing),
            )
        }
        SignalBody::Ack { stream: id, upto } => frame::encode(kind::ACK, &(sender, stream_fields(*id), upto)),
        SignalBody::Nothing { stream: id, after, upto, wave } => {
            frame::encode(kind::NOTHING, &(sender, stream_fields(*id), after, upto.to_bits(), wave))
        }
        SignalBody::Probe { stream: id, upto } => {
            frame::encode(kind::PROBE, &(sender, stream_fields(*id), upto.to_bits()))
        }
    }
}

pub(in crate::wire) fn decode_signal(kind: u8, bytes: &[u8]) -> Result<Signal, WireError> {
    let (sender, body) = match kind {
        kind::SUBSCRIBE => {
            let (sender, id) = frame::decode(bytes)?;
            (sender, SignalBody::Subscribe { stream: to_stream(id) })
        }
        kind::UNSUBSCRIBE => {
            let (sender, id) = frame::decode(bytes)?;
            (sender, SignalBody::Unsubscribe { stream: to_stream(id) })
        }
        kind::HELLO => (frame::decode(bytes)?, SignalBody::Hello),
        kind::NO_STREAM => {
            let (sender, id) = frame::decode(bytes)?;
            (sender, SignalBody::NoStream { stream: to_stream(id) })
        }
        kind::FENCED => {
            let (sender, answered, known) = frame::decode(bytes)?;
            (sender, SignalBody::Fenced { answered: to_incarnation(answered), known: to_incarnation(known) })
        }
        kind::WHERE => (frame::decode(bytes)?, SignalBody::Where),
        kind::HOME => {
            let (sender, host): (IncarnationFields, String) = frame::decode(bytes)?;
            (sender, SignalBody::Home { host: name(&host)? })
        }
        kind::CHANGED => {
            let (sender, id, seq, known, at, number, names): (
                IncarnationFields,
                StreamFields,
                u64,
                u64,
                u64,
                f64,
                Vec<String>,
            ) = frame::decode(bytes)?;
            let value = Value { level: level(number)?, missing: to_missing(names)? };
            let known = tag(known)?;
            let at = tag(at)?;
            (sender, SignalBody::Changed { stream: to_stream(id), seq, known, at, value })
        }
        kind::ACK => {
            let (sender, id, upto) = frame::decode(bytes)?;
            (sender, SignalBody::Ack { stream: to_stream(id), upto })
        }
        kind::NOTHING => {
            let (sender, id, after, upto, wave): (IncarnationFields, StreamFields, u64, u64, bool) =
                frame::decode(bytes)?;
            (sender, SignalBody::Nothing { stream: to_stream(id), after, upto: tag(upto)?, wave })
        }
        kind::PROBE => {
            let (sender, id, upto): (IncarnationFields, StreamFields, u64) = frame::decode(bytes)?;
            (sender, SignalBody::Probe { stream: to_stream(id), upto: tag(upto)? })
        }
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    Ok(Signal { incarnation: to_incarnation(sender), body })
}
