//! Errors of the wire.

use super::limits::MAX_FRAME;

/// The reason why bytes are not a message, or why a message cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct WireError {
    kind: WireErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl WireError {
    /// Makes an error that was caused by another one.
    pub(super) fn with_source(kind: WireErrorKind, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self { kind, source: Some(source) }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> WireErrorKind {
        self.kind
    }
}

impl From<WireErrorKind> for WireError {
    fn from(kind: WireErrorKind) -> Self {
        Self { kind, source: None }
    }
}

/// The kinds of [`WireError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// The frame has no version byte or no kind byte.
    #[error("the frame is too short")]
    TooShort,
    /// The frame has more than [`MAX_FRAME`] bytes; sending it again will not help.
    #[error("the frame is larger than {MAX_FRAME} bytes")]
    TooLarge,
    /// The frame has a version that this program does not know; a newer program may.
    #[error("version {0} of the wire is not known here")]
    UnknownVersion(u8),
    /// The frame has a kind that is unknown, or that this decoder does not accept.
    #[error("a message of kind {0} is not known here")]
    UnknownKind(u8),
    /// The fields are not those of the kind, or bytes follow them.
    #[error("the frame is malformed")]
    Malformed,
    /// A number in the message is not finite, or its magnitude is too large.
    #[error("a number in the frame is not finite")]
    NotFinite,
    /// The level of a neuron in the message is neither 0 nor 1.
    #[error("a level in the frame is neither 0 nor 1")]
    NotALevel,
    /// A name in the frame is not a valid name.
    #[error("a name in the frame is none")]
    BadName,
}
