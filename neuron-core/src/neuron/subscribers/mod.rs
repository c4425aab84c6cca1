//! The subscribers of a neuron, and what they have been told.
//!
//! [`Subscribers`] owns all of it. [`publish`](Subscribers::publish) states a new value;
//! [`poll_deadlines`](Subscribers::poll_deadlines) keeps what was stated alive: it retransmits,
//! renews and calls.

mod publish;
mod renew;
#[cfg(feature = "sim")]
mod sizes;

use std::{collections::BTreeMap, time::Duration};

use thin_vec::ThinVec;

use super::{
    Ctx, LocalSlot,
    stream::{Backoff, LONGEST_PAUSE, Sender},
};
use crate::{
    collections::insert_tightly,
    id::NeuronId,
    record::Claim,
    signal::{Incarnation, SignalBody, StreamId},
    tag::{Tag, Time},
};

/// The subscribers of a neuron.
///
/// The flags are conservative: `false` means that the check would find nothing; `true`, that it
/// might. What may create work for a check sets its flag; only the check clears it. Debug builds
/// verify that after each turn.
#[derive(Clone, Debug)]
pub(crate) struct Subscribers {
    /// Ordered by name.
    list: ThinVec<Subscriber>,
    /// When levels that last are renewed; `None` while none has to be.
    renew_at: Option<Time>,
    /// A subscriber may wait for an answer.
    may_owe_reply: bool,
    /// A subscriber may have statements to retransmit, or may have to be called.
    may_retransmit: bool,
    /// A subscriber may need its levels renewed.
    may_renew: bool,
}

/// A neuron that is subscribed to this one.
#[derive(Clone, Debug)]
struct Subscriber {
    id: NeuronId,
    /// Its last known incarnation; number 0 if none is known.
    incarnation: Incarnation,
    subscription: Subscription,
}

/// How a subscriber is reached.
#[derive(Clone, Debug)]
enum Subscription {
    /// It has subscribed.
    Open {
        sender: Sender,
        /// Where the host of both keeps it; [`LocalSlot::UNKNOWN`] if that has not been told.
        slot: LocalSlot,
        /// The host of this neuron runs it as well: its levels need not be renewed.
        colocated: bool,
    },
    /// It has to subscribe again, and is told so.
    Lost(ResubscribeTimer),
}

/// When a subscriber that has to subscribe again is called.
#[derive(Clone, Debug)]
struct ResubscribeTimer {
    /// The stream that was given up; `None` if its last one was in another incarnation.
    dead: Option<StreamId>,
    attempts: u8,
    call: Backoff,
}

/// How often a subscriber is called before it is left alone until there is something new to state.
const MAX_CALLS: u8 = 12;

impl Subscriber {
    fn lost(id: NeuronId, incarnation: Incarnation, now: Time) -> Self {
        Self { id, incarnation, subscription: Subscription::Lost(ResubscribeTimer::new(None, now)) }
    }

    fn sender(&self) -> Option<&Sender> {
        match &self.subscription {
            Subscription::Open { sender, .. } => Some(sender),
            Subscription::Lost(_) => None,
        }
    }

    fn sender_mut(&mut self) -> Option<&mut Sender> {
        match &mut self.subscription {
            Subscription::Open { sender, .. } => Some(sender),
            Subscription::Lost(_) => None,
        }
    }

    /// Returns whether it is subscribed and its levels have to be renewed.
    fn is_remote(&self) -> bool {
        matches!(self.subscription, Subscription::Open { colocated: false, .. })
    }

    /// Returns the last stream that it asked for; `None` if that is not known.
    fn stream(&self) -> Option<StreamId> {
        match &self.subscription {
            Subscription::Open { sender, .. } => Some(sender.stream()),
            Subscription::Lost(timer) => timer.dead,
        }
    }
}

impl ResubscribeTimer {
    /// The first call is due at once.
    fn new(dead: Option<StreamId>, now: Time) -> Self {
        Self { dead, attempts: 0, call: Backoff::after(Duration::ZERO, now) }
    }

    /// Returns when the next call is due; `None` after the last one.
    fn due(&self) -> Option<Time> {
        (self.attempts < MAX_CALLS).then_some(self.call.due)
    }

    /// Allows at least one more call: there is something new to state.
    fn extend(&mut self, now: Time) {
        if self.attempts >= MAX_CALLS {
            self.attempts = MAX_CALLS - 1;
            self.call.due = now;
        }
    }

