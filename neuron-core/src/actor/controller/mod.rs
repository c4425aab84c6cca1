//! The controller: everything that is done to a network from outside, by message.

mod controller;
mod requests;
mod tag_agreement;
mod topology;
mod transaction;
mod validate;
mod watch;

pub use controller::{Controller, Presented};
pub(super) use requests::{Outset, TIMEOUT, unexpected};
pub(super) use topology::Topology;
pub use transaction::Changes;
pub use watch::{Change, Watch};
