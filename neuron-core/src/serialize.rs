//! How answers are written for other programs, as JSON for example. Nothing is read back.
//!
//! Names are texts, durations are texts such as `250ms`, tags have their time in UTC beside their
//! exact value.

use std::{collections::BTreeMap, time::Duration};

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeStruct as _},
};

use crate::{
    tag::{Tag, Time},
    value::Missing,
};

/// As microseconds since the Unix epoch: a number that a JSON reader keeps exactly.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.as_micros())
    }
}

/// As a structure: `utc` for people; `micros` and `counter`, which make the tag.
impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Tag", 3)?;
        fields.serialize_field("utc", &self.to_utc())?;
        fields.serialize_field("micros", &self.time())?;
        fields.serialize_field("counter", &self.counter())?;
        fields.end()
    }
}

/// As the list of names.
impl Serialize for Missing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// Writes a duration as people write it.
pub(crate) fn duration<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*span))
}

/// Writes a duration as people write it; none as none.
#[cfg(feature = "actor")]
pub(crate) fn optional_duration<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => duration(span, serializer),
        None => serializer.serialize_none(),
    }
}

/// Writes a map whose values are durations, or none.
pub(crate) fn delays<K: Serialize, S: Serializer>(
    delays: &BTreeMap<K, Option<Duration>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(delays.len()))?;
    for (source, delay) in delays {
        map.serialize_entry(source, &delay.map(|delay| humantime::format_duration(delay).to_string()))?;
    }
    map.end()
}
