//! The sending end of an edge.

use std::time::Duration;

use super::{Retransmit, Statement, retransmit::RetransmitQueue};
use crate::{signal::StreamId, tag::Tag, tag::Time};

/// The sending end of one edge.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    /// The stream that the subscriber asked for.
    pub(crate) stream: StreamId,
    /// The number of the last statement; 0 before the first.
    pub(crate) seq: u64,
    /// The subscriber has been told everything up to this tag. It never falls.
    pub(crate) told_through: Tag,
    /// A question arrived and nothing has been sent since.
    pub(crate) owes_reply: bool,
    /// Nothing has been sent since the last renewal.
    pub(crate) idle_since_renewal: bool,
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
        self.owes_reply = true;
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

    /// Returns what is to be done about statements that are not acknowledged.
    pub(crate) fn poll_retransmit(&mut self, retry: Duration, now: Time) -> Retransmit {
        self.retransmit_queue().map_or(Retransmit::At(None), |queue| queue.poll(retry, now))
    }

    fn retransmit_queue(&mut self) -> Option<&mut RetransmitQueue> {
        self.pending.as_mut()?.retransmit.as_mut()
    }

    /// Returns whether statements wait for their acknowledgement.
    #[cfg(debug_assertions)]
    pub(crate) fn has_unacknowledged(&self) -> bool {
        let queue = self.pending.as_ref().and_then(|pending| pending.retransmit.as_ref());
        queue.is_some_and(|queue| !queue.is_empty())
    }
}
