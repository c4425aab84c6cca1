//! The parts that the transports over message brokers share.
//!
//! A broker knows subjects and bytes; a network knows addresses and envelopes. This crate
//! translates between the two, and runs the loop that every connection needs: connect, serve, back
//! off, reconnect, migrate to the thread of a host. A backend implements [`ConnectionDriver`],
//! which is `connect` and `serve`.
//!
//! Programs use `transport-redis` or `transport-nats`, which build on this crate.
//!
//! # Start here
//! - [`driver`](ConnectionDriver): the connection loop. [`ConnectionHandle`] is the transport's end
//!   of it, [`DriverContext`] the driver's.
//! - [`Subjects`] and [`Route`]: from an envelope to subject and frame, and back. [`Batcher`] joins
//!   frames of one route into a bundle.
//! - [`Inboxes`]: from subject and bytes to the bounded inbox of an address.
//! - [`ConnectionState`] and [`Counts`]: what a program sees of a connection. [`Refusals`]: what the
//!   broker has refused, and what the log says of it.
//! - [`Users`]: the permissions of each neuron and controller.
//! - [`WorkerThread`]: a thread with a runtime, so that a transport works in any program.
//!
//! ```
//! use neuron_core::{Tag, command::{Command, Request}, transport::Envelope};
//! use transport_broker::{Route, Subjects};
//!
//! let request = Box::new(Request::new(1, Command::Output { after: Tag::ORIGIN }));
//! let envelope = Envelope::Request { from: "boss".parse()?, to: "lamp".parse()?, request };
//! let (route, frame) = Route::encode(envelope.clone())?;
//! let subjects = Subjects::new("nn", &"home".parse()?, '.');
//! assert_eq!(subjects.of_route(&route), "nn.v1.home.ctl.lamp.boss");
//! assert_eq!(route.decode(&frame)?, envelope);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod backoff;
mod batcher;
mod claims;
mod command;
mod context;
mod counters;
mod driver;
mod error;
mod handle;
mod hosts;
mod inbox;
mod parameters;
mod refusal_log;
mod refusals;
mod route;
mod state;
mod subjects;
mod tls_probe;
mod users;
mod worker_thread;

pub use address::{
    NO_UNIX_SOCKETS, has_unescaped_login, host_problem, is_secret, is_unix_socket, shown_parameter, shown_path,
};
pub use backoff::{Backoff, MAX_PAUSE};
pub use batcher::{BatchItem, Batcher, OutgoingMessage, count_envelopes};
pub use command::{ConnectionCommand, SubscribeReply};
pub use context::DriverContext;
pub use counters::{ConnectionCounters, Counts};
pub use driver::{ConnectionDriver, ExitReason, start_driver};
pub use error::{ConnectError, Endpoint, descriptors_error};
pub use handle::{ConnectionHandle, ConnectionOptions};
pub use hosts::{MAX_HOSTS, parse_hosts};
pub use inbox::{CAPACITY, DeliveryOutcome, Inboxes, PartialDelivery};
pub use parameters::{parse_duration, repeated_parameter};
pub use refusal_log::{EndedRefusals, QUIET, RefusalLog, TOTAL};
pub use refusals::Refusals;
pub use route::Route;
pub use state::{ConnectionState, ConnectionStatus};
pub use subjects::{MessageKind, ParsedSubject, Subjects};
pub use tls_probe::{answers_ping, is_without_tls, speaks_tls};
pub use users::{BadUser, Credential, User, Users};
pub use worker_thread::WorkerThread;
