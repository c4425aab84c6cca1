//! Who listens in this process, and the bounded queues of those who do.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak},
    task::{Context, Poll},
};

use futures_core::Stream;
use neuron_core::transport::{Address, Envelope, Inbox};
use tokio::sync::mpsc;

use crate::{Counters, Kind, Route, address::name};

/// How many envelopes an inbox holds before what comes is dropped, or is left with the broker.
///
/// The same as in a process: far above what a network at work has under way to one neuron.
pub const CAPACITY: usize = 16_384;

/// Where the envelopes for one address go.
#[derive(Clone, Debug)]
pub struct Slot {
    sender: mpsc::Sender<Envelope>,
    address: Address,
}

impl Slot {
    /// Puts an envelope in, when there is room. Tells whether somebody still listens.
    pub async fn put(&self, envelope: Envelope) -> bool {
        self.sender.send(envelope).await.is_ok()
    }

    /// Whose it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether this is the same inbox as another one, and not just of the same address.
    pub fn is(&self, other: &Self) -> bool {
        self.sender.same_channel(&other.sender)
    }
}

/// What became of a message.
#[derive(Debug)]
pub enum Delivered {
    /// It is in its inbox.
    Yes,
    /// Nobody listens.
    Nobody,
    /// Its inbox is full; here it is.
    Full(Slot, Envelope),
    /// It is none of ours.
    Unreadable,
}

#[derive(Debug, Default)]
struct Table {
    neurons: HashMap<String, Slot>,
    controllers: HashMap<String, Slot>,
}

impl Table {
    fn of(&self, kind: Kind) -> &HashMap<String, Slot> {
        match kind {
            Kind::Signal | Kind::Request => &self.neurons,
            Kind::Report => &self.controllers,
        }
    }

    fn at_mut(&mut self, at: &Address) -> &mut HashMap<String, Slot> {
        match at {
            Address::Neuron(_) => &mut self.neurons,
            Address::Controller(_) => &mut self.controllers,
        }
    }
}

/// The inboxes of this process.
#[derive(Debug)]
pub struct Inboxes {
    table: RwLock<Table>,
    capacity: usize,
    counters: Arc<Counters>,
    closed: mpsc::UnboundedSender<Address>,
}

impl Inboxes {
    /// No inboxes yet; each will hold `capacity` envelopes. Whoever drops an inbox is told on the channel.
    pub fn new(capacity: usize, counters: Arc<Counters>) -> (Arc<Self>, mpsc::UnboundedReceiver<Address>) {
        let (closed, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self { table: RwLock::default(), capacity: capacity.max(1), counters, closed }), receiver)
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // A panic elsewhere cannot leave the table half changed.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the inbox of an address, in the place of one that is there.
    pub fn open(self: &Arc<Self>, at: &Address) -> Inbox {
        let (sender, receiver) = mpsc::channel(self.capacity);
        let slot = Slot { sender, address: at.clone() };
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let weak = slot.sender.downgrade();
        table.at_mut(at).insert(name(at).to_owned(), slot);
        Inbox::new(Reader { receiver, weak, address: at.clone(), inboxes: Arc::downgrade(self) })
    }

    /// Ends the inbox of an address, if there is one: whoever listens gets what is in it, and then the end.
    pub fn end(&self, at: &Address) {
        let slot = self.table.write().unwrap_or_else(PoisonError::into_inner).at_mut(at).remove(name(at));
        drop(slot);
    }

    /// Whether somebody listens.
    pub fn has(&self, at: &Address) -> bool {
        self.slot(at).is_some()
    }

    /// The inbox of an address.
    pub fn slot(&self, at: &Address) -> Option<Slot> {
        let table = self.table();
        match at {
            Address::Neuron(id) => table.neurons.get(id.as_str()).cloned(),
            Address::Controller(id) => table.controllers.get(id.as_str()).cloned(),
        }
    }

    /// All addresses at which somebody listens.
    pub fn addresses(&self) -> Vec<Address> {
        let table = self.table();
        table.neurons.values().chain(table.controllers.values()).map(|slot| slot.address.clone()).collect()
    }

    /// Puts what came from the broker into its inbox, and counts what became of it; not what is [`Delivered::Full`], which is
    /// for the caller to drop, or to keep until there is room.
    pub fn deliver(&self, route: &Route<'_>, frame: &[u8]) -> Delivered {
        let Some(slot) = self.table().of(route.kind).get(route.target).cloned() else {
            self.counters.unclaimed(1);
            return Delivered::Nobody;
        };
        let envelope = match route.open(frame) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::debug!(?route, %error, "a message is none of ours");
                self.counters.unreadable(1);
                return Delivered::Unreadable;
            }
        };
        match slot.sender.try_send(envelope) {
            Ok(()) => {
                self.counters.received(1);
                Delivered::Yes
            }
            Err(mpsc::error::TrySendError::Full(envelope)) => Delivered::Full(slot, envelope),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.counters.unclaimed(1);
                Delivered::Nobody
            }
        }
    }

    /// Takes the address off, if it still belongs to this reader.
    fn forget(&self, at: &Address, weak: &mpsc::WeakSender<Envelope>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let slots = table.at_mut(at);
        let is_it = |slot: &Slot| weak.upgrade().is_some_and(|sender| sender.same_channel(&slot.sender));
        if slots.get(name(at)).is_some_and(is_it) {
            slots.remove(name(at));
            // The connection may have ended before.
            let _ = self.closed.send(at.clone());
        }
    }
}

/// What the one who listens holds.
struct Reader {
    receiver: mpsc::Receiver<Envelope>,
    weak: mpsc::WeakSender<Envelope>,
    address: Address,
    inboxes: Weak<Inboxes>,
}

impl Stream for Reader {
    type Item = Envelope;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(inboxes) = self.inboxes.upgrade() {
            inboxes.forget(&self.address, &self.weak);
        }
    }
}
