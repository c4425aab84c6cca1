//! The bounded inboxes of this process, and the delivery of messages to them.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak},
    task::{Context, Poll},
};

use futures_core::Stream;
use neuron_core::{
    transport::{
        Address, BoundedQueue, ClaimHub, Envelope, Inbox, PushError, QueueReceiver, Sending, TransportErrorKind,
    },
    wire::{self, Frames},
};
use tokio::sync::mpsc;

use crate::{ConnectionCounters, MessageKind, ParsedSubject, Route, SubscribeReply};

/// How many envelopes an inbox holds, unless set otherwise, beside those that its receiver has
/// taken already, which are at most as many again.
///
/// The same as within a process: far more than a working network has in flight to one neuron.
pub const CAPACITY: usize = 16_384;

/// How many envelopes the buffers of an empty inbox have room for: enough for a wave, little enough
/// for many idle neurons.
const IDLE_CAPACITY: usize = 16;

/// An open inbox.
#[derive(Clone, Debug)]
struct Slot {
    queue: Arc<BoundedQueue<Envelope>>,
    address: Address,
}

/// What has become of a message.
#[derive(Debug)]
#[must_use = "the rest of a message for a full inbox must be resumed, or dropped and counted"]
#[expect(clippy::large_enum_variant, reason = "it is matched at once, and never stored")]
pub enum DeliveryOutcome<'a> {
    /// All of it has been handled: its readable envelopes are in the inbox, the others are counted.
    Delivered,
    /// The inbox is not open, or has been closed meanwhile. The envelopes that had not been
    /// delivered by then are counted as unclaimed.
    NoInbox,
    /// The inbox is full. The rest of the message is handed back.
    Full(PartialDelivery<'a>),
}

/// The rest of a message whose inbox is full: the envelope that waits for room, and the frames
/// after it.
#[derive(Debug)]
pub struct PartialDelivery<'a> {
    slot: Slot,
    route: Route,
    waiting: Envelope,
    frames: Frames<'a>,
    frames_delivered: usize,
}

impl PartialDelivery<'_> {
    /// Returns how many frames of the message have been handled. If the message comes again, so
    /// many are to be skipped.
    pub fn frames_delivered(&self) -> usize {
        self.frames_delivered
    }
}

#[derive(Debug, Default)]
struct Table {
    neurons: HashMap<String, Slot>,
    controllers: HashMap<String, Slot>,
    hosts: HashMap<String, Slot>,
}

impl Table {
    /// Returns the inboxes that messages of a kind go to.
    fn of_kind(&self, kind: MessageKind) -> &HashMap<String, Slot> {
        match kind {
            MessageKind::Signal | MessageKind::Request => &self.neurons,
            MessageKind::Report => &self.controllers,
            MessageKind::Host => &self.hosts,
        }
    }

