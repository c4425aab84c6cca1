//! Carries a network over NATS.
//!
//! A [`NatsTransport`] has one of two modes, which its address names:
//! - `core`: what is sent arrives at once or not at all. The fastest, and what most networks want.
//! - `jetstream`: the broker keeps what is sent for a while, so that a subscriber that is away, or too slow, gets it later.
//!
//! Both come back by themselves when the broker does; [`NatsTransport::state`] tells how things are.
//!
//! ```no_run
//! use std::sync::Arc;
//! use neuron_core::{Network, actor::{Host, block_on}};
//! use transport_nats::NatsTransport;
//!
//! let network = Network::builder("one").neuron("lamp", |lamp| lamp).build()?;
//! block_on(async {
//!     let transport = NatsTransport::connect("nats://127.0.0.1:4222", &"one".parse()?).await?;
//!     let host = Host::start(network, Arc::new(transport)).await?;
//!     let stamp = host.controller().stimulate("lamp", 1.0).await?;
//!     assert_eq!(host.controller().output_at("lamp", stamp.tag).await?.level, 1.0);
//!     host.stop().await;
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod connection;
mod consumer;
mod core;
mod jetstream;
mod mode;
mod probe;
mod reader;
mod transport;

pub use config::{Config, Mode, Storage};
pub use transport::NatsTransport;
pub use transport_broker::{ConnectError, Counts, State};
