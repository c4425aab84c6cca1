//! Who listens in this process, and the bounded queues of those who do.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak},
    task::{Context, Poll},
};

use futures_core::Stream;
use neuron_core::{
    transport::{Address, Envelope, Inbox},
    wire::{self, Frames},
};
use tokio::sync::mpsc;

use crate::{
    ConnectionCounters, MessageKind, ParsedSubject, Route,
    queue::{Queue, Reader, Trouble},
    subjects::name,
};

/// How many envelopes an inbox holds before what comes is dropped, or is left with the broker.
///
/// The same as in a process: far above what a network at work has under way to one neuron.
pub const CAPACITY: usize = 16_384;

/// Where the envelopes for one address go.
#[derive(Clone, Debug)]
struct Slot {
    queue: Arc<Queue>,
    address: Address,
}

/// What became of a message.
#[derive(Debug)]
#[must_use = "what found no room is for the caller to drop and count, or to keep until there is room"]
#[expect(clippy::large_enum_variant, reason = "it is looked into at once, and never kept")]
pub enum DeliveryOutcome<'a> {
    /// It is done with: what could be read of it is in the inbox.
    Delivered,
    /// Nobody listens, or nobody any more: what had not been taken before was taken by nobody.
    NoInbox,
    /// The inbox is full.
    Full(PartialDelivery<'a>),
}

/// What is left of a message because its inbox is full: an envelope that waits for room, and what comes after it.
#[derive(Debug)]
pub struct PartialDelivery<'a> {
    slot: Slot,
    route: Route,
    waiting: Envelope,
    frames: Frames<'a>,
    taken: usize,
}

impl PartialDelivery<'_> {
    /// How many frames of the message have been taken in. If they come once more, that many are to be skipped.
    pub fn frames_delivered(&self) -> usize {
        self.taken
    }
}

#[derive(Debug, Default)]
struct Table {
    neurons: HashMap<String, Slot>,
    controllers: HashMap<String, Slot>,
}

impl Table {
    fn of(&self, kind: MessageKind) -> &HashMap<String, Slot> {
        match kind {
            MessageKind::Signal | MessageKind::Request => &self.neurons,
            MessageKind::Report => &self.controllers,
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
    counters: Arc<ConnectionCounters>,
    closed: mpsc::UnboundedSender<Address>,
}

impl Inboxes {
    /// No inboxes yet; each will hold `capacity` envelopes. Whoever drops an inbox is told on the channel.
    pub fn new(capacity: usize, counters: Arc<ConnectionCounters>) -> (Arc<Self>, mpsc::UnboundedReceiver<Address>) {
        let (closed, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self { table: RwLock::default(), capacity: capacity.max(1), counters, closed }), receiver)
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // A panic elsewhere cannot leave the table half changed.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the inbox of an address, in the place of one that is there.
    pub fn open(self: &Arc<Self>, at: &Address) -> Inbox {
        let queue = Queue::new(self.capacity);
        let slot = Slot { queue: queue.clone(), address: at.clone() };
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let before = table.at_mut(at).insert(name(at).to_owned(), slot);
        drop(table);
        if let Some(before) = before {
            before.queue.close();
        }
        Inbox::new(Subscription { reader: Reader::new(queue), address: at.clone(), inboxes: Arc::downgrade(self) })
    }

    /// Ends the inbox of an address, if there is one: whoever listens gets what is in it, and then the end.
    pub fn close(&self, at: &Address) {
        let slot = self.table.write().unwrap_or_else(PoisonError::into_inner).at_mut(at).remove(name(at));
        if let Some(slot) = slot {
            slot.queue.close();
        }
    }

    /// Whether somebody listens.
    pub fn is_open(&self, at: &Address) -> bool {
        let table = self.table();
        match at {
            Address::Neuron(id) => table.neurons.contains_key(id.as_str()),
            Address::Controller(id) => table.controllers.contains_key(id.as_str()),
        }
    }

    /// All addresses at which somebody listens.
    pub fn addresses(&self) -> Vec<Address> {
        let table = self.table();
        table.neurons.values().chain(table.controllers.values()).map(|slot| slot.address.clone()).collect()
    }

    /// Puts what came from the broker into its inbox, except for the first few frames of it, and counts what became of each
    /// envelope. What finds no room is given back.
    pub fn deliver<'a>(&self, parsed: &ParsedSubject<'_>, message: &'a [u8], skip: usize) -> DeliveryOutcome<'a> {
        let mut frames = match wire::frames(message) {
            Ok(frames) => frames,
            Err(error) => {
                tracing::debug!(?parsed, %error, "a message is none of ours");
                self.counters.unreadable(1);
                return DeliveryOutcome::Delivered;
            }
        };
        if skip > 0 {
            frames.nth(skip - 1);
        }
        let Some(slot) = self.table().of(parsed.kind).get(parsed.target).cloned() else {
            self.counters.unclaimed(frames.len() as u64);
            return DeliveryOutcome::NoInbox;
        };
        let Some(route) = parsed.route_to(&slot.address) else {
            tracing::debug!(?parsed, "a message is of nobody");
            self.counters.unreadable(frames.len() as u64);
            return DeliveryOutcome::Delivered;
        };
        self.push_frames(slot, route, frames, skip)
    }

    /// The same for those who have no use for what finds no room: it is dropped, and counted.
    pub fn deliver_or_drop(&self, parsed: &ParsedSubject<'_>, message: &[u8]) {
        let mut delivered = self.deliver(parsed, message, 0);
        while let DeliveryOutcome::Full(PartialDelivery { slot, route, frames, taken, .. }) = delivered {
            self.counters.overflowed(1);
            delivered = self.push_frames(slot, route, frames, taken + 1);
        }
    }

    /// Goes on with what is left of a message, as soon as there is room for the first of it. Tells what becomes of that.
    ///
    /// Whoever gives up waiting loses nothing but what is left.
    pub async fn resume<'a>(&self, rest: PartialDelivery<'a>) -> DeliveryOutcome<'a> {
        let PartialDelivery { slot, route, waiting, frames, taken } = rest;
        if !slot.queue.push_later(waiting).await {
            self.counters.unclaimed(1 + frames.len() as u64);
            return DeliveryOutcome::NoInbox;
        }
        self.counters.received(1);
        self.push_frames(slot, route, frames, taken + 1)
    }

