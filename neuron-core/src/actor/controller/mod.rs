//! The controller: everything that is done to a network from outside, by message.
//!
//! Start with [`Controller`], then read [`requests`], which all its calls go through.

mod ahead;
mod background;
mod clock_offsets;
mod controller;
mod hosts;
mod pending;
mod requests;
mod rewire;
mod tag_agreement;
#[cfg(test)]
mod tests;
mod topology;
mod transaction;
mod validate;
mod watch;
mod watch_all;
mod watches;
mod waves;
mod written;

pub use controller::Controller;
pub use hosts::Hosts;
pub(super) use hosts::VERSION;
pub(super) use requests::{ClientSpec, TIMEOUT, unexpected_answer};
pub(super) use topology::Topology;
pub use transaction::Changes;
pub(super) use validate::MemberEdits;
pub use watch::Watch;
pub use watch_all::WatchAll;
pub use waves::Presented;
