//! The frame around every message: a version byte, a kind byte, and the fields of that kind.

use bincode::Options as _;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{WireError, WireErrorKind},
    limits::MAX_FRAME,
};

/// The version that is written.
pub const VERSION: u8 = 1;

/// The capacity that is reserved for a new frame, in bytes: enough for most frames.
///
/// It is below the largest size that the allocators of most systems keep in a cache of the thread
/// without a limit on the count. Frames are made and freed by the hundred.
const TYPICAL_FRAME: usize = 112;

/// Encodes a message as a frame.
///
/// # Errors
/// [`WireErrorKind::TooLarge`] if the frame would have more than [`MAX_FRAME`] bytes.
#[inline]
pub(super) fn encode(kind: u8, fields: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut frame = Vec::with_capacity(TYPICAL_FRAME);
    frame.extend([VERSION, kind]);
    // With a limit, bincode would go through the fields twice: once for their size.
    format().serialize_into(&mut frame, fields).map_err(malformed)?;
    if frame.len() > MAX_FRAME {
        return Err(WireErrorKind::TooLarge.into());
    }
    Ok(frame)
}

/// Splits a frame into its kind and the bytes of its fields.
///
/// # Errors
/// If the frame is too short or too large, or has an unknown version.
#[inline]
pub(super) fn split(frame: &[u8]) -> Result<(u8, &[u8]), WireError> {
    if frame.len() > MAX_FRAME {
        return Err(WireErrorKind::TooLarge.into());
    }
    match frame {
        [VERSION, kind, fields @ ..] => Ok((*kind, fields)),
        [version, ..] if *version != VERSION => Err(WireErrorKind::UnknownVersion(*version).into()),
        _ => Err(WireErrorKind::TooShort.into()),
    }
}

/// Decodes the fields of a message.
///
/// # Errors
/// [`WireErrorKind::Malformed`] if the bytes are not exactly these fields.
#[inline]
pub(super) fn decode<T: DeserializeOwned>(fields: &[u8]) -> Result<T, WireError> {
    format().with_limit(MAX_FRAME as u64).reject_trailing_bytes().deserialize(fields).map_err(malformed)
}

fn format() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_fixint_encoding()
}

fn malformed(error: bincode::Error) -> WireError {
    WireError::with_source(WireErrorKind::Malformed, error)
}
