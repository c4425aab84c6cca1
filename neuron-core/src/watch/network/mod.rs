//! Watching all neurons of a network at the price of one request and one answer for each host.
//!
//! A neuron says itself where it runs, and reports its changes itself. Its host says twice a second
//! which neurons have changed, so that a lost report is noticed. The neurons of the host that it
//! does not list are heard with that: they are *covered*. A neuron that has changed without a
//! report is asked itself; so is one whose host is not known or does not answer.
//!
//! Drive it in turns: one event, [`take_output`](NetworkLink::take_output), then wait until
//! [`wake_at`](NetworkLink::wake_at).
//!
//! Why: docs/decisions/0046-a-network-is-watched-by-host.md

mod host;
mod neuron;
mod poll;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::{
    Change,
    link::{RENEWAL, next_multiple},
};
use crate::{
    command::{Command, HostChanges, Request, Sample, WatchPosition},
    config::Config,
    id::NeuronId,
    tag::Time,
};
use host::HostLink;
pub(crate) use neuron::Home;
use neuron::{NeuronLink, Question};

/// How many neurons are asked at a time.
const MAX_ASKED: usize = 512;

/// How long a report may come after the answer of the host that lists its change, before the neuron
/// is asked for it.
const GRACE: Duration = Duration::from_millis(50);

/// What a controller knows of a network whose neurons it watches.
#[derive(Debug)]
pub(crate) struct NetworkLink {
    /// The number of the watch.
    watch: u64,
    patience: Duration,
    neurons: BTreeMap<NeuronId, NeuronLink>,
    hosts: BTreeMap<Home, HostLink>,
    /// The neurons that no host covers, by when they are to be looked at.
    due: BTreeSet<(Time, NeuronId)>,
    /// The neurons that are to be asked.
    waiting: VecDeque<NeuronId>,
    /// How many neurons have been asked whose answers are waited for.
    asked: usize,
    /// When the hosts are asked next.
    renewal: Time,
    /// The controller has been stalled since the last answer, and answers may wait to be read.
    was_stalled: bool,
    output: NetworkOutput,
}

/// What a [`NetworkLink`] wants done.
#[derive(Debug, Default)]
pub(crate) struct NetworkOutput {
    /// Requests to be sent.
    pub(crate) requests: Vec<(NeuronId, Request)>,
    /// What the reader is to be told.
    pub(crate) changes: Vec<(NeuronId, Change)>,
}

/// Returns a number for a request that no other request has.
pub(crate) type NextRequest<'a> = &'a dyn Fn() -> u64;

impl NetworkLink {
    /// Returns the link to a network without neurons. `patience` is that of the network.
    pub(crate) fn new(watch: u64, patience: Duration, now: Time) -> Self {
        Self {
            watch,
            patience,
            neurons: BTreeMap::new(),
            hosts: BTreeMap::new(),
            due: BTreeSet::new(),
            waiting: VecDeque::new(),
            asked: 0,
            renewal: next_multiple(now),
            was_stalled: false,
            output: NetworkOutput::default(),
        }
    }

    /// Adds a neuron; nothing happens if it is there.
    pub(crate) fn add(&mut self, neuron: &NeuronId, now: Time) {
        if !self.neurons.contains_key(neuron) {
            self.neurons.insert(neuron.clone(), NeuronLink::new(neuron.clone(), self.patience, now));
            self.hosts.values_mut().for_each(HostLink::on_added);
            self.schedule(neuron);
        }
    }

    /// Removes a neuron, and returns whether it was there.
    pub(crate) fn remove(&mut self, neuron: &NeuronId) -> bool {
        self.leave_home(neuron);
        let Some(mut removed) = self.neurons.remove(neuron) else { return false };
        self.asked -= usize::from(removed.end_question());
        if let Some(wake) = removed.wake {
            self.due.remove(&(wake, neuron.clone()));
        }
        true
    }

    /// Takes what is to be done since the last call.
    pub(crate) fn take_output(&mut self) -> NetworkOutput {
        std::mem::take(&mut self.output)
    }

    /// Returns a neuron of each host, which is to be told when the watch ends.
    pub(crate) fn homes(&self) -> impl Iterator<Item = &NeuronId> {
        self.hosts.values().filter_map(HostLink::last_asked)
    }

    /// Takes in a report of a neuron.
    pub(crate) fn on_report(&mut self, from: &NeuronId, position: WatchPosition, sample: Sample, now: Time) {
        let Some(neuron) = self.neurons.get_mut(from) else { return };
        let change = neuron.link.on_report(position, sample);
        self.output.changes.extend(change.map(|change| (from.clone(), change)));
        if neuron.link.take_doubt() {
            self.uncover(from, Some(now));
        } else {
            self.settle(from);
        }
    }

