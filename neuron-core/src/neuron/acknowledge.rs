//! Telling sources what has come, where the carrier may lose it.
//!
//! What comes in its turn is acknowledged together with what comes soon after it: the source is in no hurry to hear of it, and
//! an acknowledgement costs the carrier as much as a statement. A source that may have to send something again hears at once.

use super::Neuron;
use crate::{signal::SignalBody, tag::Time};

/// How many statements of one edge are acknowledged together, at most.
const TOGETHER: u16 = 16;
/// How long an acknowledgement waits for others: this part of the shortest time after which a source sends again.
const PART_OF_RETRY: u32 = 5;

impl Neuron {
    /// An input has made a statement whose turn it was.
    pub(super) fn acknowledge_soon(&mut self, index: usize, now: Time) {
        let Some(link) = self.sources.get(index).and_then(|source| source.link.as_ref()) else { return };
        if !self.settings.carrier.may_lose() || link.receiver.owes() == 0 {
            return;
        }
        if link.receiver.has_closed_a_hole() || link.receiver.owes() >= TOGETHER {
            return self.acknowledge(index);
        }
        let due = now.after(self.retry() / PART_OF_RETRY);
        self.acknowledges_at.get_or_insert(due);
    }

    /// Tells an input what has come of it so far.
    pub(super) fn acknowledge(&mut self, index: usize) {
        let Some(link) = self.sources.get_mut(index).and_then(|source| source.link.as_mut()) else { return };
        if self.settings.carrier.may_lose() && link.receiver.applied > 0 {
            let (stream, upto) = link.receiver.acknowledge();
            let to = self.sources[index].id.clone();
            self.send(to, SignalBody::Ack { stream, upto });
        }
    }

    /// Acknowledges what has waited for long enough, and all else with it. Tells when to do it again.
    #[inline]
    pub(super) fn acknowledge_what_is_due(&mut self, now: Time) -> Option<Time> {
        let due = self.acknowledges_at?;
        if due > now {
            return Some(due);
        }
        self.acknowledge_all();
        None
    }

    #[inline(never)]
    fn acknowledge_all(&mut self) {
        self.acknowledges_at = None;
        for index in 0..self.sources.len() {
            if self.sources[index].link.as_ref().is_some_and(|link| link.receiver.owes() > 0) {
                self.acknowledge(index);
            }
        }
    }
}
