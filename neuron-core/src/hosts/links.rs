//! What a host knows of the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    HostInfo, HostMessage, HostMessageBody, HostState, INTERVAL, LOST_AFTER, MAX_GONE,
    peer::{Heard, Peer},
};
use crate::{
    id::{HostId, NeuronId},
    tag::Time,
};

/// What a host knows of the other hosts, and where the neurons run that its own neurons listen to.
#[derive(Debug)]
pub(crate) struct HostLinks {
    host: HostId,
    /// Drawn when this host started.
    life: u32,
    peers: BTreeMap<HostId, Peer>,
    sources: BTreeMap<NeuronId, RemoteSource>,
    /// Neurons of this host that have stopped, and that others have not been told of.
    gone: Vec<NeuronId>,
    /// The number of the last sign of life to any host. It begins with the life of this host, so
    /// that no other life has sent the same numbers.
    last_number: u64,
    /// When neurons are asked again where they run, and lost hosts are told again.
    next_round: Time,
    /// When `poll` has to be called at the latest.
    due: Option<Time>,
    /// This host has said goodbye: it is silent from then on.
    has_left: bool,
}

/// A neuron that runs elsewhere, and that neurons of this host listen to.
#[derive(Debug)]
struct RemoteSource {
    /// The neurons of this host that listen to it.
    listeners: BTreeSet<NeuronId>,
    /// A controller of this host sends requests to it.
    is_addressed: bool,
    /// When the controller last asked it where it runs.
    asked: Option<Time>,
    home: Home,
    /// The number of the incarnation that said so.
    incarnation: u32,
}

/// Where a neuron runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Home {
    /// It has said so.
    At(HostId),
    /// It has not said so yet; or its host was started anew, or does not run it any more. It is
    /// asked, and lost if it does not answer in time.
    Sought { since: Time },
}

/// What [`HostLinks::poll`] wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkOutput {
    /// Send a message to another host.
    Send { to: HostId, message: HostMessage },
    /// Ask a neuron where it runs, in the name of one that listens to it.
    AskHome { source: NeuronId, listener: NeuronId },
    /// The host of an input is gone: the input is silent from now on.
    Lost { listener: NeuronId, source: NeuronId },
    /// The host of an input is heard again.
    Back { listener: NeuronId, source: NeuronId },
}

impl HostLinks {
    /// Returns the links of a host that knows no other. `life` is another number each time.
    pub(crate) fn new(host: HostId, life: u32) -> Self {
        Self {
            host,
            life,
            peers: BTreeMap::new(),
            sources: BTreeMap::new(),
            gone: Vec::new(),
            last_number: u64::from(life) << 32,
            next_round: Time::ZERO,
            due: None,
            has_left: false,
        }
    }

    /// Returns the name of this host.
    pub(crate) fn host(&self) -> &HostId {
        &self.host
    }

    /// Notes that a neuron of this host listens to one that is reached through the transport, which
    /// is to be asked where it runs: it may have moved.
    pub(crate) fn subscribe(&mut self, listener: &NeuronId, source: &NeuronId, now: Time) {
        let known = self.sources.entry(source.clone()).or_insert_with(|| RemoteSource::new(now));
        known.listeners.insert(listener.clone());
        self.wake(now.after(INTERVAL));
    }

    /// Notes that a controller of this host sends requests to a neuron. Returns whether it is to be
    /// asked where that one runs.
    pub(crate) fn address(&mut self, neuron: &NeuronId, now: Time) -> bool {
        let known = self.sources.entry(neuron.clone()).or_insert_with(|| RemoteSource::new(now));
        known.is_addressed = true;
        let is_asked = known.host().is_none() && known.asked.is_none_or(|at| now.since(at) >= INTERVAL);
        if is_asked {
            known.asked = Some(now);
        }
        is_asked
    }

    /// Returns the host of a neuron and what has become of it, if it is away; `None` also if
    /// nothing is known.
    pub(crate) fn away(&self, neuron: &NeuronId) -> Option<(HostId, HostState)> {
        let host = self.sources.get(neuron)?.host()?;
        let state = self.peers.get(host)?.state();
        (state != HostState::Up).then(|| (host.clone(), state))
    }

    /// Notes that a neuron of this host does not listen to another one any more.
    pub(crate) fn unsubscribe(&mut self, listener: &NeuronId, source: &NeuronId) {
        if let Some(known) = self.sources.get_mut(source) {
            known.listeners.remove(listener);
            if !known.is_used() {
                self.sources.remove(source);
            }
        }
    }

    /// Notes that a neuron of this host has stopped: it listens to nothing, and others have to be
    /// told.
    pub(crate) fn stop(&mut self, neuron: &NeuronId, now: Time) {
        self.sources.retain(|_, source| {
            source.listeners.remove(neuron);
            source.is_used()
        });
        if !self.peers.is_empty() {
            self.gone.push(neuron.clone());
            self.wake(now);
        }
    }