    /// Returns the inboxes that an address belongs to.
    fn of_address(&mut self, at: &Address) -> &mut HashMap<String, Slot> {
        match at {
            Address::Neuron(_) => &mut self.neurons,
            Address::Controller(_) => &mut self.controllers,
            Address::Host(_) => &mut self.hosts,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Slot> {
        self.neurons.values().chain(self.controllers.values()).chain(self.hosts.values())
    }
}

/// The open inboxes of this process, by address.
#[derive(Debug)]
pub struct Inboxes {
    table: RwLock<Table>,
    capacity: usize,
    counters: Arc<ConnectionCounters>,
    closed: mpsc::UnboundedSender<Address>,
    claims: ClaimHub,
}

impl Inboxes {
    /// Creates an empty table for inboxes of `capacity` envelopes each, at least 1. The receiver
    /// reports the address of each inbox that is dropped.
    pub fn new(capacity: usize, counters: Arc<ConnectionCounters>) -> (Arc<Self>, mpsc::UnboundedReceiver<Address>) {
        let (closed, receiver) = mpsc::unbounded_channel();
        (
            Arc::new(Self {
                table: RwLock::default(),
                capacity: capacity.max(1),
                counters,
                closed,
                claims: ClaimHub::default(),
            }),
            receiver,
        )
    }

    /// Returns what passes claims on to the hosts of this process.
    pub fn claims(&self) -> &ClaimHub {
        &self.claims
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // A panic elsewhere cannot leave the table half changed.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the inbox of an address. If there is one already, that one ends.
    pub fn open(self: &Arc<Self>, at: &Address) -> Inbox {
        let (slot, inbox) = self.slot(at);
        let table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        Self::insert(table, slot);
        inbox
    }

    /// Opens the inbox of an address for a caller that waits for it, unless that has given up. Such
    /// a caller may have opened the inbox itself meanwhile, and keeps that one.
    pub fn open_for(self: &Arc<Self>, at: &Address, reply: &SubscribeReply) -> Option<Inbox> {
        let (slot, inbox) = self.slot(at);
        let table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if reply.is_closed() {
            return None;
        }
        Self::insert(table, slot);
        Some(inbox)
    }

    fn slot(self: &Arc<Self>, at: &Address) -> (Slot, Inbox) {
        let (queue, receiver) = BoundedQueue::new(self.capacity, IDLE_CAPACITY);
        let subscription = Subscription { receiver, address: at.clone(), inboxes: Arc::downgrade(self) };
        (Slot { queue, address: at.clone() }, Inbox::new(subscription))
    }

    fn insert(mut table: RwLockWriteGuard<'_, Table>, slot: Slot) {
        let name = slot.address.name().to_owned();
        let before = table.of_address(&slot.address.clone()).insert(name, slot);
        drop(table);
        if let Some(before) = before {
            before.queue.close();
        }
    }

    /// Closes the inbox of an address, if it is open. Its receiver gets what is queued, and then
    /// the end.
    pub fn close(&self, at: &Address) {
        let slot = self.table.write().unwrap_or_else(PoisonError::into_inner).of_address(at).remove(at.name());
        if let Some(slot) = slot {
            slot.queue.close();
        }
    }

    /// Returns whether the inbox of an address is open.
    pub fn is_open(&self, at: &Address) -> bool {
        let table = self.table();
        match at {
            Address::Neuron(id) => table.neurons.contains_key(id.as_str()),
            Address::Controller(id) => table.controllers.contains_key(id.as_str()),
            Address::Host(id) => table.hosts.contains_key(id.as_str()),
        }
    }

    /// Returns the addresses of all open inboxes, in no particular order.
    pub fn addresses(&self) -> Vec<Address> {
        self.table().all().map(|slot| slot.address.clone()).collect()
    }

    /// Puts an envelope of this process into its inbox, or hands it back if that is not open here.
    /// What it returns waits while the inbox is full.
    pub(crate) fn send(&self, envelope: Envelope) -> Result<Sending, Envelope> {
        let table = self.table();
        let slot = match &envelope {
            Envelope::Signal { to, .. } | Envelope::Request { to, .. } => table.neurons.get(to.as_str()),
            Envelope::Report { to, .. } => table.controllers.get(to.as_str()),
            Envelope::Host { to, .. } => table.hosts.get(to.as_str()),
        };
        let Some(Slot { queue, .. }) = slot else { return Err(envelope) };
        Ok(match queue.push(envelope, None) {
            Ok(()) => {
                self.counters.local(1);
                Sending::done(Ok(()))
            }
            Err(PushError::Closed) => Sending::done(Err(TransportErrorKind::NoInbox.into())),
            Err(PushError::Full(envelope)) => {
                let (queue, counters) = (queue.clone(), self.counters.clone());
                Sending::later(async move {
                    queue.push_async(envelope).await.map_err(|_| TransportErrorKind::NoInbox)?;
                    counters.local(1);
                    Ok(())
                })
            }
        })
    }

    /// Delivers a message from the broker to its inbox, except for its first `skip` frames, and
    /// counts what has become of each envelope.
    pub fn deliver<'a>(&self, subject: &ParsedSubject<'_>, payload: &'a [u8], skip: usize) -> DeliveryOutcome<'a> {
        let mut frames = match wire::frames(payload) {
            Ok(frames) => frames,
            Err(error) => {
                tracing::debug!(?subject, %error, "a message is unreadable");
                self.counters.unreadable(1);
                return DeliveryOutcome::Delivered;
            }
        };
        if skip > 0 {
            frames.nth(skip - 1);
        }
        let Some(slot) = self.table().of_kind(subject.kind).get(subject.target).cloned() else {
            self.counters.unclaimed(frames.len() as u64);
            return DeliveryOutcome::NoInbox;
        };
        let Some(route) = subject.route_to(&slot.address) else {
            tracing::debug!(?subject, "the source of a message is not a name");
            self.counters.unreadable(frames.len() as u64);
            return DeliveryOutcome::Delivered;
        };
        self.push_frames(slot, route, frames, skip)
    }

    /// Delivers a message, and drops and counts the envelopes that find no room.
    pub fn deliver_or_drop(&self, subject: &ParsedSubject<'_>, payload: &[u8]) {
        let mut outcome = self.deliver(subject, payload, 0);
        while let DeliveryOutcome::Full(PartialDelivery { slot, route, frames, frames_delivered, .. }) = outcome {
            self.counters.overflowed(1);
            outcome = self.push_frames(slot, route, frames, frames_delivered + 1);
        }
    }

    /// Goes on with the rest of a message as soon as there is room for its first envelope.
    ///
    /// Dropping the future loses only that rest.
    pub async fn resume<'a>(&self, rest: PartialDelivery<'a>) -> DeliveryOutcome<'a> {
        let PartialDelivery { slot, route, waiting, frames, frames_delivered } = rest;
        if slot.queue.push_async(waiting).await.is_err() {
            self.counters.unclaimed(1 + frames.len() as u64);
            return DeliveryOutcome::NoInbox;
        }
        self.counters.received(1);
        self.push_frames(slot, route, frames, frames_delivered + 1)
    }

    /// Decodes frames and puts them into an inbox until it is full. `frames_delivered` frames of
    /// the message have been handled before.
    fn push_frames<'a>(
        &self,
        slot: Slot,
        route: Route,
        mut frames: Frames<'a>,
        mut frames_delivered: usize,
    ) -> DeliveryOutcome<'a> {
        let mut received = 0;
        let mut unreadable = 0;
        if frames.len() > 1 {
            slot.queue.reserve(frames.len());
        }
        let outcome = loop {
            let Some(frame) = frames.next() else { break DeliveryOutcome::Delivered };
            match route.decode(frame).map(|envelope| slot.queue.push(envelope, None)) {
                Ok(Ok(())) => received += 1,
                Ok(Err(PushError::Full(waiting))) => {
                    break DeliveryOutcome::Full(PartialDelivery { slot, route, waiting, frames, frames_delivered });
                }
                Ok(Err(PushError::Closed)) => {
                    self.counters.unclaimed(1 + frames.len() as u64);
                    break DeliveryOutcome::NoInbox;
                }
                Err(error) => {
                    tracing::debug!(?route, %error, "an envelope is unreadable");
                    unreadable += 1;
                }
            }
            frames_delivered += 1;
        };
        self.counters.received(received);
        self.counters.unreadable(unreadable);
        outcome
    }

    /// Removes an inbox that has been dropped, unless another one has taken its place.
    fn remove(&self, at: &Address, queue: &Arc<BoundedQueue<Envelope>>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let slots = table.of_address(at);
        if slots.get(at.name()).is_some_and(|slot| Arc::ptr_eq(&slot.queue, queue)) {
            slots.remove(at.name());
            // The connection may have ended before.
            let _ = self.closed.send(at.clone());
        }
    }
}

impl Drop for Inboxes {
    fn drop(&mut self) {
        // Nothing will be delivered any more.
        let table = self.table.get_mut().unwrap_or_else(PoisonError::into_inner);
        table.all().for_each(|slot| slot.queue.close());
    }
}

/// The stream behind an [`Inbox`]. Dropping it removes the inbox from the table.
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

#[cfg(test)]
mod tests;
