//! Carries a network over Redis.
//!
//! Two modes, chosen in the address. `redis://host` publishes and subscribes: fastest, and what is sent to somebody who is away
//! is lost, for the neurons to make up for. `redis://host?mode=streams` keeps each message in a stream as well, for as long as what
//! it says lasts: who was away for a moment hears it when it is back, and who is slow does not lose it.
//!
//! All inboxes of a process share one connection, which comes back by itself. It does its work on a thread of its own, so a
//! transport works in any program.
//!
//! ```no_run
//! use std::sync::Arc;
//! use neuron_core::{Network, actor::{Host, block_on}};
//! use transport_redis::RedisTransport;
//!
//! let network = Network::load("examples/xor.toml")?;
//! block_on(async {
//!     let transport = RedisTransport::connect("redis://127.0.0.1:6379", network.name()).await?;
//!     let host = Host::start(network, Arc::new(transport)).await?;
//!     host.controller().present(&[("x", 1.0), ("y", 0.0)]).await?;
//!     host.stop().await;
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acl;
mod config;
mod connection;
mod error;
mod pubsub;
mod streams;
mod task;
mod transport;

pub use acl::Acl;
pub use config::{Config, Mode};
pub use transport::RedisTransport;
pub use transport_broker::{BadPassword, ConnectError, ConnectionState, Counts};