    /// Takes in the last change that a neuron was asked for.
    pub(crate) fn on_answer(
        &mut self,
        (from, request): (&NeuronId, u64),
        position: WatchPosition,
        sample: Sample,
        now: Time,
        next_request: NextRequest<'_>,
    ) {
        let Some(neuron) = self.neurons.get_mut(from) else { return };
        let change = neuron.link.on_answer(request, position, sample, now);
        self.output.changes.extend(change.map(|change| (from.clone(), change)));
        let is_in_doubt = neuron.link.take_doubt();
        if neuron.request == request {
            self.was_stalled = false;
            self.asked -= usize::from(neuron.end_question());
            if is_in_doubt {
                neuron.ask_at(now);
            } else {
                neuron.ask_later(now);
            }
        }
        self.settle(from);
        self.ask_waiting(now, next_request);
    }

    /// Takes in where a neuron runs, which it was asked.
    pub(crate) fn on_home(
        &mut self,
        from: &NeuronId,
        request: u64,
        home: &Home,
        now: Time,
        next_request: NextRequest<'_>,
    ) {
        let Some(neuron) = self.neurons.get_mut(from).filter(|neuron| neuron.request == request) else { return };
        self.asked -= usize::from(neuron.end_question());
        self.set_home(from, home, now, next_request);
        self.ask_waiting(now, next_request);
    }

    /// Takes in what a host says of its neurons, in the name of one of them.
    pub(crate) fn on_host_answer(
        &mut self,
        from: &NeuronId,
        request: u64,
        changes: HostChanges,
        now: Time,
        next_request: NextRequest<'_>,
    ) {
        let Some(home) = self.neurons.get(from).and_then(|neuron| neuron.home.clone()) else { return };
        let Some(host) = self.hosts.get_mut(&home).filter(|host| host.has_asked(from, request)) else { return };
        let said = Home { host: changes.host.clone(), life: changes.position.life };
        if said != home {
            // The neuron has moved, or its host counts anew. It says so in its own name; if it is
            // the host, the others are asked, too.
            self.set_home(from, &said, now, next_request);
            if said.host == home.host {
                self.lose_all(&home);
                self.ask_waiting(now, next_request);
            }
            return;
        }
        let neurons = &self.neurons;
        let Some(news) = host.receive(from, request, changes, |id| neurons.contains_key(id)) else { return };
        self.was_stalled = false;
        for id in news.listed {
            self.note_listed(&id, &home, news.asked, now);
        }
        if let Some(at) = news.complete {
            self.note_complete(&home, at, now);
        }
        if news.asks_again {
            self.ask_host(&home, now, next_request);
        }
        self.ask_waiting(now, next_request);
    }

    /// Notes that a host has listed a neuron: it has changed, come or gone.
    fn note_listed(&mut self, id: &NeuronId, home: &Home, asked: Time, now: Time) {
        // A host speaks for those neurons only that have said that they run there.
        let Some(neuron) = self.neurons.get_mut(id).filter(|neuron| neuron.home.as_ref() == Some(home)) else { return };
        let Some(host) = self.hosts.get(home) else { return };
        if !host.has_listed(id) && neuron.since <= asked {
            self.lose_home(id);
        } else if !host.is_reached(id, neuron.link.position()) {
            neuron.reset_pause();
            self.uncover(id, Some(now.after(GRACE)));
        }
    }

    /// Notes that a host has listed everything that it had counted at `at`: neurons without a later
    /// change are heard with that.
    fn note_complete(&mut self, home: &Home, at: Time, now: Time) {
        let uncovered: Vec<NeuronId> =
            self.hosts.get(home).into_iter().flat_map(|host| host.uncovered.clone()).collect();
        for id in uncovered {
            let (Some(host), Some(neuron)) = (self.hosts.get(home), self.neurons.get_mut(&id)) else { continue };
            if !host.has_listed(&id) {
                if neuron.since <= at {
                    self.lose_home(&id);
                }
            } else if host.is_reached(&id, neuron.link.position()) {
                let change = neuron.link.on_host_answer(at, now);
                self.output.changes.extend(change.map(|change| (id.clone(), change)));
                self.settle(&id);
            } else {
                // Its host answers, so a question without an answer was probably lost.
                neuron.reset_pause();
                neuron.ask_at(now.after(GRACE));
                self.schedule(&id);
            }
        }
    }

    /// Covers a neuron if its host says whether it has changed, and nothing later than its last
    /// change is known.
    fn settle(&mut self, id: &NeuronId) {
        let Some(neuron) = self.neurons.get_mut(id) else { return };
        let host = neuron.home.as_ref().and_then(|home| self.hosts.get_mut(home));
        if let Some(host) = host.filter(|host| host.is_covering())
            && !neuron.link.is_silent()
            && host.is_reached(id, neuron.link.position())
        {
            host.uncovered.remove(id);
            neuron.is_covered = true;
            neuron.reset_pause();
            self.asked -= usize::from(neuron.end_question());
        }
        self.schedule(id);
    }

