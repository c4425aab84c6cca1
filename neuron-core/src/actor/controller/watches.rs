//! The watches of one controller.

use std::collections::HashMap;

use super::{watch::WatchSender, watch_all::NetworkSender};
use crate::{
    command::{Command, Request, Sample, WatchPosition},
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
    /// The watches of all neurons, by number.
    networks: HashMap<u64, NetworkSender>,
    /// A task polls the watches. It ends when there is none.
    is_polled: bool,
    /// When the task polls next.
    next_poll: Time,
}

/// What [`Watches::poll`] has found.
pub(super) struct PolledWatches {
    /// The requests by which watches are renewed, and neurons asked.
    pub(super) requests: Vec<(NeuronId, Request)>,
    /// When to poll again; `None` means that nothing is watched.
    pub(super) next: Option<Time>,
}

/// What the watches of all neurons want done after an event.
#[derive(Default)]
pub(super) struct NetworkActions {
    /// Requests to be sent.
    pub(super) requests: Vec<(NeuronId, Request)>,
    pub(super) polls: Polls,
}

/// What has to be done so that the watches are polled in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Polls {
    /// Nothing.
    #[default]
    InTime,
    /// The task has to be started.
    Start,
    /// The task has to be woken: there is something to do earlier than it knows.
    Earlier,
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

    /// Adds a watch of all neurons. It ends at once if the host has stopped.
    pub(super) fn insert_network(&mut self, number: u64, network: NetworkSender) -> Polls {
        if self.is_closed {
            return Polls::InTime;
        }
        self.networks.insert(number, network);
        if std::mem::replace(&mut self.is_polled, true) { Polls::Earlier } else { Polls::Start }
    }

    /// Removes a watch of all neurons and returns it.
    pub(super) fn remove_network(&mut self, number: u64) -> Option<NetworkSender> {
        self.networks.remove(&number)
    }

    /// Returns whether there is a watch of all neurons with this number.
    pub(super) fn has_network(&self, number: u64) -> bool {
        self.networks.contains_key(&number)
    }

    /// Passes an event on to the watch of all neurons with this number, if there is one.
    pub(super) fn on_network(&mut self, number: u64, event: impl FnOnce(&mut NetworkSender)) -> NetworkActions {
        let Some(network) = self.networks.get_mut(&number) else { return NetworkActions::default() };
        event(network);
        let requests = network.flush();
        let is_earlier = network.link().wake_at() < self.next_poll;
        NetworkActions { requests, polls: if is_earlier { Polls::Earlier } else { Polls::InTime } }
    }

    /// Passes an event on to all watches of all neurons.
    pub(super) fn on_networks(&mut self, event: impl Fn(&mut NetworkSender)) -> NetworkActions {
        let mut all = NetworkActions::default();
        let numbers: Vec<u64> = self.networks.keys().copied().collect();
        for number in numbers {
            let NetworkActions { requests, polls } = self.on_network(number, &event);
            all.requests.extend(requests);
            if polls != Polls::InTime {
                all.polls = polls;
            }
        }
        all
    }

    /// Removes a watch, which ends for its reader.
    pub(super) fn remove(&mut self, number: u64) {
        self.watches.remove(&number);
    }

    /// Ends all watches of a neuron that has left.
    pub(super) fn forget(&mut self, neuron: &NeuronId) {
        self.watches.retain(|_, watch| watch.neuron() != neuron);
        self.networks.values_mut().for_each(|network| network.remove(neuron));
    }

    /// Ends all watches, and lets none begin any more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.watches.clear();
        self.networks.clear();
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
    /// and the request. Returns what has to be done so that a silence that follows is told in time.
    pub(super) fn on_answer(
        &mut self,
        from: &NeuronId,
        (number, request): (u64, u64),
        position: WatchPosition,
        sample: Sample,
        now: Time,
    ) -> Polls {
        let Some(watch) = self.of(from, number) else { return Polls::InTime };
        let change = watch.link().on_answer(request, position, sample, now);
        watch.tell(change);
        let silent_at = watch.link().silent_at();
        if silent_at.is_some_and(|at| at < self.next_poll) { Polls::Earlier } else { Polls::InTime }
    }

    /// Tells readers of neurons that cannot be heard, and returns what is to be asked.
    pub(super) fn poll(&mut self, now: Time, next_request: impl Fn() -> u64) -> PolledWatches {
        let mut requests = Vec::new();
        let mut next: Option<Time> = None;
        for (number, watch) in &mut self.watches {
            let link = watch.link();
            let Polled { renewal, change } = link.poll(now, &next_request);
            if let Some(request) = renewal {
                let command = Command::Watch { watch: *number };
                requests.push((link.neuron().clone(), Request::new(request, command)));
            }
            let wake = link.wake_at();
            next = Some(next.map_or(wake, |next| next.min(wake)));
            watch.tell(change);
        }
        for network in self.networks.values_mut() {
            network.link().poll(now, &next_request);
            requests.extend(network.flush());
            let wake = network.link().wake_at();
            next = Some(next.map_or(wake, |next| next.min(wake)));
        }
        self.is_polled = next.is_some();
        self.next_poll = next.unwrap_or(Time::ZERO);
        PolledWatches { requests, next }
    }
}
