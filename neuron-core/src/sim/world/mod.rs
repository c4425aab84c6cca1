//! The simulated world: neurons on hosts, the links between them, and the events to come.

mod faults;
mod host;
mod host_links;
mod hostile;
mod lies;
mod links;
mod node;
mod recorder;
mod span;
mod watching;

use std::{collections::BTreeMap, time::Duration};

use host::{Admission, Host};
use host_links::is_about_hosts;
pub(super) use hostile::HostileMachine;
use lies::listener_counts;
use links::{Links, Route};
pub(super) use node::Node;
use recorder::Recorder;
pub(super) use span::Span;
pub(super) use watching::WATCHER;

use super::{
    Plan,
    controller::{Controller, is_of_watch, is_preparation},
    event_queue::{EventQueue, Message, QueuedEvent},
};
use crate::{
    command::Report,
    id::{HostId, NeuronId},
    neuron::{Input, Output, Saved},
    record::Record,
    signal::Signal,
    tag::Time,
};

/// The true time at which runs begin: late enough that clocks can be behind.
pub(super) const START: Time = Time::from_micros(100_000_000_000);

/// The most events of one run: a hundred times as many as the busiest plans have.
pub(super) const MAX_STEPS: u64 = 3_000_000;

/// The state of a run. Neurons and hosts are given by their index.
pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    pub(super) nodes: Vec<Node>,
    pub(super) hosts: Vec<Host>,
    pub(super) controller: Controller,
    pub(super) recorder: Recorder,
    indices: BTreeMap<NeuronId, usize>,
    links: Links<'a>,
    /// `None` if the plan has no hostile machine.
    pub(super) hostile: Option<Box<HostileMachine<'a>>>,
    /// How many neurons may ever listen to each neuron.
    listener_counts: Vec<usize>,
    queue: EventQueue,
    rng: fastrand::Rng,
    /// For what hosts and watches send, so that the rest of a run does not depend on it.
    side_rng: fastrand::Rng,
    now: Time,
    steps: u64,
}

impl<'a> World<'a> {
    /// Builds the world of a plan, with all neurons started that are not absent.
    pub(super) fn new(plan: &'a Plan, traced: bool) -> Self {
        let mut world = Self {
            plan,
            nodes: Vec::new(),
            hosts: Vec::new(),
            controller: Controller::new("sim".parse().expect("it is a name"), plan.network.settings().patience),
            recorder: Recorder::new(traced),
            indices: BTreeMap::new(),
            links: Links::new(plan),
            hostile: None,
            listener_counts: Vec::new(),
            queue: EventQueue::default(),
            rng: fastrand::Rng::with_seed(plan.seed),
            side_rng: fastrand::Rng::with_seed(plan.seed ^ 0x0073_6964_6573),
            now: START,
            steps: 0,
        };
        let mut hosts = BTreeMap::new();
        for (id, config) in plan.network.configs() {
            let host = plan.host_of(&id);
            let host = *hosts.entry(host.clone()).or_insert_with(|| world.add_host(host));
            world.indices.insert(id.clone(), world.nodes.len());
            world.nodes.push(Node::new(id, host, config, START));
        }
        if plan.hostile.is_some() {
            world.listener_counts = listener_counts(plan, &plan.network.configs().collect::<Vec<_>>());
            world.add_hostile();
        }
        for (index, (at, _)) in plan.actions.iter().enumerate() {
            world.queue.push(START.after(*at), QueuedEvent::Action(index));
        }
        world.queue.push(START.after(plan.quiesce_at), QueuedEvent::Quiesce);
        for index in 0..world.nodes.len() {
            if !plan.absent.contains(&world.nodes[index].id) {
                world.start(index, None, false);
                world.nodes[index].first_saved = world.nodes[index].saved.clone();
            }
        }
        world
    }

    fn add_host(&mut self, id: HostId) -> usize {
        let machine = self.plan.machines.get(&id).copied().unwrap_or_default();
        let life = self.side_rng.u32(..);
        self.hosts.push(Host::new(id, machine, life, self.now));
        self.hosts.len() - 1
    }

