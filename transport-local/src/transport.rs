//! The hub that all inboxes of a network hang on.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, PoisonError, RwLock},
    task::Poll,
    time::Duration,
};

use neuron_core::{
    ControllerId, NeuronId,
    transport::{
        Address, BoxFuture, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport, TransportError,
        TransportErrorKind,
    },
};

use rustc_hash::FxBuildHasher;

use crate::inbox::{CAPACITY, Pushed, Queue, Reader};

/// Who listens where. Looked up for every envelope; names come from the program's own network, so a fast hash will do.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    neurons: HashMap<NeuronId, Arc<Queue>, FxBuildHasher>,
    controllers: HashMap<ControllerId, Arc<Queue>, FxBuildHasher>,
}

impl Hub {
    fn receiver(&self, envelope: &Envelope) -> Option<&Arc<Queue>> {
        match envelope {
            Envelope::Signal { to, .. } | Envelope::Request { to, .. } => self.neurons.get(to),
            Envelope::Report { to, .. } => self.controllers.get(to),
        }
    }

    fn insert(&mut self, at: &Address, queue: Arc<Queue>) -> Option<Arc<Queue>> {
        match at {
            Address::Neuron(id) => self.neurons.insert(id.clone(), queue),
            Address::Controller(id) => self.controllers.insert(id.clone(), queue),
        }
    }

    /// Takes an address off, unless another inbox has taken the place of this one.
    pub(crate) fn remove(&mut self, at: &Address, queue: &Arc<Queue>) {
        let is_it = |held: &Arc<Queue>| Arc::ptr_eq(held, queue);
        match at {
            Address::Neuron(id) if self.neurons.get(id).is_some_and(is_it) => drop(self.neurons.remove(id)),
            Address::Controller(id) if self.controllers.get(id).is_some_and(is_it) => drop(self.controllers.remove(id)),
            _ => {}
        }
    }
}

/// Carries the envelopes of one network within a process. Cheap to clone; clones share their inboxes.
#[derive(Clone, Debug)]
pub struct LocalTransport {
    hub: Arc<RwLock<Hub>>,
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
        let Some(queue) = hub.receiver(&envelope) else {
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
        let before = self.hub.write().unwrap_or_else(PoisonError::into_inner).insert(at, queue.clone());
        if let Some(before) = before {
            before.close();
        }
        let reader = Reader { queue, address: at.clone(), hub: Arc::downgrade(&self.hub) };
        Box::pin(std::future::ready(Ok(Inbox::new(reader))))
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
