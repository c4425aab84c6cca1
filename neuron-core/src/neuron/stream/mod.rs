//! Streams of numbered statements over an edge: order, acknowledgement and retransmission.
//!
//! Nothing here knows neurons, or what a statement means for them. A transport may deliver late,
//! twice and out of order; behind a [`Receiver`] each statement comes once, in the order in which
//! the [`Sender`] made it.

mod backoff;
mod receiver;
mod retransmit;
mod sender;
mod statement;

pub(crate) use backoff::{Backoff, LONGEST_PAUSE};
#[cfg(feature = "sim")]
pub(crate) use receiver::MAX_EARLY;
pub(crate) use receiver::{Accept, Receiver};
#[cfg(any(test, feature = "sim"))]
pub(crate) use retransmit::MAX_UNACKNOWLEDGED;
pub(crate) use retransmit::{LONGEST_RETRY, Retransmit};
pub(crate) use sender::Sender;
pub(crate) use statement::{NullMessage, Ready, Statement};
