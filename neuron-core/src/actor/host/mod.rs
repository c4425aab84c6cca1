//! A host: runs neurons of a network on a thread of its own.

mod builder;
mod follow_clock;
mod host;
mod membership;
mod start;
mod start_clock;
mod thread;

pub use builder::HostBuilder;
pub use host::Host;
