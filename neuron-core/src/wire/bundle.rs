//! Bundles: several frames of one sender to one receiver that travel as one message.
//!
//! What a message costs at a broker and its client hardly depends on how long it is. So a transport that has several frames
//! waiting for one receiver joins them: version byte, kind byte 96, and then each frame with its length before it (32 bits,
//! little-endian), two of them at least. A frame that is alone travels as it is.

use super::{VERSION, WireError, WireErrorKind};

/// The kind byte of a bundle. No single message has it, so there is no bundle in a bundle.
pub(super) const KIND: u8 = 96;

/// The largest bundle, in bytes: 64 KiB. What is larger travels alone.
pub const MAX_BUNDLE: usize = 1 << 16;

/// The most frames in a bundle. By then what a message costs is spread over so many that more of them save nothing.
pub const MAX_FRAMES: usize = 256;

/// The bytes before the first frame,
const HEAD: usize = 2;
/// and those of a length.
const LENGTH: usize = size_of::<u32>();

/// A frame, or a bundle of them as soon as there are two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    message: Vec<u8>,
    frames: usize,
}

impl Bundle {
    /// A frame that is alone.
    pub fn new(frame: Vec<u8>) -> Self {
        Self { message: frame, frames: 1 }
    }

    /// Adds a frame behind the others. Tells whether there was room for it, in a message of at most so many bytes; whatever
    /// that limit is, [`MAX_BUNDLE`] is another one.
    pub fn add(&mut self, frame: &[u8], limit: usize) -> bool {
        let head = if self.frames == 1 { HEAD + LENGTH } else { 0 };
        let length = self.message.len() + head + LENGTH + frame.len();
        if length > limit.min(MAX_BUNDLE) || self.frames == MAX_FRAMES {
            return false;
        }
        if self.frames == 1 {
            // Where two are waiting, there are more.
            let mut message = Vec::with_capacity((length * 8).min(MAX_BUNDLE));
            message.extend([VERSION, KIND]);
            put(&mut message, &self.message);
            self.message = message;
        }
        put(&mut self.message, frame);
        self.frames += 1;
        true
    }

    /// How many frames it has.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The bytes that travel.
    pub fn into_message(self) -> Vec<u8> {
        self.message
    }
}

fn put(message: &mut Vec<u8>, frame: &[u8]) {
    // No bundle is larger than 64 KiB.
    message.extend((frame.len() as u32).to_le_bytes());
    message.extend(frame);
}

/// The frames of a message: those of a bundle, or the one that the message is.
///
/// Only their lengths have been looked at. Whether they are messages is for the decoders to find out.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    left: usize,
    is_bundle: bool,
}

/// Finds the frames in a message. It takes no memory.
///
/// # Errors
/// When a bundle is too large, has fewer than two frames or more than [`MAX_FRAMES`], or its lengths are not those of the bytes
/// that follow.
pub fn frames(message: &[u8]) -> Result<Frames<'_>, WireError> {
    let [VERSION, KIND, bytes @ ..] = message else {
        return Ok(Frames { rest: message, left: 1, is_bundle: false });
    };
    if message.len() > MAX_BUNDLE {
        return Err(WireErrorKind::TooLarge.into());
    }
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        (_, rest) = split(rest).ok_or(WireErrorKind::Malformed)?;
        count += 1;
    }
    if !(2..=MAX_FRAMES).contains(&count) {
        return Err(WireErrorKind::Malformed.into());
    }
    Ok(Frames { rest: bytes, left: count, is_bundle: true })
}

/// The first frame, and what follows it.
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
