//! The transport itself: the trait on top of the inboxes of one network.

use std::sync::Arc;

use neuron_core::{
    hosts::Claim,
    transport::{
        Address, ClaimHub, ClaimInbox, Envelope, Guarantees, Inbox, Sending, Transport, TransportError,
        TransportErrorKind, async_trait,
    },
};

use crate::inbox::{CAPACITY, Inboxes};

/// Carries the envelopes of one network within a process. Cheap to clone; clones share their
/// inboxes.
#[derive(Clone, Debug)]
pub struct LocalTransport {
    inboxes: Arc<Inboxes>,
    claims: Arc<ClaimHub>,
}

impl LocalTransport {
    /// Returns a transport without inboxes, each of which will hold [`CAPACITY`] envelopes.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// Returns a transport whose inboxes hold `capacity` envelopes each, at least one. What a
    /// receiver has taken out of its inbox, but not yet handled, does not count.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { inboxes: Inboxes::new(capacity), claims: Arc::default() }
    }
}

impl Default for LocalTransport {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Transport for LocalTransport {
    fn send(&self, envelope: Envelope) -> Sending {
        self.inboxes.deliver(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        Ok(self.inboxes.open(at))
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        // One inbox is that of the sender.
        let has_others = self.claims.deliver(&claim) > 1;
        Sending::done(if has_others { Ok(()) } else { Err(TransportErrorKind::NoInbox.into()) })
    }

    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        Ok(self.claims.open())
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { local_bypass: true, ..Guarantees::IN_PROCESS }
    }
}
