//! The in-process transport: typed envelopes from one bounded inbox to another, nothing serialised.
//!
//! A [`LocalTransport`] carries one network. Envelopes of one sender arrive in order, each exactly once. A full inbox
//! makes the sender wait; nothing is dropped.
//!
//! ```
//! use std::sync::Arc;
//! use neuron_core::{Network, actor::{Host, block_on}};
//! use transport_local::LocalTransport;
//!
//! let network = Network::builder("one").neuron("lamp", |lamp| lamp).build()?;
//! block_on(async {
//!     let host = Host::start(network, Arc::new(LocalTransport::new())).await?;
//!     let stamp = host.controller().stimulate("lamp", 1.0).await?;
//!     assert_eq!(host.controller().output_at("lamp", stamp.tag).await?.level, 1.0);
//!     host.stop().await;
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod inbox;
mod transport;

pub use inbox::CAPACITY;
pub use transport::LocalTransport;

/// What the README shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