    /// Returns what to send, if a call is due.
    fn poll(&mut self, retry: Duration, now: Time) -> Option<SignalBody> {
        if self.due()? > now {
            return None;
        }
        match self.attempts {
            0 => self.call = Backoff::after(retry, now),
            _ => self.call.grow(LONGEST_PAUSE, now),
        }
        self.attempts += 1;
        Some(match self.dead {
            Some(stream) => SignalBody::NoStream { stream },
            None => SignalBody::Hello,
        })
    }
}

impl Subscribers {
    /// Makes the subscribers of a neuron that starts. Each of them has to subscribe again.
    pub(crate) fn new(known: BTreeMap<NeuronId, Incarnation>, now: Time) -> Self {
        Self {
            list: known.into_iter().map(|(id, incarnation)| Subscriber::lost(id, incarnation, now)).collect(),
            renew_at: None,
            may_owe_reply: true,
            may_retransmit: true,
            may_renew: true,
        }
    }

    /// Returns the subscribers with their last known incarnations.
    pub(crate) fn incarnations(&self) -> BTreeMap<NeuronId, Incarnation> {
        self.list.iter().map(|subscriber| (subscriber.id.clone(), subscriber.incarnation)).collect()
    }

    /// Returns the names of the subscribers.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &NeuronId> {
        self.list.iter().map(|subscriber| &subscriber.id)
    }

    /// Returns the last known incarnation of a subscriber; number 0 if none is known.
    pub(crate) fn incarnation_of(&self, subscriber: &NeuronId) -> Incarnation {
        self.find(subscriber).map(|index| self.list[index].incarnation).unwrap_or_default()
    }

    /// Sets all flags: the next run of each check looks at all subscribers.
    pub(crate) fn mark_all(&mut self) {
        self.may_owe_reply = true;
        self.may_retransmit = true;
        self.may_renew = true;
    }

    fn find(&self, id: &NeuronId) -> Result<usize, usize> {
        self.list.binary_search_by(|subscriber| subscriber.id.cmp(id))
    }

    fn sender_of(&mut self, subscriber: &NeuronId, stream: StreamId) -> Option<&mut Sender> {
        let index = self.find(subscriber).ok()?;
        self.list[index].sender_mut().filter(|sender| sender.stream() == stream)
    }

    /// Subscribes a neuron. `snapshot` is the first statement; `None` before the first evaluation.
    #[inline(never)]
    pub(crate) fn subscribe(&mut self, from: &NeuronId, stream: StreamId, snapshot: Option<&Claim>, cx: &mut Ctx<'_>) {
        let index = match self.find(from) {
            Ok(index) => index,
            Err(index) => {
                let new = Subscriber::lost(from.clone(), Incarnation::default(), cx.now);
                insert_tightly(&mut self.list, index, new);
                index
            }
        };
        let subscriber = &mut self.list[index];
        if subscriber.incarnation < stream.incarnation {
            subscriber.incarnation = stream.incarnation;
            cx.save_peers();
        }
        match subscriber.stream() {
            Some(known) if known > stream => {
                cx.rare_counters().duplicates += 1;
                return;
            }
            Some(known) if known == stream => {
                cx.rare_counters().duplicates += 1;
                // A stream that was given up is not resumed.
                if let Some(sender) = subscriber.sender_mut() {
                    self.may_retransmit |= sender.on_repeated_subscription();
                    self.may_owe_reply |= sender.owes_reply();
                } else {
                    cx.send(from.clone(), SignalBody::NoStream { stream });
                }
                return;
            }
            _ => {}
        }
        let colocated = cx.colocated;
        let sender = Sender::new(stream);
        subscriber.subscription = Subscription::Open { sender, slot: LocalSlot::UNKNOWN, colocated };
        self.may_renew |= !colocated;
        if let Some(claim) = snapshot {
            self.publish_to(index, claim, cx);
        }
    }

    /// Ends the subscription of a neuron, unless it has asked for a later stream.
    #[inline(never)]
    pub(crate) fn unsubscribe(&mut self, from: &NeuronId, stream: StreamId, cx: &mut Ctx<'_>) {
        if let Ok(index) = self.find(from)
            && self.list[index].stream().is_none_or(|known| known <= stream)
        {
            self.list.remove(index);
            cx.save_peers();
        }
    }

    /// Notes that a subscriber asks for a tag.
    ///
    /// A subscriber whose stream is not known is told so.
    #[inline(never)]
    pub(crate) fn probe(&mut self, from: &NeuronId, stream: StreamId, upto: Tag, cx: &mut Ctx<'_>) {
        if let Some(sender) = self.sender_of(from, stream) {
            sender.on_probe(upto);
            self.may_owe_reply = true;
            return;
        }
        let known = match self.find(from) {
            Ok(index) => self.list[index].stream(),
            Err(_) => {
                cx.rare_counters().unknown += 1;
                None
            }
        };
        if known.is_none_or(|known| known <= stream) {
            cx.send(from.clone(), SignalBody::NoStream { stream });
        }
    }

    /// Notes that all statements of a stream up to this number have arrived.
    pub(crate) fn acknowledge(&mut self, from: &NeuronId, stream: StreamId, upto: u64, cx: &mut Ctx<'_>) {
        let retry = cx.params().retry();
        let now = cx.now;
        if let Some(sender) = self.sender_of(from, stream) {
            sender.on_ack(upto, retry, now);
        } else if self.find(from).is_err() {
            cx.rare_counters().unknown += 1;
        }
    }

    /// Gives up the stream of a subscriber: what was stated to it may be lost.
    pub(crate) fn on_undelivered(&mut self, to: &NeuronId, cx: &mut Ctx<'_>) {
        if let Ok(index) = self.find(to)
            && self.list[index].sender().is_some()
        {
            self.give_up(index, cx);
        }
    }

    fn give_up(&mut self, index: usize, cx: &mut Ctx<'_>) {
        cx.rare_counters().given_up += 1;
        let subscriber = &mut self.list[index];
        let dead = subscriber.stream();
        subscriber.subscription = Subscription::Lost(ResubscribeTimer::new(dead, cx.now));
        self.may_retransmit = true;
    }

    /// Returns the highest tag that a subscriber waits for.
    #[inline]
    pub(crate) fn highest_probe(&self) -> Option<Tag> {
        if self.may_owe_reply { self.probed_tags().max() } else { None }
    }

    /// Returns the tags that subscribers wait for.
    pub(crate) fn probed_tags(&self) -> impl Iterator<Item = Tag> {
        self.list.iter().filter_map(|subscriber| subscriber.sender()?.probe_tag())
    }

    /// Takes memory for so many subscribers: there will be as many.
    #[cfg(feature = "actor")]
    pub(crate) fn reserve(&mut self, count: usize) {
        self.list.reserve_exact(count.saturating_sub(self.list.len()));
    }

    /// Notes where the host keeps a subscriber.
    #[cfg(feature = "actor")]
    pub(crate) fn note_slot(&mut self, of: &NeuronId, known: LocalSlot) {
        if let Ok(index) = self.find(of)
            && let Subscription::Open { slot, colocated: true, .. } = &mut self.list[index].subscription
        {
            *slot = known;
        }
    }

    /// Notes that a neuron of the same host is gone.
    #[cfg(feature = "actor")]
    pub(crate) fn peer_down(&mut self, peer: &NeuronId) {
        if let Ok(index) = self.find(peer)
            && let Subscription::Open { slot, colocated, .. } = &mut self.list[index].subscription
        {
            *slot = LocalSlot::UNKNOWN;
            *colocated = false;
            self.mark_all();
        }
    }

    /// Returns a number made of what a statement reads, so that it is in the cache.
    #[cfg(feature = "actor")]
    pub(crate) fn prefetch(&self) -> u64 {
        let subscriber = self.list.get(self.list.len() / 2);
        u64::from(self.may_owe_reply) ^ subscriber.map_or(0, |subscriber| u64::from(subscriber.incarnation.number))
    }

    /// Asserts that no flag hides work.
    #[cfg(debug_assertions)]
    pub(crate) fn check(&self, id: &NeuronId) {
        let senders = || self.list.iter().filter_map(Subscriber::sender);
        let owes_reply = senders().any(|sender| sender.probe_tag().is_some() || sender.owes_reply());
        assert!(self.may_owe_reply || !owes_reply, "{id}: reply");
        assert!(self.may_retransmit || !senders().any(Sender::has_unacknowledged), "{id}: retransmit");
        let is_calling = |subscriber: &Subscriber| matches!(&subscriber.subscription, Subscription::Lost(timer) if timer.due().is_some());
        assert!(self.may_retransmit || !self.list.iter().any(is_calling), "{id}: calls");
        assert!(self.may_renew || !self.list.iter().any(Subscriber::is_remote), "{id}: renew");
    }
}
