//! Acknowledgements, where the transport may lose statements.
//!
//! A statement that arrives in its turn is acknowledged together with those that arrive soon after
//! it: the source does not wait for the acknowledgement, which costs the transport as much as a
//! statement. A source that may have to retransmit is told at once.

use super::Inputs;
use crate::{neuron::Ctx, signal::SignalBody, tag::Time};

/// The most statements of one edge that are acknowledged together.
const MAX_TOGETHER: u16 = 16;
/// How long an acknowledgement waits for others: this fraction of the shortest time after which a
/// source retransmits.
const FRACTION_OF_RETRY: u32 = 5;

impl Inputs {
    /// Acknowledges a statement that came in its turn, now or together with later ones.
    #[inline]
    pub(super) fn acknowledge_soon(&mut self, index: usize, cx: &mut Ctx<'_>) {
        if cx.may_lose() {
            self.schedule_ack(index, cx);
        }
    }

    fn schedule_ack(&mut self, index: usize, cx: &mut Ctx<'_>) {
        let receiver = &self.links[index].receiver;
        if receiver.unacked() == 0 {
            return;
        }
        if receiver.filled_gap() || receiver.unacked() >= MAX_TOGETHER {
            return self.acknowledge(index, cx);
        }
        let due = cx.now.after(cx.params().retry() / FRACTION_OF_RETRY);
        self.acknowledge_at.get_or_insert(due);
    }

    /// Sends an acknowledgement of all applied statements.
    pub(super) fn acknowledge(&mut self, index: usize, cx: &mut Ctx<'_>) {
        let link = &mut self.links[index];
        if cx.may_lose() && link.receiver.is_subscribed() {
            let (stream, upto) = link.receiver.acknowledge();
            cx.send(link.id.clone(), SignalBody::Ack { stream, upto });
        }
    }

    /// Acknowledges what has waited long enough, and all else with it. Returns the next deadline;
    /// `None` if there is none.
    #[inline]
    pub(super) fn acknowledge_due(&mut self, cx: &mut Ctx<'_>) -> Option<Time> {
        let due = self.acknowledge_at?;
        if due > cx.now {
            return Some(due);
        }
        self.acknowledge_all(cx);
        None
    }

    #[inline(never)]
    fn acknowledge_all(&mut self, cx: &mut Ctx<'_>) {
        self.acknowledge_at = None;
        for index in 0..self.links.len() {
            if self.links[index].receiver.unacked() > 0 {
                self.acknowledge(index, cx);
            }
        }
    }
}
