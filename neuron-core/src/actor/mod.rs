//! Neurons with a body: a host that runs a network as actors, and a controller that steers it.
//!
//! [`Host::start`] runs every neuron of a network as an actor of its own, on one thread with its own actix system. The
//! caller needs no runtime, or can have any: what [`Controller`] returns are plain futures. Without a runtime,
//! [`block_on`] waits for them.

mod body;
mod calls;
mod clock;
mod controller;
mod error;
mod host;
mod watch;
mod wiring;

pub use controller::{Controller, Presented};
pub use error::{ControlError, HostError};
pub use host::{Host, HostCounters};
/// Waits for a future, on a thread that has nothing else to do.
pub use pollster::block_on;
pub use watch::{Change, Watch};
