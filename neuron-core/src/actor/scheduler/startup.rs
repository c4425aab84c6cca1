//! What a neuron starts with, and what it waits for until it is ready.
//!
//! Why: docs/decisions/0023-no-neuron-starts-before-all-exist.md

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::readiness::ReadinessBarrier;
use crate::{actor::error::HostError, id::NeuronId, neuron::Neuron, tag::Time, transport::Inbox};

/// A neuron that is to be run, with its inbox.
pub(in crate::actor) struct NewCell {
    pub(in crate::actor) neuron: Neuron,
    pub(in crate::actor) inbox: Inbox,
    pub(in crate::actor) startup: Startup,
}

/// What a neuron that is not ready yet is waited for. A neuron is ready once it has been evaluated
/// and, if it has run before, its fencing check is over.
pub(in crate::actor) struct Startup {
    barrier: Arc<ReadinessBarrier>,
    /// `None` if the neuron has no peers that could know of a later incarnation, or once all of
    /// them are confirmed.
    fencing: Option<Box<FencingCheck>>,
}

/// The peers that a neuron which has run before waits to hear from: if it has been started a second
/// time, from an outdated store, they have heard of a later incarnation and say so.
struct FencingCheck {
    /// Peers that have not been heard yet; never empty.
    unconfirmed: BTreeSet<NeuronId>,
    /// How long to wait for them, from when the neuron has first said something.
    patience: Duration,
    /// When the wait is over; `None` before the neuron has said something.
    deadline: Option<Time>,
}

impl Startup {
    /// Returns the startup of a neuron that waits for `peers`, at most for `patience`. Without
    /// peers there is no fencing check.
    pub(in crate::actor) fn new(barrier: Arc<ReadinessBarrier>, peers: BTreeSet<NeuronId>, patience: Duration) -> Self {
        let check = FencingCheck { unconfirmed: peers, patience, deadline: None };
        Self { barrier, fencing: (!check.unconfirmed.is_empty()).then(|| Box::new(check)) }
    }

    /// Starts the time of the fencing check, unless it runs already: the neuron is about to say
    /// what its peers answer.
    pub(super) fn begin_check(&mut self, now: Time) {
        if let Some(check) = &mut self.fencing {
            check.deadline.get_or_insert_with(|| now.after(check.patience));
        }
    }

    /// Returns when the fencing check is over at the latest; `None` if there is none, or if it has
    /// not begun.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.fencing.as_ref()?.deadline
    }

    /// Lets the fencing check last as long as before, although the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        if let Some(check) = &mut self.fencing {
            check.deadline = check.deadline.map(|deadline| deadline.after(by));
        }
    }

    /// Ends the fencing check if its time is over.
    pub(super) fn end_overdue_check(&mut self, now: Time) {
        self.fencing.take_if(|check| check.deadline.is_some_and(|deadline| deadline <= now));
    }

    /// Notes that a peer has been heard, or has no inbox. It is not waited for any more.
    pub(super) fn peer_confirmed(&mut self, peer: &NeuronId) {
        self.fencing.take_if(|check| {
            check.unconfirmed.remove(peer);
            check.unconfirmed.is_empty()
        });
    }

    /// Returns whether there is no fencing check, or it is over.
    pub(super) fn is_confirmed(&self) -> bool {
        self.fencing.is_none()
    }

    /// Tells the barrier that the neuron is ready.
    pub(super) fn mark_ready(self) {
        self.barrier.mark_ready();
    }

    /// Tells the barrier that the neuron will never be ready.
    pub(super) fn fail(self, error: HostError) {
        self.barrier.fail(error);
    }
}
