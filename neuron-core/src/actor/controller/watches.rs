//! The watches of one controller.

use std::collections::HashMap;

use super::watch::WatchSender;
use crate::{
    command::{Sample, WatchPosition},
    id::NeuronId,
    tag::Time,
    watch::Polled,
};

/// The watches of one controller, by number.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// The host has stopped: nothing is watched any more.
    is_closed: bool,
    watches: HashMap<u64, WatchSender>,
    /// A task polls the watches. It ends when there is none.
    is_polled: bool,
}

/// What [`Watches::poll`] has found.
pub(super) struct PolledWatches {
    /// The watches to be renewed.
    pub(super) renewals: Vec<Renewal>,
    /// When to poll again; `None` means that nothing is watched.
    pub(super) next: Option<Time>,
}

/// A watch that is to be renewed.
pub(super) struct Renewal {
    pub(super) neuron: NeuronId,
    /// The number of the watch.
    pub(super) watch: u64,
    /// The number of the request that renews it.
    pub(super) request: u64,
}

impl Watches {
    /// Adds a watch, and returns whether a task has to be started that polls the watches. A watch
    /// ends at once if the host has stopped.
    pub(super) fn insert(&mut self, number: u64, watch: WatchSender) -> bool {
        if self.is_closed {
            return false;
        }
        self.watches.insert(number, watch);
        !std::mem::replace(&mut self.is_polled, true)
    }

    /// Removes a watch, which ends for its reader.
    pub(super) fn remove(&mut self, number: u64) {
        self.watches.remove(&number);
    }

    /// Ends all watches of a neuron that has left.
    pub(super) fn forget(&mut self, neuron: &NeuronId) {
        self.watches.retain(|_, watch| watch.neuron() != neuron);
    }

    /// Ends all watches, and lets none begin any more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.watches.clear();
    }

    /// Returns the watch of this number, if it is one of this neuron: no other may speak for it.
    fn of(&mut self, neuron: &NeuronId, number: u64) -> Option<&mut WatchSender> {
        self.watches.get_mut(&number).filter(|watch| watch.neuron() == neuron)
    }

    /// Returns whether a report of a neuron names the watch of another one.
    pub(super) fn is_forged(&self, from: &NeuronId, number: u64) -> bool {
        self.watches.get(&number).is_some_and(|watch| watch.neuron() != from)
    }

    /// Passes a report of a change on to its watch, if there is one.
    pub(super) fn on_report(&mut self, from: &NeuronId, number: u64, position: WatchPosition, sample: Sample) {
        if let Some(watch) = self.of(from, number) {
            let change = watch.link().on_report(position, sample);
            watch.tell(change);
        }
    }

    /// Passes the answer to a request on to its watch, if there is one. The answer names the watch
    /// and the request.
    pub(super) fn on_answer(
        &mut self,
        from: &NeuronId,
        (number, request): (u64, u64),
        position: WatchPosition,
        sample: Sample,
        now: Time,
    ) {
        if let Some(watch) = self.of(from, number) {
            let change = watch.link().on_answer(request, position, sample, now);
            watch.tell(change);
        }
    }

    /// Tells readers of neurons that cannot be heard, and returns which watches are to be renewed.
    pub(super) fn poll(&mut self, now: Time, next_request: impl Fn() -> u64) -> PolledWatches {
        let mut renewals = Vec::new();
        let mut next: Option<Time> = None;
        for (number, watch) in &mut self.watches {
            let link = watch.link();
            let Polled { renewal, change } = link.poll(now, &next_request);
            if let Some(request) = renewal {
                renewals.push(Renewal { neuron: link.neuron().clone(), watch: *number, request });
            }
            let wake = link.wake_at();
            next = Some(next.map_or(wake, |next| next.min(wake)));
            watch.tell(change);
        }
        self.is_polled = next.is_some();
        PolledWatches { renewals, next }
    }
}
