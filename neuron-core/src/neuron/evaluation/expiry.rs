//! What ends by itself when its time has come.

use crate::{
    record::TimedState,
    tag::{Tag, Time},
};

/// Something that ends by itself.
#[derive(Clone, Debug)]
pub(crate) struct Expiry {
    pub(crate) what: TimedState,
    /// The tag at which it began.
    pub(crate) began: Tag,
    /// The tag at which it should end.
    pub(crate) at: Tag,
    /// The local time at which it ends at the latest.
    pub(crate) due: Time,
}
