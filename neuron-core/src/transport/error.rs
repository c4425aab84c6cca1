//! What can go wrong between handing an envelope over and its arrival.

use std::error::Error;

/// Why a transport did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// Nobody has an inbox at this address; the envelope is lost.
    #[error("nobody listens at this address")]
    NoInbox,
    /// There is no connection to the broker right now; sending again may help. The envelope is lost.
    #[error("the broker cannot be reached right now")]
    Unreachable,
    /// The broker refuses this, for lack of permission; sending again will not help.
    #[error("the broker does not permit this")]
    Refused,
    /// The envelope does not fit into a frame, or has in it what no frame may have; sending it again will not help.
    #[error("the envelope cannot be sent")]
    Unsendable,
    /// The transport is closed; sending again will not help.
    #[error("the transport is closed")]
    Closed,
}

impl TransportError {
    /// An error of this kind with its cause.
    pub fn new(kind: TransportErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl From<TransportErrorKind> for TransportError {
    fn from(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }
}
