//! Neurons with a body: a host that runs a network as actors, and a controller that steers it.
//!
//! [`Host::start`] runs the neurons of a network on one thread with its own actix system, each with its own inbox; one actor takes
//! care of all of them. The caller needs no runtime, or can have any: what [`Controller`] returns are plain futures. Without a runtime,
//! [`block_on`] waits for them. [`Host::builder`] is for a host that runs a part of a network, or has a
//! [store](crate::store).

mod bells;
mod body;
mod builder;
mod calls;
mod changes;
mod clock;
mod controller;
mod counters;
mod crew;
mod desk;
mod error;
mod host;
mod launch;
mod meeting;
mod members;
mod plan;
mod start;
mod waiting;
mod watch;
mod wiring;

pub use builder::HostBuilder;
pub use changes::Changes;
pub use controller::{Controller, Presented};
pub use counters::HostCounters;
pub use error::{ControlError, HostError};
pub use host::Host;
/// Waits for a future, on a thread that has nothing else to do.
pub use pollster::block_on;
pub use watch::{Change, Watch};
