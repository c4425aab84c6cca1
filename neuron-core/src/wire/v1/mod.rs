//! Version 1 of the wire.
//!
//! These layouts are frozen with the first release. From then on a change of meaning needs a new
//! kind or a new version.

mod change;
mod claim;
mod config;
mod fields;
mod host;
mod host_changes;
mod kind;
mod refusal;
mod report;
mod request;
mod signal;

pub(super) use claim::{decode_claim, encode_claim};
pub(super) use host::{decode_host_message, encode_host_message};
pub(super) use report::{decode_report, encode_report};
pub(super) use request::{decode_request, encode_request};
pub(super) use signal::{decode_signal, encode_signal};