    fn push_frames<'a>(
        &self,
        slot: Slot,
        route: Route,
        mut frames: Frames<'a>,
        mut taken: usize,
    ) -> DeliveryOutcome<'a> {
        let (mut received, mut unreadable) = (0, 0);
        if frames.len() > 1 {
            slot.queue.expect(frames.len());
        }
        let delivered = loop {
            let Some(frame) = frames.next() else { break DeliveryOutcome::Delivered };
            match route.decode(frame).map(|envelope| slot.queue.push(envelope, None)) {
                Ok(Ok(())) => received += 1,
                Ok(Err(Trouble::Full(waiting))) => {
                    break DeliveryOutcome::Full(PartialDelivery { slot, route, waiting, frames, taken });
                }
                Ok(Err(Trouble::Closed)) => {
                    self.counters.unclaimed(1 + frames.len() as u64);
                    break DeliveryOutcome::NoInbox;
                }
                Err(error) => {
                    tracing::debug!(?route, %error, "a message is none of ours");
                    unreadable += 1;
                }
            }
            taken += 1;
        };
        self.counters.received(received);
        self.counters.unreadable(unreadable);
        delivered
    }

    /// Takes the address off, if it still belongs to this reader.
    fn forget(&self, at: &Address, queue: &Arc<Queue>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let slots = table.at_mut(at);
        if slots.get(name(at)).is_some_and(|slot| Arc::ptr_eq(&slot.queue, queue)) {
            slots.remove(name(at));
            // The connection may have ended before.
            let _ = self.closed.send(at.clone());
        }
    }
}

impl Drop for Inboxes {
    fn drop(&mut self) {
        // Nobody brings anything any more.
        let table = self.table.get_mut().unwrap_or_else(PoisonError::into_inner);
        table.neurons.values().chain(table.controllers.values()).for_each(|slot| slot.queue.close());
    }
}

/// What the one who listens holds.
struct Subscription {
    reader: Reader,
    address: Address,
    inboxes: Weak<Inboxes>,
}

