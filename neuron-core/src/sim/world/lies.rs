//! What becomes of lies: what the hostile machine hears and alters, and what others make of it.

use std::collections::BTreeSet;

use super::{World, recorder::kind};
use crate::{
    command::Report,
    config::Config,
    counters::Counters,
    hosts::HostMessage,
    id::NeuronId,
    neuron::Input,
    signal::{Signal, SignalBody},
    sim::{Plan, Weakness, event_queue::Message, judge::connections},
    tag::Time,
};

/// How many hosts beside those of the plan a host may know: those that the hostile neuron has said
/// to run on since the links were polled.
const MAX_GHOSTS: usize = 64;

impl World<'_> {
    /// Gives a neuron an input in a run with a hostile machine, and notes what becomes of its lies.
    /// Returns `false` if the host has refused it, so that the neuron has had no turn.
    pub(super) fn give_checked(&mut self, index: usize, input: Input, now: Time) -> bool {
        let before = self.refusals_before(index, &input);
        let lie = before.is_some().then(|| input.clone());
        let is_admitted = self.admits(index, &input);
        if is_admitted {
            self.nodes[index].handle(input, now);
        }
        if let (Some(before), Some(Input::Signal { signal, .. })) = (before, lie) {
            self.note_delivered(index, &signal, before);
        }
        is_admitted
    }

    pub(super) fn is_for_liar(&self, message: &Message) -> bool {
        match message {
            Message::ToNeuron { to, .. } => self.is_liar(*to),
            Message::ToHost { to, .. } => {
                self.hostile.as_ref().is_some_and(|machine| self.nodes[machine.index].host == *to)
            }
        }
    }

    /// Lets the hostile machine see what has come to one of its addresses.
    pub(super) fn overhear(&mut self, input: &Input) {
        let Some(machine) = &mut self.hostile else { return };
        match input {
            Input::Signal { from, signal } => machine.liar.hear_signal(from, signal),
            Input::Request { request, .. } => machine.liar.hear_request(request),
            Input::Undelivered { .. } | Input::Wake => {}
        }
    }

    /// Lets the hostile machine see what another host says to it.
    pub(super) fn overhear_host(&mut self, to: usize, message: &HostMessage) {
        if let Some(machine) = &mut self.hostile
            && self.nodes[machine.index].host == to
        {
            machine.liar.hear_host(message);
        }
    }

    /// Returns what the hostile neuron sends in place of a signal of its own; `None` if it sends
    /// that signal.
    pub(super) fn alter(&mut self, from: usize, signal: &Signal) -> Option<Vec<Signal>> {
        let now = self.local_time(from);
        let machine = self.hostile.as_mut().filter(|machine| machine.index == from)?;
        machine.note_said(&signal.body);
        if !machine.is_lying || machine.rng.u8(0..100) >= machine.plan.altered {
            return None;
        }
        let altered = machine.liar.alter(signal.clone(), &machine.victims, now);
        altered.iter().for_each(|signal| machine.note_said(&signal.body));
        Some(altered)
    }

    /// Returns whether a report of the hostile neuron is dropped.
    pub(super) fn drops_report(&mut self, from: usize, report: &Report) -> bool {
        let Some(machine) = self.hostile.as_mut().filter(|machine| machine.index == from) else { return false };
        // The real controller gives up a request without an answer; the simulated one would wait.
        let is_reply = matches!(report, Report::Reply { .. });
        machine.is_lying && !is_reply && machine.rng.u8(0..100) < machine.plan.altered
    }

    /// Notes what a neuron tells the hostile one.
    pub(super) fn note_told(&mut self, from: usize, to: usize, body: &SignalBody) {
        let tells = matches!(body, SignalBody::Changed { .. } | SignalBody::Nothing { .. });
        if let Some(machine) = &mut self.hostile
            && machine.index == to
            && tells
            && from != to
            && !machine.sources.contains(&from)
        {
            machine.overheard.insert(from);
        }
    }

    /// Takes in a subscription as a host does: it is refused, and counted, unless the network has
    /// that edge. Returns whether the neuron is to be given the signal.
    pub(super) fn admits(&mut self, to: usize, input: &Input) -> bool {
        let Input::Signal { from, signal } = input else { return true };
        let Some(machine) = self.hostile.as_ref().filter(|machine| self.nodes[machine.index].id == *from) else {
            return true;
        };
        let is_refused = matches!(signal.body, SignalBody::Subscribe { .. })
            && !machine.sources.contains(&to)
            && machine.index != to
            && !machine.has(Weakness::AnyListener);
        if is_refused && !machine.has(Weakness::Uncounted) {
            self.nodes[to].count_stranger();
        }
        !is_refused
    }

    /// Returns what a neuron has refused so far, if this is a signal of the hostile one.
    pub(super) fn refusals_before(&self, to: usize, input: &Input) -> Option<u64> {
        let Input::Signal { from, .. } = input else { return None };
        self.hostile.as_ref().filter(|machine| self.nodes[machine.index].id == *from && machine.index != to)?;
        let neuron = self.nodes[to].neuron().filter(|neuron| neuron.fenced_by().is_none())?;
        Some(refusals(&neuron.counters()))
    }

    /// Notes whether a signal of the hostile neuron was refused, and that it had to be.
    pub(super) fn note_delivered(&mut self, to: usize, signal: &Signal, before: u64) {
        let now = self.local_time(to);
        let Some(neuron) = self.nodes[to].neuron() else { return };
        let (own, after) = (neuron.incarnation(), refusals(&neuron.counters()));
        let Some(machine) = &mut self.hostile else { return };
        machine.delivered += 1;
        machine.refused += u64::from(after > before);
        if after == before && machine.must_be_refused(to, &signal.body, own, now) {
            machine.uncounted.insert((to, kind(&signal.body)));
        }
    }

    /// Checks that nothing has grown beyond its bound.
    pub(super) fn check_sizes(&mut self) {
        let Some(mut machine) = self.hostile.take() else { return };
        for (index, node) in self.nodes.iter().enumerate().filter(|(index, _)| *index != machine.index) {
            let Some(neuron) = node.neuron() else { continue };
            for size in neuron.sizes(self.listener_counts[index]) {
                if size.count > size.bound {
                    machine.oversized.insert(size.what, (node.id.to_string(), size.count));
                }
            }
        }
        let (neurons, hosts) = (self.nodes.len(), self.hosts.len());
        for host in &self.hosts {
            let (peers, sources) = host.links.sizes();
            if peers > hosts + MAX_GHOSTS {
                machine.oversized.insert("known hosts", (host.id.to_string(), peers));
            }
            if sources > neurons {
                machine.oversized.insert("neurons sought", (host.id.to_string(), sources));
            }
        }
        let (floors, members) = self.controller.floors();
        if floors > members {
            machine.oversized.insert("answers to preparations", ("the controller".to_owned(), floors));
        }
        self.hostile = Some(machine);
    }
}

/// Returns how many messages a neuron has refused or left out.
fn refusals(counters: &Counters) -> u64 {
    counters.unknown + counters.refused + counters.duplicates + counters.ahead
}

/// Returns how many neurons may ever listen to each neuron of a plan, by its index.
pub(super) fn listener_counts(plan: &Plan, configs: &[(NeuronId, Config)]) -> Vec<usize> {
    let connections: Vec<_> = connections(plan).map(|(to, from, _)| (to, from)).collect();
    let count = |source: &NeuronId| {
        let in_network = configs.iter().filter(|(_, config)| config.inputs.contains_key(source)).map(|(id, _)| id);
        let connected = connections.iter().filter(|(_, from)| *from == source).map(|(to, _)| *to);
        in_network.chain(connected).collect::<BTreeSet<_>>().len()
    };
    configs.iter().map(|(id, _)| count(id)).collect()
}