    /// Notes that an incarnation of a neuron has said where it runs. What an earlier one has said
    /// does not count any more.
    ///
    /// A host that nothing was listened to at is given time to be heard. For one that is waited for
    /// already a neuron cannot speak: it may have said so of any host.
    pub(crate) fn note_home(&mut self, source: &NeuronId, host: &HostId, incarnation: u32, now: Time) {
        let is_expected = self.sources.values().any(|source| source.host() == Some(host));
        let Some(known) = self.sources.get_mut(source).filter(|known| known.incarnation <= incarnation) else {
            return;
        };
        known.incarnation = incarnation;
        known.home = Home::At(host.clone());
        if *host != self.host {
            let peer = self.peers.entry(host.clone()).or_insert_with(|| Peer::new(now));
            peer.note_neuron_there(is_expected, now);
            self.wake(now);
        }
    }

    /// Takes in a message of another host, and returns what it leads to.
    pub(crate) fn receive(&mut self, from: &HostId, message: HostMessage, now: Time) -> Vec<LinkOutput> {
        let HostMessage { life, body } = message;
        if *from == self.host || self.has_left {
            return Vec::new();
        }
        match body {
            HostMessageBody::Alive { number, echo, held, listens } => {
                if !listens && !self.peers.contains_key(from) {
                    return Vec::new();
                }
                let peer = self.peers.entry(from.clone()).or_insert_with(|| Peer::new(now));
                if listens {
                    peer.note_asked(now);
                }
                let heard = peer.on_alive(life, number, echo, held, now);
                let wake = peer.wake_at(false);
                self.wake(wake);
                match heard {
                    Heard::Nothing => Vec::new(),
                    Heard::Back => {
                        tracing::info!(host = %from, "a host is back");
                        self.edges_to(from).map(|(listener, source)| LinkOutput::Back { listener, source }).collect()
                    }
                    Heard::Anew => {
                        tracing::warn!(host = %from, "a host was started anew, or two hosts have this name");
                        self.seek_all(from, now)
                    }
                }
            }
            HostMessageBody::Gone { neurons } => {
                let is_current = self.peers.get(from).is_some_and(|peer| peer.has_life(life));
                let mut outputs = Vec::new();
                for neuron in neurons.iter().filter(|_| is_current) {
                    if let Some(source) = self.sources.get_mut(neuron)
                        && source.home == Home::At(from.clone())
                    {
                        source.home = Home::Sought { since: now.before(LOST_AFTER) };
                        outputs.extend(lost(neuron, source));
                    }
                }
                outputs
            }
            HostMessageBody::Goodbye => {
                let Some(peer) = self.peers.get_mut(from).filter(|peer| peer.has_life(life)) else {
                    return Vec::new();
                };
                peer.on_goodbye(now);
                tracing::info!(host = %from, "a host has stopped");
                self.lost_edges(from)
            }
        }
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, now: Time) -> Vec<LinkOutput> {
        if self.has_left {
            self.due = None;
            return Vec::new();
        }
        // A host that was stalled could not hear the others in time.
        if self.due.is_some_and(|due| now.since(due) > INTERVAL) {
            self.peers.values_mut().for_each(|peer| peer.forgive(now));
        }
        self.due = None;
        let mut outputs = Vec::new();
        self.tell_gone(&mut outputs);
        let life = self.life;
        let is_round = now >= self.next_round;
        if is_round {
            self.next_round = now.after(INTERVAL);
        }
        let mut lost_hosts = Vec::new();
        let mut next: Option<Time> = None;
        let homes: BTreeSet<&HostId> = self.sources.values().filter_map(RemoteSource::host).collect();
        self.peers.retain(|host, peer| homes.contains(host) || !peer.is_idle(now));
        for (host, peer) in &mut self.peers {
            let is_expected = homes.contains(host);
            let last_number = &mut self.last_number;
            let next_number = || {
                *last_number += 1;
                *last_number
            };
            if let Some(body) = peer.sign_of_life(is_expected, now, next_number) {
                outputs.push(LinkOutput::Send { to: host.clone(), message: HostMessage { life, body } });
            }
            if peer.check(is_expected, now) {
                tracing::warn!(%host, "a host is lost");
                lost_hosts.push(host.clone());
            } else if is_round && peer.state() != HostState::Up {
                // What was still under way from its neurons may have brought an input back.
                lost_hosts.push(host.clone());
            }
            let wake = peer.wake_at(is_expected);
            next = Some(next.map_or(wake, |next| next.min(wake)));
        }
        for host in lost_hosts {
            outputs.extend(self.lost_edges(&host));
        }
        if is_round {
            self.seek(now, &mut outputs);
        }
        let round = self.has_unsettled().then_some(self.next_round);
        self.due = self.due.into_iter().chain(next).chain(round).min();
        outputs
    }