    /// Notes that the host does not cover a neuron any more. It is asked at `ask_at` if that is not
    /// `None`.
    fn uncover(&mut self, id: &NeuronId, ask_at: Option<Time>) {
        let Some(neuron) = self.neurons.get_mut(id) else { return };
        let host = neuron.home.as_ref().and_then(|home| self.hosts.get_mut(home));
        if let Some(host) = host.filter(|_| std::mem::replace(&mut neuron.is_covered, false)) {
            host.uncovered.insert(id.clone());
            neuron.link.note_heard(host.heard);
        }
        if let Some(at) = ask_at {
            neuron.ask_at(at);
        }
        self.schedule(id);
    }

    /// Notes that a host does not cover its neurons any more, and lets them be asked.
    fn uncover_all(&mut self, home: &Home, now: Time) {
        for id in self.members(home) {
            self.uncover(&id, Some(now));
        }
    }

    fn members(&self, home: &Home) -> BTreeSet<NeuronId> {
        self.hosts.get(home).map(|host| host.members.clone()).unwrap_or_default()
    }

    /// Notes where a neuron runs, as it has said itself.
    fn set_home(&mut self, id: &NeuronId, home: &Home, now: Time, next_request: NextRequest<'_>) {
        let is_same = self.neurons.get(id).is_some_and(|neuron| neuron.home.as_ref() == Some(home));
        if !is_same {
            self.leave_home(id);
        }
        let is_new = !self.hosts.contains_key(home);
        let lease = Config::LEASE + self.patience;
        let host = self.hosts.entry(home.clone()).or_insert_with(|| HostLink::new(home.life, lease, now));
        host.members.insert(id.clone());
        host.prefer(id);
        if let Some(neuron) = self.neurons.get_mut(id) {
            if is_same {
                neuron.ask_later(now);
            } else {
                host.uncovered.insert(id.clone());
                neuron.home = Some(home.clone());
                neuron.since = now;
                neuron.reset_pause();
                if neuron.wait_to_be_asked() {
                    self.waiting.push_back(id.clone());
                }
            }
        }
        if is_new {
            self.ask_host(home, now, next_request);
        }
        self.schedule(id);
    }

    /// Notes that a neuron does not run any more where it has run, and asks it.
    fn lose_home(&mut self, id: &NeuronId) {
        self.leave_home(id);
        if let Some(neuron) = self.neurons.get_mut(id) {
            neuron.reset_pause();
            if neuron.wait_to_be_asked() {
                self.waiting.push_back(id.clone());
            }
        }
        self.schedule(id);
    }

    /// Notes that no neuron runs any more where they have run, and asks them.
    fn lose_all(&mut self, home: &Home) {
        for id in self.members(home) {
            self.lose_home(&id);
        }
    }

    fn leave_home(&mut self, id: &NeuronId) {
        self.uncover(id, None);
        let Some(home) = self.neurons.get_mut(id).and_then(|neuron| neuron.home.take()) else { return };
        if let Some(host) = self.hosts.get_mut(&home) {
            host.members.remove(id);
            host.uncovered.remove(id);
            if host.members.is_empty() {
                self.hosts.remove(&home);
            }
        }
    }

    /// Lets a neuron be looked at when there is something to do.
    fn schedule(&mut self, id: &NeuronId) {
        let Some(neuron) = self.neurons.get_mut(id) else { return };
        let wake = neuron.next_wake();
        if wake == neuron.wake {
            return;
        }
        if let Some(before) = std::mem::replace(&mut neuron.wake, wake) {
            self.due.remove(&(before, id.clone()));
        }
        self.due.extend(wake.map(|wake| (wake, id.clone())));
    }

    fn ask_host(&mut self, home: &Home, now: Time, next_request: NextRequest<'_>) {
        let Some(host) = self.hosts.get_mut(home) else { return };
        let id = next_request();
        if let Some((neuron, command)) = host.ask(self.watch, id, now) {
            self.output.requests.push((neuron, Request::new(id, command)));
        }
    }

    /// Asks neurons that wait, as many as may be asked at a time: for their last change if their
    /// host answers, else where they run.
    fn ask_waiting(&mut self, now: Time, next_request: NextRequest<'_>) {
        while self.asked < MAX_ASKED
            && let Some(id) = self.waiting.pop_front()
        {
            let Some(neuron) = self.neurons.get_mut(&id) else { continue };
            if neuron.is_covered || neuron.question != Question::Waits {
                continue;
            }
            let number = next_request();
            let host = neuron.home.as_ref().and_then(|home| self.hosts.get(home));
            let command = if host.is_some_and(|host| !host.is_silent()) {
                neuron.link.note_asked(number, now);
                Command::LastChange { watch: self.watch }
            } else {
                Command::Host
            };
            neuron.on_asked(number, now);
            self.asked += 1;
            self.output.requests.push((id.clone(), Request::new(number, command)));
            self.schedule(&id);
        }
    }
}
