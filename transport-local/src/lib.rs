//! The in-process transport: typed envelopes from one bounded inbox to another, nothing serialised.
//!
//! A [`LocalTransport`] carries one network within a process. Envelopes of one sender arrive in
//! order, each exactly once. A full inbox makes the sender wait; nothing is dropped. Signals
//! between neurons of one host do not go through it at all, because it would add nothing to them
//! ([`local_bypass`](neuron_core::transport::Guarantees::local_bypass)): it carries requests,
//! reports, and the signals between hosts of one process.
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
//!
//! Start here: `transport.rs` has the transport, and `inbox.rs` the inboxes that it delivers to.
//! The contract is that of [`Transport`](neuron_core::transport::Transport).

mod inbox;
mod transport;

pub use inbox::CAPACITY;
pub use transport::LocalTransport;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