    /// Returns when [`poll`](Self::poll) has something to do; `None` if this host shares no edge
    /// with another.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.due
    }

    /// Returns the messages of a host that stops. It is silent from then on.
    pub(crate) fn goodbye(&mut self) -> Vec<(HostId, HostMessage)> {
        self.has_left = true;
        let goodbye = HostMessage { life: self.life, body: HostMessageBody::Goodbye };
        let up = self.peers.iter().filter(|(_, peer)| peer.state() == HostState::Up);
        up.map(|(host, _)| (host.clone(), goodbye.clone())).collect()
    }

    /// Returns the other hosts that are known, with the neurons that this one listens to.
    pub(crate) fn hosts(&self) -> Vec<HostInfo> {
        let info = |(host, peer): (&HostId, &Peer)| {
            let there = self.sources.iter().filter(|(_, source)| source.host() == Some(host));
            HostInfo {
                id: host.clone(),
                state: peer.state(),
                neurons: there.map(|(neuron, _)| neuron.clone()).collect(),
                version: None,
                round_trip: peer.round_trip(),
            }
        };
        self.peers.iter().map(info).collect()
    }

    /// Returns whether another host is known and lives, as far as this one knows.
    #[cfg(feature = "sim")]
    pub(crate) fn is_up(&self, host: &HostId) -> bool {
        self.peers.get(host).is_some_and(|peer| peer.state() == HostState::Up)
    }

    /// Returns how many hosts and how many neurons of other hosts are known.
    #[cfg(feature = "sim")]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.peers.len(), self.sources.len())
    }

    fn wake(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Returns whether a neuron is to be asked, or a host is away whose neurons are listened to.
    fn has_unsettled(&self) -> bool {
        let is_up = |host| self.peers.get(host).is_none_or(|peer| peer.state() == HostState::Up);
        let mut listened = self.sources.values().filter(|source| !source.listeners.is_empty());
        listened.any(|source| source.host().is_none_or(|host| !is_up(host)))
    }

    /// Returns what is told if a host is gone.
    fn lost_edges(&self, host: &HostId) -> Vec<LinkOutput> {
        self.edges_to(host).map(|(listener, source)| LinkOutput::Lost { listener, source }).collect()
    }

    /// Returns the edges from neurons of a host to neurons of this one: listener and source.
    fn edges_to<'a>(&'a self, host: &'a HostId) -> impl Iterator<Item = (NeuronId, NeuronId)> + 'a {
        let there = self.sources.iter().filter(move |(_, source)| source.host() == Some(host));
        there.flat_map(|(id, source)| source.listeners.iter().map(move |listener| (listener.clone(), id.clone())))
    }

    /// Notes that nothing is known of where the neurons of a host run now, and asks them.
    fn seek_all(&mut self, host: &HostId, now: Time) -> Vec<LinkOutput> {
        let mut outputs = Vec::new();
        for (id, source) in &mut self.sources {
            if source.host() == Some(host) {
                source.home = Home::Sought { since: now };
                outputs.extend(source.ask(id));
            }
        }
        outputs
    }

    /// Asks the neurons that have not said where they run, and those whose hosts are away: they may
    /// run elsewhere by now. Tells the listeners of those that do not say so in time.
    fn seek(&self, now: Time, outputs: &mut Vec<LinkOutput>) {
        for (id, source) in &self.sources {
            match &source.home {
                Home::At(host) if self.peers.get(host).is_none_or(|peer| peer.state() == HostState::Up) => continue,
                Home::Sought { since } if now.since(*since) >= LOST_AFTER => outputs.extend(lost(id, source)),
                Home::At(_) | Home::Sought { .. } => {}
            }
            outputs.extend(source.ask(id));
        }
    }

    fn tell_gone(&mut self, outputs: &mut Vec<LinkOutput>) {
        for neurons in std::mem::take(&mut self.gone).chunks(MAX_GONE) {
            let body = HostMessageBody::Gone { neurons: neurons.to_vec() };
            let message = HostMessage { life: self.life, body };
            let up = self.peers.iter().filter(|(_, peer)| peer.state() == HostState::Up);
            outputs.extend(up.map(|(host, _)| LinkOutput::Send { to: host.clone(), message: message.clone() }));
        }
    }
}

impl RemoteSource {
    fn new(now: Time) -> Self {
        let home = Home::Sought { since: now };
        Self { listeners: BTreeSet::new(), is_addressed: false, asked: None, home, incarnation: 0 }
    }

    /// Returns whether anything of this host wants to know where it runs.
    fn is_used(&self) -> bool {
        self.is_addressed || !self.listeners.is_empty()
    }

    /// Returns the host that it runs on; `None` if that is not known.
    fn host(&self) -> Option<&HostId> {
        match &self.home {
            Home::At(host) => Some(host),
            Home::Sought { .. } => None,
        }
    }

    fn ask(&self, id: &NeuronId) -> Option<LinkOutput> {
        let listener = self.listeners.first()?.clone();
        Some(LinkOutput::AskHome { source: id.clone(), listener })
    }
}

fn lost<'a>(id: &'a NeuronId, source: &'a RemoteSource) -> impl Iterator<Item = LinkOutput> + 'a {
    let listeners = source.listeners.iter();
    listeners.map(|listener| LinkOutput::Lost { listener: listener.clone(), source: id.clone() })
}
