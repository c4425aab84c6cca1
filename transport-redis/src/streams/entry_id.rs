//! The position of an entry in a Redis stream.

use std::{fmt, num::ParseIntError, str::FromStr};

/// The id of a stream entry: milliseconds of the server's clock, and a sequence number within that
/// millisecond. The default lies before all entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub(super) millis: u64,
    pub(super) sequence: u64,
}

impl EntryId {
    /// Splits what comes over a channel, `<id> <frames>`, into the id and the frames. `None` means
    /// that it has another form.
    pub(super) fn split_payload(payload: &[u8]) -> Option<(Self, &[u8])> {
        let space = payload.iter().position(|byte| *byte == b' ')?;
        let id = std::str::from_utf8(&payload[..space]).ok()?.parse().ok()?;
        Some((id, &payload[space + 1..]))
    }
}

impl FromStr for EntryId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (millis, sequence) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self { millis: millis.parse()?, sequence: sequence.parse()? })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_payload_begins_with_the_id_of_its_entry() {
        let id = EntryId { millis: 12, sequence: 3 };
        assert_eq!(EntryId::split_payload(b"12-3 \x01\x04 x"), Some((id, &b"\x01\x04 x"[..])));
        for none in [&b""[..], b"12-3", b" x", b"a-b x", b"\xff x"] {
            assert_eq!(EntryId::split_payload(none), None);
        }
    }
}
