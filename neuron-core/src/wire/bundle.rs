//! Bundles: several frames from one sender to one receiver that travel as one message.
//!
//! The cost of a message at a broker and in its client hardly depends on its length. So a transport
//! with several frames for one receiver joins them: a version byte, the kind byte 96, and then at
//! least two frames, each preceded by its length (32 bits, little-endian). A single frame travels
//! unchanged.

use super::{
    error::{WireError, WireErrorKind},
    frame::VERSION,
    limits::{MAX_BUNDLE, MAX_FRAMES},
};

/// The kind byte of a bundle. No other message has it, so bundles do not nest.
pub(super) const KIND: u8 = 96;

/// The number of bytes before the first frame.
const HEAD: usize = 2;
/// The number of bytes of a length.
const LENGTH: usize = size_of::<u32>();

/// A message under construction: one frame, or a bundle once there are two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    message: Vec<u8>,
    frames: usize,
}

impl Bundle {
    /// Returns a message of a single frame.
    pub fn new(frame: Vec<u8>) -> Self {
        Self { message: frame, frames: 1 }
    }

    /// Appends a frame and returns whether there was room for it.
    ///
    /// The message has at most `limit` bytes, and never more than [`MAX_BUNDLE`]. Without room, the
    /// bundle is unchanged.
    pub fn add(&mut self, frame: &[u8], limit: usize) -> bool {
        let head = if self.frames == 1 { HEAD + LENGTH } else { 0 };
        let length = self.message.len() + head + LENGTH + frame.len();
        if length > limit.min(MAX_BUNDLE) || self.frames == MAX_FRAMES {
            return false;
        }
        if self.frames == 1 {
            // Two waiting frames are usually followed by more.
            let mut message = Vec::with_capacity((length * 8).min(MAX_BUNDLE));
            message.extend([VERSION, KIND]);
            push_frame(&mut message, &self.message);
            self.message = message;
        }
        push_frame(&mut self.message, frame);
        self.frames += 1;
        true
    }

    /// Returns the number of frames.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Returns the bytes to send.
    pub fn into_message(self) -> Vec<u8> {
        self.message
    }
}

fn push_frame(message: &mut Vec<u8>, frame: &[u8]) {
    // The length fits, because no bundle is larger than 64 KiB.
    message.extend((frame.len() as u32).to_le_bytes());
    message.extend(frame);
}

/// An iterator over the frames of a message: those of a bundle, or the message itself.
///
/// Only the lengths have been checked. Whether each frame is a message is up to the decoders.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    left: usize,
    is_bundle: bool,
}

/// Returns the frames in a message, without allocating.
///
/// # Errors
/// If a bundle is too large, has fewer than two frames or more than [`MAX_FRAMES`], or its lengths
/// do not add up to its bytes.
pub fn frames(message: &[u8]) -> Result<Frames<'_>, WireError> {
    let [VERSION, KIND, bytes @ ..] = message else {
        return Ok(Frames { rest: message, left: 1, is_bundle: false });
    };
    if message.len() > MAX_BUNDLE {
        return Err(WireErrorKind::TooLarge.into());
    }
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        (_, rest) = split(rest).ok_or(WireErrorKind::Malformed)?;
        count += 1;
    }
    if !(2..=MAX_FRAMES).contains(&count) {
        return Err(WireErrorKind::Malformed.into());
    }
    Ok(Frames { rest: bytes, left: count, is_bundle: true })
}

/// Splits off the first frame; `None` if the bytes end before the frame does.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length).try_into().ok()?)
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        if !self.is_bundle {
            return Some(self.rest);
        }
        let (frame, rest) = split(self.rest)?;
        self.rest = rest;
        Some(frame)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Frames<'_> {}
