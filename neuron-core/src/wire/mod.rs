//! The wire: what a message looks like where it leaves the process.
//!
//! A frame is a version byte, a kind byte, and the fields of that kind as bincode 1.3 writes them (little-endian,
//! integers of fixed width, texts and lists with a 64-bit length before them). Nothing follows. The layouts of version 1
//! are in `v1`; its golden bytes are in the tests. Bytes that come in are never trusted: whatever they are, the answer
//! is a message or a [`WireError`], never a panic, and never more memory than [`MAX_FRAME`] asks for.
//!
//! Frames that wait for one receiver can travel together, as a [`Bundle`]; [`frames`] takes apart whatever has come.

mod bundle;
mod v1;

#[cfg(test)]
mod tests;

use bincode::Options as _;
pub use bundle::{Bundle, Frames, MAX_BUNDLE, MAX_FRAMES, frames};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    command::{Report, Request},
    signal::Signal,
};

/// The version that is written.
pub const VERSION: u8 = 1;

/// The largest frame, in bytes: 1 MiB.
///
/// A signal has 70 bytes, and the names of what is missing. The largest message is the configuration of a neuron; this leaves room for 6,000 inputs
/// with names of full length. Both Redis and NATS carry it with their default settings (NATS allows 1 MiB by default).
pub const MAX_FRAME: usize = 1 << 20;

/// Why bytes are no message, or a message cannot become bytes.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct WireError {
    kind: WireErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl WireError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> WireErrorKind {
        self.kind
    }
}

impl From<WireErrorKind> for WireError {
    fn from(kind: WireErrorKind) -> Self {
        Self { kind, source: None }
    }
}

/// What can be wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// It is shorter than its two first bytes.
    #[error("the frame is too short")]
    TooShort,
    /// It has more than [`MAX_FRAME`] bytes; sending it again will not help.
    #[error("the frame is larger than {MAX_FRAME} bytes")]
    TooLarge,
    /// It has a version that this program does not know; a newer one may.
    #[error("version {0} of the wire is not known here")]
    UnknownVersion(u8),
    /// It has a kind that is not known, or does not belong here.
    #[error("a message of kind {0} is not known here")]
    UnknownKind(u8),
    /// Its fields are not those of its kind, or something follows them.
    #[error("the frame is malformed")]
    Malformed,
    /// A number in it is not finite, or its magnitude is too large.
    #[error("a number in the frame is not finite")]
    NotFinite,
    /// A name in it is none.
    #[error("a name in the frame is none")]
    BadName,
}

/// Turns a signal into a frame.
///
/// # Errors
/// [`WireErrorKind::NotFinite`] for a level that is not finite.
pub fn encode_signal(signal: &Signal) -> Result<Vec<u8>, WireError> {
    v1::encode_signal(signal)
}

/// Turns a frame into a signal.
///
/// # Errors
/// For any bytes that are none.
pub fn decode_signal(frame: &[u8]) -> Result<Signal, WireError> {
    let (kind, fields) = open(frame)?;
    v1::decode_signal(kind, fields)
}

/// Turns a request into a frame.
///
/// # Errors
/// When a number is not finite, or the frame would be too large.
pub fn encode_request(request: &Request) -> Result<Vec<u8>, WireError> {
    v1::encode_request(request)
}

/// Turns a frame into a request.
///
/// # Errors
/// For any bytes that are none.
pub fn decode_request(frame: &[u8]) -> Result<Request, WireError> {
    let (kind, fields) = open(frame)?;
    v1::decode_request(kind, fields)
}

/// Turns a report into a frame.
///
/// # Errors
/// When a number is not finite, or the frame would be too large.
pub fn encode_report(report: &Report) -> Result<Vec<u8>, WireError> {
    v1::encode_report(report)
}

/// Turns a frame into a report.
///
/// # Errors
/// For any bytes that are none.
pub fn decode_report(frame: &[u8]) -> Result<Report, WireError> {
    let (kind, fields) = open(frame)?;
    v1::decode_report(kind, fields)
}

/// Takes version and kind off a frame.
fn open(frame: &[u8]) -> Result<(u8, &[u8]), WireError> {
    if frame.len() > MAX_FRAME {
        return Err(WireErrorKind::TooLarge.into());
    }
    match frame {
        [VERSION, kind, fields @ ..] => Ok((*kind, fields)),
        [version, ..] if *version != VERSION => Err(WireErrorKind::UnknownVersion(*version).into()),
        _ => Err(WireErrorKind::TooShort.into()),
    }
}

fn format() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_limit(MAX_FRAME as u64).reject_trailing_bytes()
}

/// As many bytes as most frames have: room for them is taken at once. No more than what the allocator of most systems keeps ready
/// however much there is of it: frames are made and freed by the hundred.
const USUAL: usize = 112;

fn seal(kind: u8, fields: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut frame = Vec::with_capacity(USUAL);
    frame.extend([VERSION, kind]);
    format().serialize_into(&mut frame, fields).map_err(|error| match *error {
        bincode::ErrorKind::SizeLimit => WireErrorKind::TooLarge.into(),
        _ => malformed(error),
    })?;
    if frame.len() > MAX_FRAME {
        return Err(WireErrorKind::TooLarge.into());
    }
    Ok(frame)
}

fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    format().deserialize(bytes).map_err(malformed)
}

fn malformed(error: bincode::Error) -> WireError {
    WireError { kind: WireErrorKind::Malformed, source: Some(error) }
}
