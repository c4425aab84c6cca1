//! What can go wrong between handing an envelope over and its arrival.

use std::{error::Error, fmt, time::Duration};

use crate::error_text::fmt_with_causes;

/// Why a transport did not do what it was asked to: a [kind](TransportErrorKind) for the caller,
/// and a source for the log.
#[derive(thiserror::Error)]
#[error("{kind}")]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`TransportError`], by what the caller can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// There is no inbox at this address; the envelope is lost.
    #[error("no inbox is open at this address")]
    NoInbox,
    /// There is no connection to the broker right now; sending again may help. The envelope is
    /// lost.
    #[error("the broker cannot be reached right now")]
    Unreachable,
    /// The broker refuses this, for lack of permission or of room; its words are in the source.
    /// Sending again helps only once that has been mended.
    #[error("the broker refuses this")]
    Refused,
    /// The envelope does not fit into a frame, or contains what no frame may contain; sending it
    /// again will not help.
    #[error("the envelope cannot be sent")]
    Unsendable,
    /// The transport is closed; sending again will not help.
    #[error("the transport is closed")]
    Closed,
}

/// The last message to an address that the broker has refused.
///
/// Brokers refuse a message after it was handed over, so [`Sending`](super::Sending) has completed
/// before. [`Transport::last_refusal`](super::Transport::last_refusal) tells what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRefusal {
    /// What the broker said.
    pub reason: String,
    /// How long ago the message was refused.
    pub elapsed: Duration,
    /// How many envelopes to this address the broker has refused, as far as it is remembered; at
    /// least 1.
    pub count: u64,
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
    }
}

impl TransportError {
    /// Returns an error of this kind with its cause.
    pub fn new(kind: TransportErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// Returns the kind of this error.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl From<TransportErrorKind> for TransportError {
    fn from(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }
}
