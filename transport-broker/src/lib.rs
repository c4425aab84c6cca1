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

mod address;
mod backoff;
mod bundle;
mod counters;
mod error;
mod inbox;
mod link;
mod owner;
mod state;
mod users;
mod way;
mod worker;

pub use address::{Kind, Route, Routes};
pub use backoff::{Backoff, LONGEST};
pub use bundle::{Bundler, Parcel, Step, envelopes};
pub use counters::{Counters, Counts};
pub use error::{ConnectError, Endpoint};
pub use inbox::{CAPACITY, Delivered, Inboxes, Rest};
pub use link::{Job, Jobs, Link, Opening};
pub use owner::{Desk, Owner};
pub use state::{State, Status};
pub use users::{BadPassword, User, Users};
pub use way::Way;
pub use worker::Worker;

use worker::Home;
