//! The sending end of an edge.

use std::time::Duration;

use super::{Retransmit, Statement, retransmit::RetransmitQueue};
use crate::{signal::StreamId, tag::Tag, tag::Time};

/// The sending end of one edge.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    /// The stream that the subscriber asked for.
    stream: StreamId,
    /// The number of the last statement; 0 before the first.
    seq: u64,
    /// The subscriber has been told everything up to this tag. It never falls.
    told_through: Tag,
    /// A probe, or a repeated subscription, arrived and nothing has been sent since.
    owes_reply: bool,
    /// Nothing has been sent since the last renewal.
    idle_since_renewal: bool,
    pending: Option<Box<Pending>>,
}

/// What is not settled yet between the two ends; absent most of the time where nothing gets lost.
#[derive(Clone, Debug, Default)]
struct Pending {
    /// The highest tag that the subscriber asks for and has not been told; `None` if there is none.
    probe_tag: Option<Tag>,
    /// The statements to retransmit; `None` where the transport loses nothing.
    retransmit: Option<RetransmitQueue>,
}

impl Sender {
    /// Makes the sender of a new stream.
    pub(crate) fn new(stream: StreamId) -> Self {
        Self { stream, seq: 0, told_through: Tag::ORIGIN, owes_reply: false, idle_since_renewal: false, pending: None }
    }

    /// Returns the stream that the subscriber asked for.
    #[inline]
    pub(crate) fn stream(&self) -> StreamId {
        self.stream
    }

    /// Returns the number of the last statement; 0 before the first.
    #[inline]
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the tag through which the subscriber has been told everything.
    #[inline]
    pub(crate) fn told_through(&self) -> Tag {
        self.told_through
    }

    /// Returns whether a probe, or a repeated subscription, arrived and nothing has been sent
    /// since.
    #[inline]
    pub(crate) fn owes_reply(&self) -> bool {
        self.owes_reply
    }

    /// Notes that the subscriber is owed a reply, a sign of life at least.
    pub(crate) fn owe_reply(&mut self) {
        self.owes_reply = true;
    }

    /// Notes that the clock was set forward. A subscriber on another host is told everything up to
    /// `now` as if it had asked.
    pub(crate) fn on_clock_step(&mut self, is_remote: bool, now: Tag) {
        if is_remote {
            self.on_probe(now);
        }
        if let Some(queue) = self.retransmit_queue() {
            queue.forget_round_trip();
        }
    }

    /// Returns whether a statement was made and nothing has been sent since the last renewal.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle_since_renewal && self.seq > 0
    }

    /// Notes that levels are renewed now.
    pub(crate) fn on_renewal(&mut self) {
        self.idle_since_renewal = true;
    }

    /// Notes that a statement from `tag` on is being made, and returns its number.
    #[inline]
    pub(crate) fn on_statement(&mut self, tag: Tag) -> u64 {
        self.seq += 1;
        self.on_told(tag);
        self.seq
    }

    /// Notes that the subscriber is being told everything up to `tag`.
    pub(crate) fn on_told(&mut self, tag: Tag) {
        self.told_through = self.told_through.max(tag);
        self.owes_reply = false;
        self.idle_since_renewal = false;
        if self.probe_tag().is_some_and(|probe| probe <= self.told_through) {
            self.clear_probe();
        }
    }

    /// Returns the highest tag that the subscriber asks for and has not been told.
    #[inline]
    pub(crate) fn probe_tag(&self) -> Option<Tag> {
        self.pending.as_ref()?.probe_tag
    }

    /// Notes that the subscriber asks for a tag.
    pub(crate) fn on_probe(&mut self, upto: Tag) {
        let pending = self.pending.get_or_insert_default();
        pending.probe_tag = pending.probe_tag.max(Some(upto));
        self.owe_reply();
    }

    fn clear_probe(&mut self) {
        match &mut self.pending {
            Some(pending) if pending.retransmit.is_some() => pending.probe_tag = None,
            _ => self.pending = None,
        }
    }

    /// Keeps a sent statement until it is acknowledged.
    pub(crate) fn on_sent(&mut self, seq: u64, statement: Statement, retry: Duration, now: Time) {
        let pending = self.pending.get_or_insert_default();
        pending.retransmit.get_or_insert_default().on_sent(seq, statement, retry, now);
    }

    /// Notes that all statements up to this number have arrived.
    pub(crate) fn on_ack(&mut self, upto: u64, retry: Duration, now: Time) {
        if let Some(queue) = self.retransmit_queue() {
            queue.on_ack(upto, retry, now);
        }
    }

    /// Notes that the subscriber asks for this stream again: it has not got the first statement, or
    /// asked before that came. Returns whether the first statement is retransmitted for that;
    /// otherwise a sign of life is owed.
    pub(crate) fn on_repeated_subscription(&mut self) -> bool {
        let is_sent_again = self.retransmit_queue().is_some_and(RetransmitQueue::on_repeated_subscription);
        self.owes_reply |= !is_sent_again;
        is_sent_again
    }

    /// Returns what is to be done about statements that are not acknowledged.
    #[inline]
    pub(crate) fn poll_retransmit(&mut self, retry: Duration, now: Time) -> Retransmit {
        self.retransmit_queue().map_or(Retransmit::At(None), |queue| queue.poll(retry, now))
    }

    #[inline]
    fn retransmit_queue(&mut self) -> Option<&mut RetransmitQueue> {
        self.pending.as_mut()?.retransmit.as_mut()
    }

    /// Returns how many statements wait for their acknowledgement.
    #[cfg(feature = "sim")]
    pub(crate) fn unacknowledged(&self) -> usize {
        self.pending.as_ref().and_then(|pending| pending.retransmit.as_ref()).map_or(0, RetransmitQueue::len)
    }

    /// Returns whether statements wait for their acknowledgement.
    #[cfg(debug_assertions)]
    pub(crate) fn has_unacknowledged(&self) -> bool {
        let queue = self.pending.as_ref().and_then(|pending| pending.retransmit.as_ref());
        queue.is_some_and(|queue| !queue.is_empty())
    }
}
