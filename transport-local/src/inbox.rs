//! The inboxes of one network: which addresses have one, and the subscriptions that drain them.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak},
    task::{Context, Poll},
};

use futures_core::Stream;
use neuron_core::{
    ControllerId, HostId, NeuronId,
    transport::{Address, BoundedQueue, Envelope, Inbox, PushError, QueueReceiver, Sending, TransportErrorKind},
};
use rustc_hash::FxBuildHasher;

/// How many envelopes an inbox holds before its senders wait.
///
/// What the receiver has taken does not count: it takes all at once, so up to twice as many may be
/// in memory, and senders that wait are woken once per burst.
///
/// Far above what a working network has under way to one neuron, so that waiting is a sign of
/// trouble; an inbox takes memory only for what is in it.
pub const CAPACITY: usize = 16_384;

/// How many places an empty inbox keeps. None: most signals of a host bypass the inboxes, and a
/// hundred thousand idle neurons have one each.
const IDLE_CAPACITY: usize = 0;

type Queue = Arc<BoundedQueue<Envelope>>;

/// The inboxes of one network.
#[derive(Debug)]
pub(crate) struct Inboxes {
    table: RwLock<Table>,
    capacity: usize,
}

/// The queue of each address. Looked up for every envelope; names come from the program's own
/// network, so a fast hash without protection against chosen names will do.
#[derive(Debug, Default)]
struct Table {
    neurons: HashMap<NeuronId, Queue, FxBuildHasher>,
    controllers: HashMap<ControllerId, Queue, FxBuildHasher>,
    hosts: HashMap<HostId, Queue, FxBuildHasher>,
}

impl Inboxes {
    /// Returns a set without inboxes, each of which will hold `capacity` envelopes, at least one.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { table: RwLock::default(), capacity: capacity.max(1) })
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // A panic elsewhere cannot leave the table half changed.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the inbox of an address. One that is there is closed: it ends when it is drained.
    pub(crate) fn open(self: &Arc<Self>, at: &Address) -> Inbox {
        let (queue, receiver) = BoundedQueue::new(self.capacity, IDLE_CAPACITY);
        let before = self.table.write().unwrap_or_else(PoisonError::into_inner).insert(at, queue);
        if let Some(before) = before {
            before.close();
        }
        Inbox::new(Subscription { receiver, address: at.clone(), inboxes: Arc::downgrade(self) })
    }

    /// Puts an envelope into the inbox that it is for, or waits until there is room.
    pub(crate) fn deliver(&self, envelope: Envelope) -> Sending {
        let table = self.table();
        let queue = match &envelope {
            Envelope::Signal { to, .. } | Envelope::Request { to, .. } => table.neurons.get(to),
            Envelope::Report { to, .. } => table.controllers.get(to),
            Envelope::Host { to, .. } => table.hosts.get(to),
        };
        let Some(queue) = queue else { return Sending::done(Err(TransportErrorKind::NoInbox.into())) };
        match queue.push(envelope, None) {
            Ok(()) => Sending::done(Ok(())),
            Err(PushError::Closed) => Sending::done(Err(TransportErrorKind::NoInbox.into())),
            Err(PushError::Full(envelope)) => {
                let queue = queue.clone();
                Sending::later(async move {
                    queue.push_async(envelope).await.map_err(|_| TransportErrorKind::NoInbox.into())
                })
            }
        }
    }

    /// Removes the inbox of an address, unless another one has taken the place of `queue`.
    fn remove(&self, at: &Address, queue: &Queue) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).remove(at, queue);
    }
}

impl Table {
    fn insert(&mut self, at: &Address, queue: Queue) -> Option<Queue> {
        match at {
            Address::Neuron(id) => self.neurons.insert(id.clone(), queue),
            Address::Controller(id) => self.controllers.insert(id.clone(), queue),
            Address::Host(id) => self.hosts.insert(id.clone(), queue),
        }
    }

    fn remove(&mut self, at: &Address, queue: &Queue) {
        let is_it = |held: &Queue| Arc::ptr_eq(held, queue);
        match at {
            Address::Neuron(id) if self.neurons.get(id).is_some_and(is_it) => drop(self.neurons.remove(id)),
            Address::Controller(id) if self.controllers.get(id).is_some_and(is_it) => drop(self.controllers.remove(id)),
            Address::Host(id) if self.hosts.get(id).is_some_and(is_it) => drop(self.hosts.remove(id)),
            _ => {}
        }
    }
}

/// The receiving end of an inbox. Dropping it removes the inbox.
struct Subscription {
    receiver: QueueReceiver<Envelope>,
    address: Address,
    inboxes: Weak<Inboxes>,
}

impl Stream for Subscription {
    type Item = Envelope;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        Pin::new(&mut self.receiver).poll_next(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(inboxes) = self.inboxes.upgrade() {
            inboxes.remove(&self.address, self.receiver.queue());
        }
    }
}
