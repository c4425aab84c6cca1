//! A host, which runs the neurons of a network as actors, and a controller, which steers them.
//!
//! [`Host::start`] runs the neurons of a network on one thread with its own actix system, each with
//! its own inbox; one actor takes care of all of them. The caller needs no runtime, or can have
//! any: what [`Controller`] returns are plain futures. Without a runtime, [`block_on`] waits for
//! them. [`Host::builder`] is for a host that runs a part of a network, or has a
//! [store](crate::store).
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use neuron_core::{Network, actor::{Host, block_on}, transport::Transport};
//! # fn local() -> Arc<dyn Transport> { unimplemented!("a transport, such as transport_local::LocalTransport") }
//! let network = Network::builder("lamp").neuron("lamp", |lamp| lamp).build()?;
//! let host = block_on(Host::start(network, local()))?;
//! block_on(host.controller().stimulate("lamp", 1.0))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Inside: `host` starts the thread and lets neurons join and leave, `scheduler` runs them,
//! `controller` sends requests to them, `links` tells other hosts that this one lives. The first
//! two know nothing of each other's fields; `controller` reaches neurons by message alone.

mod ceiling;
mod claims;
mod clock;
mod controller;
mod counters;
mod error;
mod host;
mod links;
mod scheduler;
mod store_thread;

pub use controller::{Changes, Controller, Hosts, Presented, Watch, WatchAll};
pub use counters::HostCounters;
pub use error::{ControlError, HostError};
pub use host::{Host, HostBuilder};

pub use crate::watch::{Change, WatchEvent};
/// Waits for a future on this thread, which does nothing else meanwhile, and returns its output.
pub use pollster::block_on;
