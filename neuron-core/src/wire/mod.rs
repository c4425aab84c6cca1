//! The wire: the bytes of a message where it leaves the process.
//!
//! A frame is a version byte, a kind byte, and the fields of that kind as bincode 1.3 writes them:
//! little-endian, integers of fixed width, texts and lists preceded by a 64-bit length. Nothing
//! follows the fields. The layouts of version 1 are in `v1`, its golden bytes in the tests.
//!
//! Received bytes are never trusted. Any bytes decode to a message or a [`WireError`], without a
//! panic and without more memory than [`MAX_FRAME`] asks for.
//!
//! Frames that wait for one receiver can travel together as a [`Bundle`]; [`frames`] takes a
//! received message apart, bundle or not.
//!
//! Why: docs/decisions/0037-bincode-is-pinned-behind-the-wire.md

mod bundle;
mod error;
mod frame;
mod limits;
#[cfg(test)]
mod tests;
mod v1;

pub use bundle::{Bundle, Frames, frames};
pub use error::{WireError, WireErrorKind};
pub use frame::VERSION;
pub use limits::{MAX_BUNDLE, MAX_FRAME, MAX_FRAMES};

use crate::{
    command::{Report, Request},
    hosts::{Claim, HostMessage},
    signal::Signal,
};

/// Encodes a signal as a frame.
///
/// # Errors
/// [`WireErrorKind::NotFinite`] if its level is not finite.
pub fn encode_signal(signal: &Signal) -> Result<Vec<u8>, WireError> {
    v1::encode_signal(signal)
}

/// Decodes a frame as a signal.
///
/// # Errors
/// If the bytes are not a signal.
pub fn decode_signal(frame: &[u8]) -> Result<Signal, WireError> {
    let (kind, fields) = frame::split(frame)?;
    v1::decode_signal(kind, fields)
}

/// Encodes a request as a frame.
///
/// # Errors
/// If a number is not finite, or the frame would be larger than [`MAX_FRAME`].
pub fn encode_request(request: &Request) -> Result<Vec<u8>, WireError> {
    v1::encode_request(request)
}

/// Decodes a frame as a request.
///
/// # Errors
/// If the bytes are not a request.
pub fn decode_request(frame: &[u8]) -> Result<Request, WireError> {
    let (kind, fields) = frame::split(frame)?;
    v1::decode_request(kind, fields)
}

/// Encodes a report as a frame.
///
/// # Errors
/// If a number is not finite, or the frame would be larger than [`MAX_FRAME`].
pub fn encode_report(report: &Report) -> Result<Vec<u8>, WireError> {
    v1::encode_report(report)
}

/// Decodes a frame as a report.
///
/// # Errors
/// If the bytes are not a report.
pub fn decode_report(frame: &[u8]) -> Result<Report, WireError> {
    let (kind, fields) = frame::split(frame)?;
    v1::decode_report(kind, fields)
}

/// Encodes a message between hosts as a frame.
///
/// # Errors
/// If the frame would be larger than [`MAX_FRAME`].
pub fn encode_host_message(message: &HostMessage) -> Result<Vec<u8>, WireError> {
    v1::encode_host_message(message)
}

/// Decodes a frame as a message between hosts.
///
/// # Errors
/// If the bytes are not such a message.
pub fn decode_host_message(frame: &[u8]) -> Result<HostMessage, WireError> {
    let (kind, fields) = frame::split(frame)?;
    v1::decode_host_message(kind, fields)
}

/// Encodes a claim of a host as a frame.
///
/// # Errors
/// If the frame would be larger than [`MAX_FRAME`].
pub fn encode_claim(claim: &Claim) -> Result<Vec<u8>, WireError> {
    v1::encode_claim(claim)
}

/// Decodes a frame as a claim of a host.
///
/// # Errors
/// If the bytes are not a claim.
pub fn decode_claim(frame: &[u8]) -> Result<Claim, WireError> {
    let (kind, fields) = frame::split(frame)?;
    v1::decode_claim(kind, fields)
}
