//! A transport that carries a network over a NATS server.
//!
//! It has two modes, chosen in the address:
//! - `nats://host`, core: a message arrives at once or not at all. The fastest, and right for most
//!   networks.
//! - `nats://host?mode=jetstream`: the broker keeps a message for a while. A receiver that was
//!   away, or is slow, gets it later.
//!
//! All inboxes of a process share one connection. When it is lost, it is made again, for ever or
//! [for a limited time](NatsConfig::give_up_after); meanwhile envelopes do not arrive, and are
//! counted.
//!
//! The feature `tls`, on by default, is for `tls://` and for servers that demand TLS; it is the
//! only part that needs a C compiler.
//!
//! # Start here
//! - [`NatsTransport`]: connect, and hand it to a host. [`NatsConfig::parse`] describes addresses.
//! - [`ConnectionState`] and [`Counts`]: what happens to the connection and to envelopes.
//! - [`Permissions`]: one user for each neuron, so that the broker authenticates senders. A message
//!   travels on `nn.v1.<network>.{sig|ctl|rep}.<target>.<source>`.
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
//!
//! # JetStream
//! The stream `NN_<network>` is created if it is missing and the user may create it. One that
//! exists and differs from what this process would create is refused. Each inbox reads it through a
//! durable consumer: `n_<name>` for a neuron, `c_<name>` for a controller. The broker removes a
//! consumer that is not read for ten minutes. Until then, a process that opens the inbox gets what
//! was sent while it was away. An inbox that the same process had before begins empty.

mod accepted_rounds;
mod broker_clock;
mod claims;
mod config;
mod connection;
mod core;
mod driver;
mod echo;
mod error;
mod inbox_tasks;
mod jetstream;
mod login;
mod login_files;
mod open_request;
mod optional_future;
mod permissions;
mod probe;
mod publish_acks;
mod publish_log;
mod publisher;
mod refusal;
mod server_order;
mod session;
mod subscriptions;
mod supervisor;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use config::{NatsConfig, NatsMode, Storage};
pub use permissions::Permissions;
pub use transport::NatsTransport;
pub use transport_broker::{BadUser, CAPACITY, ConnectError, ConnectionState, Counts, Credential};