impl Stream for Subscription {
    type Item = Envelope;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        Pin::new(&mut self.reader).poll_next(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(inboxes) = self.inboxes.upgrade() {
            inboxes.forget(&self.address, self.reader.queue());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};
    use neuron_core::{
        command::{Command, Request},
        wire::{Bundle, MAX_BUNDLE},
    };

    use super::*;
    use crate::Counts;

    const ROUTE: ParsedSubject<'static> = ParsedSubject { kind: MessageKind::Request, target: "z", source: "a" };

    fn at() -> Address {
        Address::Neuron("z".parse().expect("a name"))
    }

    fn inboxes(capacity: usize) -> (Arc<Inboxes>, Arc<ConnectionCounters>) {
        let counters = Arc::new(ConnectionCounters::default());
        (Inboxes::new(capacity, counters.clone()).0, counters)
    }

    /// Requests with these numbers in one message; those with 0 are unreadable.
    fn bundle(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let frame = |id| match id {
            0 => vec![9, 9],
            id => wire::encode_request(&Request { id, command: Command::Output }).expect("it fits"),
        };
        let mut frames = numbers.into_iter().map(frame);
        let mut bundle = Bundle::new(frames.next().expect("one of them"));
        for frame in frames {
            assert!(bundle.add(&frame, MAX_BUNDLE));
        }
        bundle.into_message()
    }

    /// The numbers of what is in an inbox.
    fn taken(inbox: &mut Inbox) -> Vec<u64> {
        let number = |envelope| match envelope {
            Envelope::Request { request, .. } => request.id,
            other => panic!("a request is expected, not {other:?}"),
        };
        std::iter::from_fn(|| inbox.next().now_or_never().flatten()).map(number).collect()
    }

    fn rest(delivered: DeliveryOutcome<'_>) -> PartialDelivery<'_> {
        match delivered {
            DeliveryOutcome::Full(rest) => rest,
            other => panic!("it does not fit, but {other:?}"),
        }
    }

    #[test]
    fn a_bundle_is_delivered_without_what_is_unreadable_in_it() {
        let (inboxes, counters) = inboxes(10);
        let mut inbox = inboxes.open(&at());
        assert!(matches!(inboxes.deliver(&ROUTE, &bundle([1, 0, 2, 3, 0]), 0), DeliveryOutcome::Delivered));
        assert_eq!(taken(&mut inbox), [1, 2, 3]);
        assert_eq!(counters.snapshot(), Counts { received: 3, unreadable: 2, ..Counts::default() });
        // One that is none at all cannot be counted in envelopes.
        let mut broken = bundle([1, 2, 3]);
        broken.push(0);
        assert!(matches!(inboxes.deliver(&ROUTE, &broken, 0), DeliveryOutcome::Delivered));
        assert_eq!(taken(&mut inbox), []);
        assert_eq!(counters.snapshot(), Counts { received: 3, unreadable: 3, ..Counts::default() });
    }

    #[test]
    fn each_envelope_of_a_bundle_for_nobody_is_counted() {
        let (inboxes, counters) = inboxes(10);
        assert!(matches!(inboxes.deliver(&ROUTE, &bundle(1..=3), 0), DeliveryOutcome::NoInbox));
        assert_eq!(counters.snapshot(), Counts { unclaimed: 3, ..Counts::default() });
        let _inbox = inboxes.open(&at());
        let of_nobody = ParsedSubject { source: "", ..ROUTE };
        assert!(matches!(inboxes.deliver(&of_nobody, &bundle(1..=3), 0), DeliveryOutcome::Delivered));
        assert_eq!(counters.snapshot(), Counts { unclaimed: 3, unreadable: 3, ..Counts::default() });
    }

    #[test]
    fn what_does_not_fit_into_an_inbox_is_dropped_and_counted() {
        let (inboxes, counters) = inboxes(2);
        let mut inbox = inboxes.open(&at());
        inboxes.deliver_or_drop(&ROUTE, &bundle([1, 2, 3, 0, 4, 5]));
        assert_eq!(taken(&mut inbox), [1, 2]);
        assert_eq!(counters.snapshot(), Counts { received: 2, overflowed: 3, unreadable: 1, ..Counts::default() });
    }

    #[test]
    fn what_waits_for_room_goes_on_where_it_was() {
        let (inboxes, counters) = inboxes(2);
        let mut inbox = inboxes.open(&at());
        let message = bundle([1, 0, 2, 3, 0, 4, 5]);
        let left = rest(inboxes.deliver(&ROUTE, &message, 0));
        assert_eq!(left.frames_delivered(), 3);
        // Whoever waits gives up, and the message comes once more.
        assert!(inboxes.resume(left).now_or_never().is_none());
        let mut all = taken(&mut inbox);
        let left = rest(inboxes.deliver(&ROUTE, &message, 3));
        assert_eq!(left.frames_delivered(), 6);
        all.extend(taken(&mut inbox));
        assert!(matches!(inboxes.resume(left).now_or_never(), Some(DeliveryOutcome::Delivered)));
        all.extend(taken(&mut inbox));
        assert_eq!(all, [1, 2, 3, 4, 5]);
        assert_eq!(counters.snapshot(), Counts { received: 5, unreadable: 2, ..Counts::default() });
    }

    #[test]
    fn nothing_is_left_of_a_message_when_its_reader_goes() {
        let (inboxes, counters) = inboxes(1);
        let inbox = inboxes.open(&at());
        let message = bundle(1..=4);
        let left = rest(inboxes.deliver(&ROUTE, &message, 0));
        drop(inbox);
        assert!(matches!(inboxes.resume(left).now_or_never(), Some(DeliveryOutcome::NoInbox)));
        assert_eq!(counters.snapshot(), Counts { received: 1, unclaimed: 3, ..Counts::default() });
    }
}
