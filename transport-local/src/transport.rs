//! The transport itself: the trait on top of the inboxes of one network.

use std::{future::ready, sync::Arc, time::Duration};

use neuron_core::transport::{
    Address, BoxFuture, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport, TransportError,
};

use crate::inbox::{CAPACITY, Inboxes};

/// Carries the envelopes of one network within a process. Cheap to clone; clones share their inboxes.
#[derive(Clone, Debug)]
pub struct LocalTransport {
    inboxes: Arc<Inboxes>,
}

impl LocalTransport {
    /// A transport without inboxes, each of which will hold [`CAPACITY`] envelopes.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// A transport whose inboxes hold `capacity` envelopes, at least one.
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
        Guarantees {
            ordered_per_sender: true,
            delivery: Delivery::ExactlyOnce,
            survives_restart: false,
            full_inbox: FullInbox::SenderWaits,
            // Most messages take microseconds. Both are as short as the timer is fine.
            pace: Pace { grace: Duration::from_millis(1), retry: Duration::from_millis(25) },
        }
    }

    fn is_direct(&self) -> bool {
        true
    }
}
