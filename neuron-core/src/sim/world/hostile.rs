//! The hostile machine of a run: what it sends, and what becomes of that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{START, World, links::Route};
use crate::{
    id::{NeuronId, SourceId},
    neuron::Input,
    signal::{Incarnation, SignalBody},
    sim::{Hostile, Liar, Plan, Victims, Weakness, event_queue::QueuedEvent, hostile::Afterwards},
    tag::{Tag, Time},
    transport::Envelope,
};

/// The longest time that the machine keeps a lie before it sends it.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// A tag that lies further ahead than this is not believed by any neuron.
const FAR: Duration = Duration::from_secs(3 * 3_600);

/// The hostile machine of a run.
pub(in crate::sim) struct HostileMachine<'a> {
    pub(super) plan: &'a Hostile,
    /// The index of its neuron.
    pub(in crate::sim) index: usize,
    pub(super) liar: Liar,
    pub(super) victims: Victims,
    pub(super) rng: fastrand::Rng,
    pub(super) is_lying: bool,
    /// The neurons that it may listen to.
    pub(in crate::sim) sources: BTreeSet<usize>,
    /// The neurons that ever listen to it.
    pub(in crate::sim) listeners: BTreeSet<usize>,
    /// Whether controllers let it take part in waves and transactions.
    pub(in crate::sim) takes_part: bool,
    /// What its neuron was ever said to lack.
    pub(in crate::sim) said_missing: BTreeSet<SourceId>,
    /// How many of its signals have reached neurons, and of them how many were refused.
    pub(in crate::sim) delivered: u64,
    pub(in crate::sim) refused: u64,
    /// The neurons that have told it their level although it may not listen to them.
    pub(in crate::sim) overheard: BTreeSet<usize>,
    /// The lies that had to be refused and were not counted, each with its receiver.
    pub(in crate::sim) uncounted: BTreeSet<(usize, &'static str)>,
    /// What has grown beyond its bound, and where.
    pub(in crate::sim) oversized: BTreeMap<&'static str, (String, usize)>,
}

impl<'a> HostileMachine<'a> {
    /// Returns the hostile machine of a plan; `None` if the network lacks its neuron.
    pub(super) fn new(plan: &'a Plan, find: impl Fn(&NeuronId) -> Option<usize>) -> Option<Self> {
        let hostile = plan.hostile.as_ref()?;
        let index = find(&hostile.neuron)?;
        let others = || plan.network.neurons().map(|(id, _)| id).filter(|id| **id != hostile.neuron);
        let indices = |wanted: &dyn Fn(&NeuronId) -> bool| -> BTreeSet<usize> {
            others().filter(|id| wanted(id)).filter_map(&find).collect()
        };
        let hosts: BTreeSet<_> = others().map(|id| plan.host_of(id)).collect();
        let victims = Victims {
            neurons: others().cloned().collect(),
            hosts: hosts.into_iter().collect(),
            controllers: vec!["sim".parse().expect("it is a name")],
        };
        let seed = plan.seed ^ 0x006c_6961_7273;
        Some(Self {
            plan: hostile,
            index,
            liar: Liar::new(hostile.neuron.clone(), hostile.host(), hostile.habits, seed),
            rng: fastrand::Rng::with_seed(seed ^ 1),
            is_lying: false,
            sources: indices(&|id| plan.liar_listens_to(&hostile.neuron, id)),
            listeners: indices(&|id| plan.liar_feeds(&hostile.neuron, id)),
            takes_part: plan.actions.iter().any(|(_, action)| action.has_member(&hostile.neuron)),
            victims,
            said_missing: BTreeSet::new(),
            delivered: 0,
            refused: 0,
            overheard: BTreeSet::new(),
            uncounted: BTreeSet::new(),
            oversized: BTreeMap::new(),
        })
        .filter(|machine| !machine.victims.neurons.is_empty())
    }

    /// Returns whether its neuron and another one ever have an edge between them.
    pub(in crate::sim) fn is_neighbour(&self, other: usize) -> bool {
        self.sources.contains(&other) || self.listeners.contains(&other)
    }

    /// Returns whether it tells a neuron that it has been succeeded, and that one believes it.
    pub(in crate::sim) fn may_fence(&self, other: usize) -> bool {
        self.plan.habits.fences && self.is_neighbour(other)
    }

    /// Returns when it ends its lies, and is back if it comes back.
    pub(in crate::sim) fn ends_at(&self) -> Time {
        let pause = match self.plan.afterwards {
            Afterwards::ComesBack(pause) => pause,
            Afterwards::Crashes | Afterwards::Leaves => Duration::ZERO,
        };
        START.after(self.plan.until + pause)
    }

    /// Returns whether it has no edge.
    pub(in crate::sim) fn is_stranger(&self) -> bool {
        self.sources.is_empty() && self.listeners.is_empty()
    }

    pub(super) fn has(&self, weakness: Weakness) -> bool {
        self.plan.weakness == Some(weakness)
    }

    /// Notes what its neuron is said to lack.
    pub(super) fn note_said(&mut self, body: &SignalBody) {
        if let SignalBody::Changed { value, .. } = body {
            self.said_missing.extend(value.missing.names().iter().cloned());
        }
    }

