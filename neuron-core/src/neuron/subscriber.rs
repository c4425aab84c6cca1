//! Who listens to a neuron, and over what.

use std::time::Duration;

use super::{
    Neuron, Output,
    delivery::{Backoff, Sender},
    insert_tightly,
};
use crate::{
    id::NeuronId,
    record::Claim,
    signal::{Incarnation, SignalBody, StreamId},
    tag::{Tag, Time},
};

/// A neuron that listens to this one.
#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub(crate) id: NeuronId,
    /// The latest life of it that was heard of; number 0 if none was.
    pub(crate) life: Incarnation,
    pub(crate) line: Line,
}

/// How a subscriber is reached.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// It has subscribed.
    Open(Sender),
    /// It has to subscribe again, and is told so.
    Broken(Calling),
}

impl Subscriber {
    pub(crate) fn sender(&self) -> Option<&Sender> {
        match &self.line {
            Line::Open(sender) => Some(sender),
            Line::Broken(_) => None,
        }
    }

    pub(crate) fn sender_mut(&mut self) -> Option<&mut Sender> {
        match &mut self.line {
            Line::Open(sender) => Some(sender),
            Line::Broken(_) => None,
        }
    }

    /// The last stream it has asked for, as far as that is known.
    pub(crate) fn stream(&self) -> Option<StreamId> {
        match &self.line {
            Line::Open(sender) => Some(sender.stream),
            Line::Broken(calling) => calling.dead,
        }
    }
}

/// A subscriber that has to subscribe again.
#[derive(Clone, Debug)]
pub(crate) struct Calling {
    /// The stream that was given up; nothing if its last one was in another life of ours.
    dead: Option<StreamId>,
    attempts: u8,
    call: Backoff,
}

/// How often a subscriber is called before it is left alone until there is something new to tell it.
const MAX_CALLS: u8 = 12;
/// The longest pause between two calls.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Calling {
    /// The first call is due at once.
    pub(crate) fn begin(dead: Option<StreamId>, now: Time) -> Self {
        Self { dead, attempts: 0, call: Backoff::after(Duration::ZERO, now) }
    }

    /// When to call next; not at all if there is no time.
    pub(crate) fn due(&self) -> Option<Time> {
        (self.attempts < MAX_CALLS).then_some(self.call.due)
    }

    /// There is something new to tell: at least one more call.
    pub(crate) fn once_more(&mut self, now: Time) {
        if self.attempts >= MAX_CALLS {
            self.attempts = MAX_CALLS - 1;
            self.call.due = now;
        }
    }

    /// What to say, when it is time to.
    pub(crate) fn call(&mut self, retry: Duration, now: Time) -> Option<SignalBody> {
        if self.due()? > now {
            return None;
        }
        match self.attempts {
            0 => self.call = Backoff::after(retry, now),
            _ => self.call.longer(LONGEST_PAUSE, now),
        }
        self.attempts += 1;
        Some(match self.dead {
            Some(stream) => SignalBody::NoStream { stream },
            None => SignalBody::Hello,
        })
    }
}

impl Neuron {
    #[inline(never)]
    pub(super) fn add_subscriber(&mut self, from: &NeuronId, stream: StreamId, now: Time) {
        let index = match self.find_subscriber(from) {
            Ok(index) => index,
            Err(index) => {
                let line = Line::Broken(Calling::begin(None, now));
                let life = Incarnation::default();
                insert_tightly(&mut self.subscribers, index, Subscriber { id: from.clone(), life, line });
                index
            }
        };
        if self.subscribers[index].life < stream.incarnation {
            self.subscribers[index].life = stream.incarnation;
            self.outputs.get_or_insert_default().push(Output::Save);
        }
        match self.subscribers[index].stream() {
            Some(known) if known > stream => {
                self.counters.rest().duplicates += 1;
                return;
            }
            Some(known) if known == stream => {
                self.counters.rest().duplicates += 1;
                // Asked again: it is alive, and at it. A stream that was given up is not taken up again.
                if let Some(sender) = self.subscribers[index].sender_mut() {
                    sender.owes = true;
                } else {
                    self.send(from.clone(), SignalBody::NoStream { stream });
                }
                return;
            }
            _ => {}
        }
        self.subscribers[index].line = Line::Open(Sender::new(stream, self.beside));
        self.cares.renews |= !self.beside;
        if let Some(at) = self.spoken.evaluated {
            let claim = Claim { known: Tag::ORIGIN, at, value: self.value.clone() };
            self.state_to(index, &claim, now);
        }
    }

    #[inline(never)]
    pub(super) fn remove_subscriber(&mut self, from: &NeuronId, stream: StreamId) {
        if let Ok(index) = self.find_subscriber(from)
            && self.subscribers[index].stream().is_none_or(|known| known <= stream)
        {
            self.subscribers.remove(index);
            self.outputs.get_or_insert_default().push(Output::Save);
        }
    }

    /// A subscriber asks whether there is anything up to a tag. One whose stream is not known is told so.
    #[inline(never)]
    pub(super) fn asked(&mut self, from: &NeuronId, stream: StreamId, upto: Tag, now: Time) {
        if let Some(sender) = self.sender_of(from, stream) {
            sender.is_asked(upto);
            self.settle(upto, now);
            return;
        }
        let known = self.find_subscriber(from).ok().and_then(|index| self.subscribers[index].stream());
        if known.is_none_or(|known| known <= stream) {
            self.send(from.clone(), SignalBody::NoStream { stream });
        }
    }

    pub(super) fn sender_of(&mut self, subscriber: &NeuronId, stream: StreamId) -> Option<&mut Sender> {
        let index = self.find_subscriber(subscriber).ok()?;
        self.subscribers[index].sender_mut().filter(|sender| sender.stream == stream)
    }

    pub(super) fn find_subscriber(&self, id: &NeuronId) -> Result<usize, usize> {
        self.subscribers.binary_search_by(|subscriber| subscriber.id.cmp(id))
    }
}
