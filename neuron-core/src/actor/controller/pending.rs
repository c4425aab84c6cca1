//! Requests that wait for their answers.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    command::{Answer, Refusal, Request, is_answer},
    id::NeuronId,
    tag::{Tag, Time},
};

/// The requests of one controller that have no answer yet, by number.
#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    /// The host has stopped: no answer comes any more.
    is_closed: bool,
    requests: HashMap<u64, PendingRequest>,
    /// A task expires requests that are overdue. It ends when none is pending.
    is_expiring: bool,
}

/// A request that has no answer yet.
#[derive(Debug)]
pub(super) struct PendingRequest {
    /// The neuron that is to answer.
    pub(super) neuron: NeuronId,
    /// When the caller gives up.
    pub(super) deadline: Time,
    /// Where the answer goes. Dropping it ends the wait without one.
    pub(super) reply: oneshot::Sender<Result<Answer, Refusal>>,
    /// The tag whose level was asked for; `None` for every other command.
    pub(super) level_at: Option<Tag>,
    /// `None` for a neuron of the same host, over a transport that loses nothing.
    pub(super) retry: Option<Box<RetryTimer>>,
}

/// What a reply answers.
#[derive(Debug)]
pub(super) enum Answered {
    Request(PendingRequest),
    /// Nothing that is pending: it was answered before, or given up.
    Nothing,
    /// A request to another neuron, or with something else than what was asked for.
    Forged,
}

/// When a request is sent again, with the same number, until it is answered.
#[derive(Debug)]
pub(super) struct RetryTimer {
    pub(super) request: Request,
    /// [`Time::MAX`] over a transport that loses nothing.
    pub(super) due: Time,
    /// The time between the last two sends; it doubles each time.
    pub(super) pause: Duration,
    pub(super) max_pause: Duration,
    /// How often the neuron has found it to be too late.
    pub(super) postponed: u32,
}

/// How often a request is sent again because its neuron found it to be too late.
const MAX_POSTPONED: u32 = 3;

/// What [`PendingRequests::expire_overdue`] has found.
pub(super) struct Expired {
    /// Requests to be sent again, each with the time until it is sent once more.
    pub(super) retries: Vec<(NeuronId, Request, Duration)>,
    /// When to expire again; `None` means that no request is pending.
    pub(super) next: Option<Time>,
}

impl PendingRequests {
    /// Adds a request, and returns whether a task has to be started that expires requests. `None`
    /// means that the host has stopped, and that the request has not been added.
    pub(super) fn insert(&mut self, id: u64, request: PendingRequest) -> Option<bool> {
        if self.is_closed {
            return None;
        }
        self.requests.insert(id, request);
        Some(!std::mem::replace(&mut self.is_expiring, true))
    }

    /// Removes a request and returns it; `None` if it is not pending any more.
    pub(super) fn remove(&mut self, id: u64) -> Option<PendingRequest> {
        self.requests.remove(&id)
    }

    /// Removes the request that a reply of a neuron answers, and returns it.
    pub(super) fn take_answered(&mut self, id: u64, by: &NeuronId, result: &Result<Answer, Refusal>) -> Answered {
        let Entry::Occupied(request) = self.requests.entry(id) else { return Answered::Nothing };
        let PendingRequest { neuron, level_at, .. } = request.get();
        if !is_answer((neuron, *level_at), by, result) {
            return Answered::Forged;
        }
        Answered::Request(request.remove())
    }

    /// Returns a request that its neuron found to be too late, to be sent again with a deadline by
    /// the neuron's clock; `None` if that is of no use. `deadline` translates the controller's.
    pub(super) fn postpone(&mut self, id: u64, by: &NeuronId, deadline: impl FnOnce(Time) -> Time) -> Option<Request> {
        let pending = self.requests.get_mut(&id).filter(|pending| pending.neuron == *by)?;
        let retry = pending.retry.as_mut().filter(|retry| retry.postponed < MAX_POSTPONED)?;
        retry.postponed += 1;
        let later = deadline(pending.deadline);
        retry.request.deadline = Some(later);
        Some(retry.request.clone())
    }

    /// Ends all requests to a neuron that has left.
    pub(super) fn forget(&mut self, neuron: &NeuronId) {
        self.requests.retain(|_, request| request.neuron != *neuron);
    }

    /// Ends all requests, and lets none begin any more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.requests.clear();
    }

    /// Returns whether the host has stopped.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Ends requests that are overdue, or whose caller has gone, and returns which are to be sent
    /// again. Looks again at `latest`, or earlier if a request is due before.
    pub(super) fn expire_overdue(&mut self, now: Time, latest: Time) -> Expired {
        let mut next = latest;
        let mut retries = Vec::new();
        self.requests.retain(|_, request| request.deadline > now && !request.reply.is_closed());
        for PendingRequest { neuron, deadline, retry, .. } in self.requests.values_mut() {
            next = next.min(*deadline);
            let Some(retry) = retry else { continue };
            if retry.due <= now {
                retries.push((neuron.clone(), retry.request.clone(), retry.pause));
                retry.pause = (retry.pause * 2).min(retry.max_pause);
                retry.due = now.after(retry.pause);
            }
            next = next.min(retry.due);
        }
        self.is_expiring = !self.requests.is_empty();
        Expired { retries, next: self.is_expiring.then_some(next) }
    }
}
