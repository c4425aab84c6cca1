//! The transport itself: the trait on top of the inboxes of one network.

use std::{future::ready, sync::Arc};

use neuron_core::transport::{Address, BoxFuture, Envelope, Guarantees, Inbox, Sending, Transport, TransportError};

use crate::inbox::{CAPACITY, Inboxes};

/// Carries the envelopes of one network within a process. Cheap to clone; clones share their
/// inboxes.
#[derive(Clone, Debug)]
pub struct LocalTransport {
    inboxes: Arc<Inboxes>,
}

impl LocalTransport {
    /// Returns a transport without inboxes, each of which will hold [`CAPACITY`] envelopes.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// Returns a transport whose inboxes hold `capacity` envelopes each, at least one. What a
    /// receiver has taken out of its inbox, but not yet handled, does not count.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { inboxes: Inboxes::new(capacity) }
    }
}

impl Default for LocalTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for LocalTransport {
    fn send(&self, envelope: Envelope) -> Sending {
        self.inboxes.deliver(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        Box::pin(ready(Ok(self.inboxes.open(at))))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { local_bypass: true, ..Guarantees::IN_PROCESS }
    }
}
