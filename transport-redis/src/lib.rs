//! A transport that carries a network over a Redis server.
//!
//! It has two modes, chosen in the address:
//! - `redis://host`, publish and subscribe: the fastest. A message to a receiver that is away is
//!   lost, and the neurons make up for it.
//! - `redis://host?mode=streams`: each message is kept in a stream as well, for as long as its
//!   content is of use. A receiver that was away for a moment, or is slow, reads it later.
//!
//! All inboxes of a process share one connection. When it is lost, it is made again; meanwhile
//! envelopes do not arrive, and are counted.
//!
//! The feature `tls`, on by default, is for `rediss://`; it is the only part that needs a C
//! compiler.
//!
//! # Start here
//! - [`RedisTransport`]: connect, and hand it to a host. [`RedisConfig::parse`] describes
//!   addresses.
//! - [`ConnectionState`] and [`Counts`]: what happens to the connection and to envelopes.
//! - [`Acl`]: one user for each neuron, so that the server authenticates senders.
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

mod checks;
mod config;
mod connection;
mod contact;
mod driver;
mod error;
mod in_flight;
mod permissions;
mod publisher;
mod pubsub;
mod pushes;
mod sha256;
mod streams;
mod subscriptions;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use config::{RedisConfig, RedisMode};
pub use permissions::Acl;
pub use transport::RedisTransport;
pub use transport_broker::{BadUser, CAPACITY, ConnectError, ConnectionState, Counts, Credential};