    /// Returns the true time.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Returns the number of events so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn find(&self, neuron: &NeuronId) -> Option<usize> {
        self.indices.get(neuron).copied()
    }

    pub(super) fn find_host(&self, id: &HostId) -> Option<usize> {
        self.hosts.iter().position(|host| host.id == *id)
    }

    pub(super) fn host_of(&self, index: usize) -> &Host {
        &self.hosts[self.nodes[index].host]
    }

    pub(super) fn is_up(&self, index: usize) -> bool {
        self.host_of(index).is_up && self.nodes[index].neuron().is_some()
    }

    /// Returns what the clock of a neuron's host shows.
    pub(super) fn local_time(&self, index: usize) -> Time {
        self.host_of(index).clock.read(self.now)
    }

    /// Returns the partitions that have ended, each with its pair of hosts, sender first.
    pub(super) fn partitions(&self) -> &[((usize, usize), Span)] {
        &self.links.healed
    }

    /// Adds a line to the log of the run, if there is one.
    pub(super) fn trace(&mut self, line: impl FnOnce() -> String) {
        self.recorder.trace(self.now.since(START).as_secs_f64(), line);
    }

    pub(super) fn into_trace_log(self) -> Vec<String> {
        self.recorder.into_trace_log()
    }

    /// Removes the next event and returns it with its time; `None` if there is none.
    pub(super) fn next_event(&mut self) -> Option<(Time, QueuedEvent)> {
        self.queue.pop()
    }

    /// Advances the true time to that of the next event.
    pub(super) fn begin_step(&mut self, at: Time) {
        self.now = at;
        self.steps += 1;
    }

    /// Ends the run and the incarnations of all neurons.
    pub(super) fn finish(&mut self, end: Time) {
        self.now = end;
        self.check_sizes();
        for index in 0..self.nodes.len() {
            self.nodes[index].end_incarnation();
            self.check_leases(index);
        }
        self.hosts.iter_mut().for_each(|host| host.end_up(end));
        self.links.quiesce(end);
    }

    /// Ends all faults but those of the clocks.
    pub(super) fn quiesce(&mut self) {
        self.links.quiesce(self.now);
        self.hosts.iter_mut().for_each(Host::quiesce);
    }

    /// Starts an incarnation of a neuron, from what was saved or as if for the first time.
    pub(super) fn start(&mut self, index: usize, saved: Option<Saved>, lost_store: bool) {
        let nonce = self.rng.u32(..);
        let now = self.local_time(index);
        self.nodes[index].start(saved, lost_store, self.plan.guarantees, nonce, now);
        self.carry_out(index);
    }

    /// Takes a message that arrives at its host.
    pub(super) fn arrive(&mut self, epoch: u32, message: Message) {
        let (host, is_up) = match &message {
            Message::ToNeuron { to, .. } => (self.nodes[*to].host, self.nodes[*to].neuron().is_some()),
            Message::ToHost { to, .. } => (*to, true),
        };
        let host = &mut self.hosts[host];
        if !host.is_up || host.epoch != epoch || !is_up {
            // What is lost on its way to the hostile machine explains nothing.
            self.recorder.lost += u64::from(!self.is_for_liar(&message));
            return;
        }
        match host.admit(self.now) {
            Admission::Immediately => self.open(message),
            Admission::At(at) => self.queue.push(at, QueuedEvent::Processing { epoch, message }),
            Admission::Rejected => self.recorder.lost += 1,
        }
    }

    /// Processes a message that has waited in the inbox of a host.
    pub(super) fn process(&mut self, epoch: u32, message: Message) {
        let host = match &message {
            Message::ToNeuron { to, .. } => self.nodes[*to].host,
            Message::ToHost { to, .. } => *to,
        };
        if self.hosts[host].take(epoch) {
            self.open(message);
        }
    }

    fn open(&mut self, message: Message) {
        match message {
            Message::ToNeuron { to, input: Input::Signal { from, signal } } if is_about_hosts(&signal) => {
                self.receive_home(to, &from, signal);
            }
            Message::ToNeuron { to, input } => {
                if self.is_liar(to) {
                    self.overhear(&input);
                }
                self.give(to, input);
            }
            Message::ToHost { to, from, message } => {
                self.overhear_host(to, &message);
                self.receive_host_message(to, from, message);
            }
        }
    }

    /// Wakes a neuron, unless its wake-up time has changed; after the freeze if its host is frozen.
    pub(super) fn wake(&mut self, index: usize) {
        if self.nodes[index].wake_at != Some(self.now) || !self.is_up(index) {
            return;
        }
        match self.host_of(index).frozen_until(self.now) {
            Some(until) => {
                self.nodes[index].wake_at = Some(until);
                self.queue.push(until, QueuedEvent::Wake(index));
            }
            None => self.give(index, Input::Wake),
        }
    }

    /// Gives a neuron an input and carries out what follows.
    pub(super) fn give(&mut self, index: usize, input: Input) {
        let now = self.local_time(index);
        let since_start = self.now.since(START).as_secs_f64();
        self.recorder.trace(since_start, || format!("{} <- {input:?}", self.nodes[index].id));
        self.recorder.fingerprint.add_number(self.now.as_micros());
        self.recorder.fingerprint.add_number(index as u64);
        let has_turn = if self.hostile.is_some() {
            self.give_checked(index, input, now)
        } else {
            self.nodes[index].handle(input, now);
            true
        };
        if !has_turn {
            return;
        }
        self.carry_out(index);
        self.check_leases(index);
    }

    /// Notes the sources of a neuron whose level counts for longer than a lease and a patience
    /// after their last signal.
    fn check_leases(&mut self, index: usize) {
        let settings = self.plan.network.settings();
        let now = self.local_time(index);
        let node = &self.nodes[index];
        for source in node.overdue_sources(settings.lease + settings.patience, now) {
            self.recorder.lease_violations.insert((node.id.clone(), source.clone()));
        }
    }

    /// Carries out the outputs of a neuron and schedules its next wake-up.
    fn carry_out(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].poll_output() {
            match output {
                Output::Signal { to, signal } => self.send_signal(index, &to, signal),
                Output::Report { report, .. } => self.send_report(index, report),
                Output::Save | Output::SaveSoon | Output::Counted { .. } => {}
                Output::Record(record) => self.record(index, record),
            }
        }
        let Some(neuron) = self.nodes[index].neuron() else { return };
        let wake_at = neuron.wake_at().map(|at| self.host_of(index).clock.true_time_of(at, self.now));
        if wake_at != self.nodes[index].wake_at {
            self.nodes[index].wake_at = wake_at;
            if let Some(at) = wake_at {
                self.queue.push(at, QueuedEvent::Wake(index));
            }
        }
    }

    fn record(&mut self, index: usize, record: Record) {
        let since_start = self.now.since(START).as_secs_f64();
        self.recorder.trace(since_start, || format!("{} {record:?}", self.nodes[index].id));
        self.recorder.add_record(&record, self.now);
        self.nodes[index].record(record, self.now);
    }

    fn send_report(&mut self, from: usize, report: Report) {
        if self.drops_report(from, &report) {
            return;
        }
        if is_of_watch(&report) {
            return self.send_watch_report(from, report);
        }
        let (copies, delay) = self.links.draw(Route::Controller, &mut self.rng);
        // The controller repeats a request until there is a reply, so a reply always arrives.
        if copies > 0 || matches!(report, Report::Reply { .. }) {
            self.queue.push(self.now.after(delay), QueuedEvent::Report { from, report });
        }
    }

    fn send_signal(&mut self, from: usize, to: &NeuronId, signal: Signal) {
        match self.alter(from, &signal) {
            Some(altered) => altered.into_iter().for_each(|signal| self.send_as_it_is(from, to, signal)),
            None => self.send_as_it_is(from, to, signal),
        }
    }

    fn send_as_it_is(&mut self, from: usize, to: &NeuronId, signal: Signal) {
        let is_late = self.now.after(Duration::from_secs(5)) > START.after(self.plan.end);
        self.recorder.count_signal(&signal.body, is_late);
        self.note_leaving(from, to, &signal.body);
        let Some(to) = self.find(to) else { return };
        self.note_told(from, to, &signal.body);
        let input = Input::Signal { from: self.nodes[from].id.clone(), signal };
        self.send(Some(from), to, input);
    }

    /// Sends a message to a neuron. `from` is `None` for the controller.
    pub(super) fn send(&mut self, from: Option<usize>, to: usize, input: Input) {
        let receiver = &self.hosts[self.nodes[to].host];
        let route = match from {
            Some(from) => Route::Between(&self.hosts[self.nodes[from].host], receiver),
            None => Route::Controller,
        };
        let (mut copies, delay) = self.links.draw(route, &mut self.rng);
        if from.is_none() && !is_preparation(&input) {
            // The controller repeats a stimulus or a query until there is a reply.
            copies = copies.max(1);
        }
        let sender = from.map(|from| self.nodes[from].host);
        if sender.is_some_and(|sender| self.links.is_partitioned(sender, self.nodes[to].host)) {
            self.recorder.lost += 1;
            return;
        }
        self.recorder.lost += u64::from(copies == 0);
        if let Some(from) = from
            && !self.plan.guarantees.may_lose()
            && !self.is_up(to)
        {
            // Such a transport knows that there is no receiver, and tells the sender.
            let undelivered = Input::Undelivered { to: self.nodes[to].id.clone() };
            let bounce = QueuedEvent::Arrival {
                epoch: self.host_of(from).epoch,
                message: Message::ToNeuron { to: from, input: undelivered },
            };
            self.queue.push(self.now.after(delay), bounce);
            return;
        }
        let epoch = receiver.epoch;
        for at in self.links.arrivals((from, to), route, (copies, delay), self.now, &mut self.rng) {
            let message = Message::ToNeuron { to, input: input.clone() };
            self.queue.push(at, QueuedEvent::Arrival { epoch, message });
        }
    }
}
