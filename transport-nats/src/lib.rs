//! Carries a network over NATS.
//!
//! A [`NatsTransport`] has one of two modes, which its address names:
//! - `core`: what is sent arrives at once or not at all. The fastest, and what most networks want.
//! - `jetstream`: the broker keeps what is sent for a while, so that a subscriber that is away, or too slow, gets it later.
//!
//! Both come back by themselves when the broker does, for ever or [for a while](Config::give_up_after); [`NatsTransport::state`]
//! tells how things are. What is handed over while the connection is lost does not arrive, and is counted; so do
//! [`NatsTransport::counts`] tell of all else that is lost.
//!
//! # Permissions
//! A message travels on `nn.v1.<network>.{sig|ctl|rep}.<target>.<source>`, so the broker can see to it that a user speaks and listens
//! only as itself. [`Permissions`] makes the configuration from a network, for both modes.
//!
//! # JetStream
//! The stream `NN_<network>` is created when it is not there, with what the first process says of storage and lifetime. Each
//! inbox reads it through a durable consumer: `n_<name>` for neurons, `c_<name>` for controllers. The broker forgets one that
//! nobody has read for ten minutes. Until then a process that opens the inbox gets what was sent while it was away; only an
//! inbox that the same process had before begins empty.
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

mod clock;
mod config;
mod connection;
mod consumer;
mod core;
mod jetstream;
mod mode;
mod permissions;
mod probe;
mod reader;
mod refused;
mod task;
mod transport;

pub use config::{Config, Mode, Storage};
pub use permissions::Permissions;
pub use transport::NatsTransport;
pub use transport_broker::{BadPassword, ConnectError, ConnectionState, Counts};
