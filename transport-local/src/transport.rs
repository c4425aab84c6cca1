//! The hub that all inboxes of a network hang on.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, PoisonError, RwLock, Weak},
    task::Poll,
    time::Duration,
};

use neuron_core::{
    neuron::Pace,
    transport::{
        Address, BoxFuture, Delivery, Envelope, Guarantees, Inbox, Sending, Transport, TransportError,
        TransportErrorKind,
    },
};

use crate::inbox::{CAPACITY, Pushed, Queue, Reader};

type Hub = RwLock<HashMap<Address, Arc<Queue>>>;

/// Carries the envelopes of one network within a process. Cheap to clone; clones share their inboxes.
#[derive(Clone, Debug)]
pub struct LocalTransport {
    hub: Arc<Hub>,
    capacity: usize,
}

impl LocalTransport {
    /// A transport without inboxes, each of which will hold [`CAPACITY`] envelopes.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// A transport whose inboxes hold `capacity` envelopes, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { hub: Arc::default(), capacity: capacity.max(1) }
    }
}

impl Default for LocalTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for LocalTransport {
    fn send(&self, envelope: Envelope) -> Sending {
        let hub = self.hub.read().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = hub.get(&envelope.to()) else {
            return Sending::done(Err(TransportErrorKind::NoInbox.into()));
        };
        match queue.push(envelope, None) {
            Pushed::Yes => Sending::done(Ok(())),
            Pushed::Closed => Sending::done(Err(TransportErrorKind::NoInbox.into())),
            Pushed::Full(envelope) => Sending::later(wait_for_room(queue.clone(), envelope)),
        }
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        let queue = Queue::new(self.capacity);
        let before = self.hub.write().unwrap_or_else(PoisonError::into_inner).insert(at.clone(), queue.clone());
        if let Some(before) = before {
            before.close();
        }
        let (hub, address) = (Arc::downgrade(&self.hub), at.clone());
        let forget = move |queue: &Weak<Queue>| forget(&hub, &address, queue);
        Box::pin(std::future::ready(Ok(Inbox::new(Reader { queue, forget: Box::new(forget) }))))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees {
            ordered_per_sender: true,
            delivery: Delivery::ExactlyOnce,
            survives_restart: false,
            // Most messages take microseconds. Both are as short as the timer is fine.
            pace: Pace { grace: Duration::from_millis(1), retry: Duration::from_millis(25) },
        }
    }
}

async fn wait_for_room(queue: Arc<Queue>, envelope: Envelope) -> Result<(), TransportError> {
    let mut waiting = Some(envelope);
    poll_fn(|context| {
        let Some(envelope) = waiting.take() else { return Poll::Ready(Ok(())) };
        match queue.push(envelope, Some(context.waker())) {
            Pushed::Yes => Poll::Ready(Ok(())),
            Pushed::Closed => Poll::Ready(Err(TransportErrorKind::NoInbox.into())),
            Pushed::Full(envelope) => {
                waiting = Some(envelope);
                Poll::Pending
            }
        }
    })
    .await
}

/// Takes an address off the hub, unless another inbox has taken its place.
fn forget(hub: &Weak<Hub>, address: &Address, queue: &Weak<Queue>) {
    let Some(hub) = hub.upgrade() else { return };
    let mut hub = hub.write().unwrap_or_else(PoisonError::into_inner);
    if hub.get(address).is_some_and(|held| std::ptr::eq(Arc::as_ptr(held), queue.as_ptr())) {
        hub.remove(address);
    }
}
