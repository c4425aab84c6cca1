//! What the transports over brokers share.
//!
//! A broker knows names and bytes. Here is what lies between those and the envelopes of a network, and what every
//! connection that must come back by itself needs:
//! - [`Routes`]: which subject an envelope travels on, and which ones an inbox listens to.
//! - [`Way`] and [`Bundler`]: from whom to whom, and what travels together because it takes the same way.
//! - [`Inboxes`]: who listens in this process, and the bounded queues of those who do.
//! - [`State`] and [`Counters`]: what an observer sees of a connection.
//! - [`Backoff`]: when to try again.
//! - [`Users`]: who says and hears what, for lists of permissions.
//! - [`Worker`]: a thread with a runtime of its own, so that a transport works in any program.
//! - [`Owner`]: the task that owns a connection, on that thread or on that of a host.
//!
//! A program uses `transport-redis` or `transport-nats`, which build on this, and not this.

mod backoff;
mod batcher;
mod counters;
mod driver;
mod error;
mod handle;
mod inbox;
mod queue;
mod route;
mod state;
mod subjects;
mod users;
mod worker;

pub use backoff::{Backoff, MAX_PAUSE};
pub use batcher::{BatchItem, Batcher, OutgoingMessage, envelopes};
pub use counters::{ConnectionCounters, Counts};
pub use driver::{ConnectionDriver, DriverContext};
pub use error::{ConnectError, Endpoint};
pub use handle::{Commands, ConnectionCommand, ConnectionHandle, SubscribeReply};
pub use inbox::{CAPACITY, DeliveryOutcome, Inboxes, PartialDelivery};
pub use route::Route;
pub use state::{ConnectionState, ConnectionStatus};
pub use subjects::{MessageKind, ParsedSubject, Subjects};
pub use users::{BadPassword, User, Users};
pub use worker::WorkerThread;

use worker::HomeRuntime;