    /// Returns whether a neuron must refuse a signal, whatever has come before; `own` is the
    /// incarnation of that neuron.
    pub(super) fn must_be_refused(&self, to: usize, body: &SignalBody, own: Incarnation, now: Time) -> bool {
        let is_ahead = |tag: Tag| tag > Tag::at(now.after(FAR));
        match body {
            SignalBody::Where | SignalBody::Home { .. } | SignalBody::Unsubscribe { .. } => false,
            SignalBody::Subscribe { .. } => !self.sources.contains(&to),
            SignalBody::Fenced { answered, known } => {
                *answered != own && known.number > own.number || !self.is_neighbour(to)
            }
            body => !self.is_neighbour(to) || body.latest_tag().is_some_and(is_ahead),
        }
    }
}

impl World<'_> {
    /// Adds the hostile machine of the plan, if there is one.
    pub(super) fn add_hostile(&mut self) {
        let plan = self.plan;
        self.hostile = HostileMachine::new(plan, |id| self.find(id)).map(Box::new);
        if let Some(machine) = &self.hostile {
            let hostile = machine.plan;
            if machine.has(Weakness::AnyReply) {
                self.controller.believe_all();
            }
            self.queue.push(START.after(hostile.from), QueuedEvent::Lie);
            self.queue.push(START.after(hostile.until), QueuedEvent::EndLies);
        }
    }

    /// Returns whether this is the hostile neuron.
    pub(in crate::sim) fn is_liar(&self, index: usize) -> bool {
        self.hostile.as_ref().is_some_and(|machine| machine.index == index)
    }

    /// Tells a burst of lies, and schedules the next one.
    pub(in crate::sim) fn lie(&mut self) {
        let Some(mut machine) = self.hostile.take() else { return };
        let host = self.nodes[machine.index].host;
        let is_over = self.now >= START.after(machine.plan.until);
        let keeps_incarnation = !machine.is_lying || !machine.plan.habits.incarnations;
        machine.is_lying = self.hosts[host].is_up && !is_over;
        let now = self.hosts[host].clock.read(self.now);
        if let Some(neuron) = self.nodes[machine.index].neuron().filter(|_| keeps_incarnation) {
            machine.liar.set_incarnation(neuron.incarnation());
        }
        let most = if machine.rng.u8(0..16) == 0 { machine.plan.burst * 16 } else { machine.plan.burst };
        let mut lies = Vec::new();
        for _ in 0..machine.rng.u32(1..=most.max(1)) {
            let lie = machine.liar.lie(&machine.victims, now);
            if machine.rng.u8(0..8) == 0 {
                let late = Duration::from_micros(machine.rng.u64(0..LONGEST_DELAY.as_micros() as u64));
                self.queue.push(self.now.after(late), QueuedEvent::LateLie(Box::new(lie)));
            } else {
                lies.push(lie);
            }
        }
        let pause = machine.plan.pause.as_micros().max(1) as u64;
        let next = self.now.after(Duration::from_micros(machine.rng.u64(1..=pause)));
        let is_lying = machine.is_lying;
        self.hostile = Some(machine);
        if is_lying {
            lies.into_iter().for_each(|lie| self.send_lie(lie));
            self.queue.push(next, QueuedEvent::Lie);
        }
        self.check_sizes();
    }

    /// Sends a lie that was kept for a while.
    pub(in crate::sim) fn send_late_lie(&mut self, lie: Envelope) {
        if self.hostile.as_ref().is_some_and(|machine| machine.is_lying) {
            self.send_lie(lie);
        }
    }

    /// Ends the lies.
    pub(in crate::sim) fn end_lies(&mut self) {
        let Some(machine) = &mut self.hostile else { return };
        machine.is_lying = false;
        let (host, afterwards) = (self.nodes[machine.index].host, machine.plan.afterwards);
        match afterwards {
            Afterwards::Crashes => self.crash(host),
            Afterwards::Leaves => self.stop(host),
            Afterwards::ComesBack(pause) => {
                self.crash(host);
                self.queue.push(self.now.after(pause), QueuedEvent::ComeBack);
            }
        }
    }

    /// Lets the machine come back, as an honest one.
    pub(in crate::sim) fn come_back(&mut self) {
        let Some(index) = self.hostile.as_ref().map(|machine| machine.index) else { return };
        if self.restart_host(self.nodes[index].host, 0) {
            let saved = self.nodes[index].saved.clone();
            self.start(index, saved, false);
        }
    }

    fn send_lie(&mut self, lie: Envelope) {
        self.trace(|| format!("*** lie: {lie:?}"));
        let Some(machine) = &mut self.hostile else { return };
        let index = machine.index;
        let mut sender = self.nodes[index].id.clone();
        if machine.has(Weakness::AnySender) {
            sender = machine.victims.neurons[machine.rng.usize(0..machine.victims.neurons.len())].clone();
        }
        match lie {
            Envelope::Signal { to, signal, .. } => {
                machine.note_said(&signal.body);
                if let Some(to) = self.find(&to) {
                    self.send(Some(index), to, Input::Signal { from: sender, signal });
                }
            }
            Envelope::Report { report, .. } => {
                let from = self.find(&sender).unwrap_or(index);
                let (_, delay) = self.links.draw(Route::Controller, &mut self.rng);
                self.queue.push(self.now.after(delay), QueuedEvent::Report { from, report: *report });
            }
            Envelope::Host { to, message, .. } => {
                let host = self.nodes[index].host;
                self.send_host_message(host, &to, *message);
            }
            Envelope::Request { .. } => {}
        }
    }
}
