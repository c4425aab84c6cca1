//! Fields that several messages share, with the checks that received ones must pass.

use std::{str::FromStr, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeSeq as _};

use crate::{
    command::WatchPosition,
    id::{NameError, SourceId},
    neuron::{is_finite, is_level},
    signal::{Incarnation, StreamId},
    tag::{Tag, Time},
    value::Missing,
    wire::error::{WireError, WireErrorKind},
};

/// The number and the nonce of an incarnation.
pub(super) type IncarnationFields = (u32, u32);

/// The incarnation of a stream, and its counter.
pub(super) type StreamFields = (IncarnationFields, u32);

pub(super) fn incarnation_fields(incarnation: Incarnation) -> IncarnationFields {
    (incarnation.number, incarnation.nonce)
}

pub(super) fn to_incarnation((number, nonce): IncarnationFields) -> Incarnation {
    Incarnation { number, nonce }
}

pub(super) fn stream_fields(stream: StreamId) -> StreamFields {
    (incarnation_fields(stream.incarnation), stream.counter)
}

pub(super) fn to_stream((incarnation, counter): StreamFields) -> StreamId {
    StreamId { incarnation: to_incarnation(incarnation), counter }
}

/// The names of what a level lacks, encoded as a list of texts.
pub(super) struct MissingNames<'a>(pub(super) &'a Missing);

impl Serialize for MissingNames<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Most levels lack nothing.
        if self.0.is_empty() {
            return serializer.serialize_seq(Some(0))?.end();
        }
        serializer.collect_seq(self.0.names().iter().map(SourceId::as_str))
    }
}

pub(super) fn to_missing(names: Vec<String>) -> Result<Missing, WireError> {
    // Most levels lack nothing.
    if names.is_empty() {
        return Ok(Missing::NONE);
    }
    names.iter().map(|text| name::<SourceId>(text)).collect()
}

/// Checks that a number is finite, in both directions.
pub(super) fn finite(number: f64) -> Result<f64, WireError> {
    if is_finite(number) { Ok(number) } else { Err(WireErrorKind::NotFinite.into()) }
}

/// Checks that a number is the level of a neuron, in both directions.
pub(super) fn level(number: f64) -> Result<f64, WireError> {
    if is_level(number) { Ok(number) } else { Err(WireErrorKind::NotALevel.into()) }
}

/// Decodes a tag. The bits after [`Tag::MAX`], all ones, are malformed.
pub(super) fn tag(bits: u64) -> Result<Tag, WireError> {
    let tag = Tag::from_bits(bits);
    if tag.to_bits() == bits { Ok(tag) } else { Err(WireErrorKind::Malformed.into()) }
}

/// Decodes a time. What lies after [`Time::MAX`] is malformed.
pub(super) fn time(micros: u64) -> Result<Time, WireError> {
    let time = Time::from_micros(micros);
    if time.as_micros() == micros { Ok(time) } else { Err(WireErrorKind::Malformed.into()) }
}

/// Parses a name. Names travel as texts.
pub(super) fn name<T: FromStr<Err = NameError>>(text: &str) -> Result<T, WireError> {
    text.parse().map_err(|error| WireError::with_source(WireErrorKind::BadName, Box::new(error)))
}

/// Returns a duration in microseconds, the unit of durations on the wire and of tags.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// The incarnation of a position, and its number.
pub(super) type PositionFields = (IncarnationFields, u64);

pub(super) fn position_fields(position: WatchPosition) -> PositionFields {
    (incarnation_fields(position.incarnation), position.number)
}

pub(super) fn to_position((incarnation, number): PositionFields) -> WatchPosition {
    WatchPosition { incarnation: to_incarnation(incarnation), number }
}
