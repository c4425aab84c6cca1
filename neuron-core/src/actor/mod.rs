//! Neurons with a body: a host that runs a network as actors, and a controller that steers it.
//!
//! [`Host::start`] runs the neurons of a network on one thread with its own actix system, each with its own inbox; one actor takes
//! care of all of them. The caller needs no runtime, or can have any: what [`Controller`] returns are plain futures. Without a runtime,
//! [`block_on`] waits for them. [`Host::builder`] is for a host that runs a part of a network, or has a
//! [store](crate::store).

mod clock;
mod controller;
mod counters;
mod error;
mod host;
mod scheduler;

pub use controller::{Change, Changes, Controller, Presented, Watch};
pub use counters::HostCounters;
pub use error::{ControlError, HostError};
pub use host::{Host, HostBuilder};
/// Waits for a future, on a thread that has nothing else to do.
pub use pollster::block_on;
