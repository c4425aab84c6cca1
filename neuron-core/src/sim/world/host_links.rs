//! The links between hosts: signs of life, and what becomes of the inputs of a host that is lost.
//!
//! Does what `actor/links.rs` and the scheduler do for a real host.

use super::{START, World, links::Route};
use crate::{
    hosts::{HostMessage, LinkOutput},
    id::{HostId, NeuronId},
    neuron::Input,
    signal::{Signal, SignalBody},
    sim::event_queue::{Message, QueuedEvent},
};

/// Returns whether a signal is between hosts, and not for the neuron.
pub(super) fn is_about_hosts(signal: &Signal) -> bool {
    matches!(signal.body, SignalBody::Where | SignalBody::Home { .. })
}

impl World<'_> {
    /// Notes what a signal of a neuron means for the links of its host, if it leaves the host.
    pub(super) fn note_leaving(&mut self, index: usize, to: &NeuronId, body: &SignalBody) {
        let host = self.nodes[index].host;
        if self.find(to).is_some_and(|other| self.nodes[other].host == host && self.is_up(other)) {
            return;
        }
        let now = self.hosts[host].steady.read(self.now);
        let links = &mut self.hosts[host].links;
        match body {
            SignalBody::Subscribe { .. } => links.subscribe(&self.nodes[index].id, to, now),
            SignalBody::Unsubscribe { .. } => return links.unsubscribe(&self.nodes[index].id, to),
            _ => return,
        }
        self.schedule_host(host);
        self.send_host_signal(index, to, SignalBody::Where);
    }

    /// Says where a neuron runs, or notes where another one does.
    pub(super) fn receive_home(&mut self, index: usize, from: &NeuronId, signal: Signal) {
        let host = self.nodes[index].host;
        self.trace(|| format!("{from} -> a host: {:?}", signal.body));
        match &signal.body {
            SignalBody::Where => {
                let speaks = self.nodes[index].neuron().is_some_and(|neuron| neuron.fenced_by().is_none());
                if speaks {
                    let home = SignalBody::Home { host: self.hosts[host].id.clone() };
                    self.send_host_signal(index, from, home);
                }
            }
            SignalBody::Home { host: home } => {
                let is_own = self.hosts[host].id == *home;
                if is_own && self.find(from).is_none_or(|other| self.nodes[other].host != host) {
                    return;
                }
                let now = self.hosts[host].steady.read(self.now);
                self.hosts[host].links.note_home(from, home, signal.incarnation.number, now);
                self.schedule_host(host);
                // It may have been started anew, without knowing who listens to it.
                self.give(index, Input::Signal { from: from.clone(), signal });
            }
            _ => {}
        }
    }

    fn send_host_signal(&mut self, from: usize, to: &NeuronId, body: SignalBody) {
        let Some(neuron) = self.nodes[from].neuron() else { return };
        let signal = Signal { incarnation: neuron.incarnation(), body };
        self.send_signal(from, to, signal);
    }

    /// Takes in a message of another host.
    pub(super) fn receive_host_message(&mut self, to: usize, from: usize, message: HostMessage) {
        let now = self.hosts[to].steady.read(self.now);
        let sender = self.hosts[from].id.clone();
        let since_start = self.now.since(START).as_secs_f64();
        self.recorder.trace(since_start, || format!("host {} <- {sender}: {:?}", self.hosts[to].id, message.body));
        self.recorder.fingerprint.add_number(self.now.as_micros());
        self.recorder.fingerprint.add_number(to as u64);
        let outputs = self.hosts[to].links.receive(&sender, message, now);
        self.apply_link_outputs(to, outputs);
        if self.hosts[to].lost.contains(&from) && self.hosts[to].links.is_up(&sender) {
            self.hosts[to].lost.remove(&from);
            self.recorder.hosts_back += 1;
        }
    }

    /// Polls the links of a host, unless their wake-up time has changed; after the freeze if the
    /// host is frozen.
    pub(in crate::sim) fn wake_host(&mut self, host: usize) {
        if self.hosts[host].wake_at != Some(self.now) || !self.hosts[host].is_up {
            return;
        }
        if let Some(until) = self.hosts[host].frozen_until(self.now) {
            self.hosts[host].wake_at = Some(until);
            self.queue.push(until, QueuedEvent::WakeHost(host));
            return;
        }
        let now = self.hosts[host].steady.read(self.now);
        let outputs = self.hosts[host].links.poll(now);
        self.apply_link_outputs(host, outputs);
    }

    /// Stops a host in order; no effect if it is down.
    pub(in crate::sim) fn stop(&mut self, host: usize) {
        if !self.hosts[host].is_up {
            return;
        }
        for (to, goodbye) in self.hosts[host].links.goodbye() {
            self.send_host_message(host, &to, goodbye);
        }
        self.crash(host);
    }

    fn apply_link_outputs(&mut self, host: usize, outputs: Vec<LinkOutput>) {
        for output in outputs {
            match output {
                LinkOutput::Send { to, message } => self.send_host_message(host, &to, message),
                LinkOutput::AskHome { source, listener } => {
                    if let Some(listener) = self.find_up(&listener) {
                        self.send_host_signal(listener, &source, SignalBody::Where);
                    }
                }
                LinkOutput::Lost { listener, source } => self.lose_input(host, &listener, &source),
                LinkOutput::Back { listener, source } => {
                    if let Some(listener) = self.find_up(&listener) {
                        let now = self.local_time(listener);
                        self.nodes[listener].handle_input_back(&source, now);
                        self.carry_out(listener);
                    }
                }
            }
        }
        self.schedule_host(host);
    }

    fn lose_input(&mut self, host: usize, listener: &NeuronId, source: &NeuronId) {
        let Some(index) = self.find_up(listener) else { return };
        if let Some(lost) = self.find(source) {
            self.recorder.lost_inputs.push((self.now, index, lost));
            let home = self.nodes[lost].host;
            // It may also be that the neuron alone has not said where it runs.
            let is_lost = !self.hosts[host].links.is_up(&self.hosts[home].id);
            if is_lost && self.hosts[host].lost.insert(home) {
                self.recorder.hosts_lost += 1;
            }
        }
        self.trace(|| format!("{listener} has lost {source}"));
        let now = self.local_time(index);
        self.nodes[index].handle_input_lost(source, now);
        self.carry_out(index);
        self.check_leases(index);
    }

    fn find_up(&self, neuron: &NeuronId) -> Option<usize> {
        self.find(neuron).filter(|index| self.is_up(*index))
    }

    pub(super) fn send_host_message(&mut self, from: usize, to: &HostId, message: HostMessage) {
        let Some(to) = self.find_host(to) else { return };
        let route = Route::Between(&self.hosts[from], &self.hosts[to]);
        let (copies, delay) = self.links.draw(route, &mut self.side_rng);
        self.recorder.host_messages += 1;
        if self.links.is_partitioned(from, to) || copies == 0 {
            self.recorder.lost += 1;
            return;
        }
        let epoch = self.hosts[to].epoch;
        // Hosts have an inbox of their own, beside those of the neurons.
        let edge = (Some(self.nodes.len() + from), self.nodes.len() + to);
        for at in self.links.arrivals(edge, route, (copies, delay), self.now, &mut self.side_rng) {
            let message = Message::ToHost { to, from, message: message.clone() };
            self.queue.push(at, QueuedEvent::Arrival { epoch, message });
        }
    }

    fn schedule_host(&mut self, host: usize) {
        let Self { hosts, queue, now, .. } = self;
        let host_state = &mut hosts[host];
        let wake_at = host_state.links.wake_at().map(|at| host_state.steady.true_time_of(at, *now));
        if wake_at != host_state.wake_at {
            host_state.wake_at = wake_at;
            if let Some(at) = wake_at {
                queue.push(at, QueuedEvent::WakeHost(host));
            }
        }
    }
}
