//! What ends by itself when its time has come.

use crate::{
    record::TimedState,
    tag::{Tag, Time},
};

/// Something that ends by itself.
#[derive(Clone, Debug)]
pub(super) struct Expiry {
    pub(super) what: TimedState,
    /// The tag at which it began.
    pub(super) began: Tag,
    /// The tag at which it ends: `began` plus its span, or later if it was extended.
    pub(super) at: Tag,
    /// The local time at which it ends at the latest.
    pub(super) due: Time,
}
