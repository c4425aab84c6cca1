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
    /// When `poll` has to be called at the latest.
    due: Option<Time>,
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
}

/// Where a neuron runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Home {
    /// It has not been heard.
    Unknown,
    /// It has said so.
    At(HostId),
    /// It ran on a host that has been started anew, or has stopped to run it. It is asked again.
    Moved {
        since: Time,
        /// Its listeners have been told that it is lost.
        is_told: bool,
    },
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
        Self { host, life, peers: BTreeMap::new(), sources: BTreeMap::new(), gone: Vec::new(), due: None }
    }

    /// Returns the name of this host.
    pub(crate) fn host(&self) -> &HostId {
        &self.host
    }

    /// Notes that a neuron of this host listens to one that is reached through the transport. Returns
    /// whether it is not known where that one runs.
    pub(crate) fn subscribe(&mut self, listener: &NeuronId, source: &NeuronId, now: Time) -> bool {
        let known = self.sources.entry(source.clone()).or_insert_with(RemoteSource::new);
        known.listeners.insert(listener.clone());
        let is_unknown = known.host().is_none();
        self.wake(now.after(INTERVAL));
        is_unknown
    }

    /// Notes that a controller of this host sends requests to a neuron. Returns whether it is to be
    /// asked where that one runs.
    pub(crate) fn address(&mut self, neuron: &NeuronId, now: Time) -> bool {
        let known = self.sources.entry(neuron.clone()).or_insert_with(RemoteSource::new);
        known.is_addressed = true;
        let is_asked = known.host().is_none() && known.asked.is_none_or(|at| now.since(at) >= INTERVAL);
        if is_asked {
            known.asked = Some(now);
        }
        is_asked
    }

    /// Returns the host of a neuron and what has become of it, if it is away; `None` also if nothing
    /// is known.
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

    /// Notes that a neuron has said where it runs.
    pub(crate) fn note_home(&mut self, source: &NeuronId, host: &HostId, now: Time) {
        let Some(known) = self.sources.get_mut(source) else { return };
        known.home = Home::At(host.clone());
        if *host != self.host {
            let peer = self.peers.entry(host.clone()).or_insert_with(|| Peer::new(self.life, now));
            peer.expect(now);
            self.wake(now);
        }
    }

    /// Takes in a message of another host, and returns what it leads to.
    pub(crate) fn receive(&mut self, from: &HostId, message: HostMessage, now: Time) -> Vec<LinkOutput> {
        let HostMessage { life, body } = message;
        if *from == self.host {
            if life != self.life {
                tracing::error!(host = %from, "another host of this name runs in this network");
            }
            return Vec::new();
        }
        self.wake(now);
        match body {
            HostMessageBody::Alive { number, echo, held, listens } => {
                if !listens && !self.peers.contains_key(from) {
                    return Vec::new();
                }
                let peer = self.peers.entry(from.clone()).or_insert_with(|| Peer::new(self.life, now));
                if listens {
                    peer.note_asked(now);
                }
                match peer.on_alive(life, number, echo, held, now) {
                    Heard::Nothing => Vec::new(),
                    Heard::Back => {
                        tracing::info!(host = %from, "a host is back");
                        self.at(from).map(|(listener, source)| LinkOutput::Back { listener, source }).collect()
                    }
                    Heard::Anew => {
                        tracing::info!(host = %from, "a host was started anew");
                        self.seek_all(from, now)
                    }
                }
            }
            HostMessageBody::Gone { neurons } => {
                let is_current = self.peers.get(from).is_some_and(|peer| peer.is_of(life));
                let mut outputs = Vec::new();
                for neuron in neurons.iter().filter(|_| is_current) {
                    if let Some(source) = self.sources.get_mut(neuron)
                        && source.home == Home::At(from.clone())
                    {
                        source.home = Home::Moved { since: now, is_told: true };
                        outputs.extend(lost(neuron, source));
                    }
                }
                outputs
            }
            HostMessageBody::Goodbye => {
                let Some(peer) = self.peers.get_mut(from).filter(|peer| peer.is_of(life)) else { return Vec::new() };
                peer.on_goodbye(now);
                tracing::info!(host = %from, "a host has stopped");
                self.at(from).map(|(listener, source)| LinkOutput::Lost { listener, source }).collect()
            }
        }
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, now: Time) -> Vec<LinkOutput> {
        // A host that was stalled could not hear the others in time.
        if self.due.is_some_and(|due| now.since(due) > INTERVAL) {
            self.peers.values_mut().for_each(|peer| peer.forgive(now));
        }
        self.due = None;
        let mut outputs = Vec::new();
        self.tell_gone(&mut outputs);
        let life = self.life;
        let mut lost_hosts = Vec::new();
        let mut next: Option<Time> = None;
        let homes: BTreeSet<&HostId> = self.sources.values().filter_map(RemoteSource::host).collect();
        self.peers.retain(|host, peer| homes.contains(host) || !peer.is_idle(now));
        for (host, peer) in &mut self.peers {
            let is_expected = homes.contains(host);
            if let Some(body) = peer.sign_of_life(is_expected, now) {
                outputs.push(LinkOutput::Send { to: host.clone(), message: HostMessage { life, body } });
            }
            if peer.check(is_expected, now) {
                tracing::warn!(%host, "a host is lost");
                lost_hosts.push(host.clone());
            }
            let wake = peer.wake_at(is_expected);
            next = Some(next.map_or(wake, |next| next.min(wake)));
        }
        for host in lost_hosts {
            outputs.extend(self.at(&host).map(|(listener, source)| LinkOutput::Lost { listener, source }));
        }
        self.seek(now, &mut outputs);
        let seeks = self.sources.values().any(|source| source.host().is_none() && !source.listeners.is_empty());
        let seek = seeks.then(|| now.after(INTERVAL));
        self.due = self.due.into_iter().chain(next).chain(seek).min();
        outputs
    }

    /// Returns when [`poll`](Self::poll) has something to do; `None` if this host shares no edge
    /// with another.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.due
    }

    /// Returns the messages of a host that stops.
    pub(crate) fn goodbye(&self) -> Vec<(HostId, HostMessage)> {
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

    fn wake(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Returns the edges from neurons of a host to neurons of this one: listener and source.
    fn at<'a>(&'a self, host: &'a HostId) -> impl Iterator<Item = (NeuronId, NeuronId)> + 'a {
        let there = self.sources.iter().filter(move |(_, source)| source.host() == Some(host));
        there.flat_map(|(id, source)| source.listeners.iter().map(move |listener| (listener.clone(), id.clone())))
    }

    /// Notes that nothing is known of where the neurons of a host run now, and asks them.
    fn seek_all(&mut self, host: &HostId, now: Time) -> Vec<LinkOutput> {
        let mut outputs = Vec::new();
        for (id, source) in &mut self.sources {
            if source.host() == Some(host) {
                source.home = Home::Moved { since: now, is_told: false };
                outputs.extend(source.ask(id));
            }
        }
        outputs
    }

    /// Asks the neurons again that have not said where they run, and tells the listeners of those
    /// that do not say so in time.
    fn seek(&mut self, now: Time, outputs: &mut Vec<LinkOutput>) {
        for (id, source) in &mut self.sources {
            match &mut source.home {
                Home::At(_) => continue,
                Home::Unknown | Home::Moved { is_told: true, .. } => {}
                Home::Moved { since, is_told } => {
                    if now.since(*since) >= LOST_AFTER {
                        *is_told = true;
                        outputs.extend(lost(id, source));
                    }
                }
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
    fn new() -> Self {
        Self { listeners: BTreeSet::new(), is_addressed: false, asked: None, home: Home::Unknown }
    }

    /// Returns whether anything of this host wants to know where it runs.
    fn is_used(&self) -> bool {
        self.is_addressed || !self.listeners.is_empty()
    }

    /// Returns the host that it runs on; `None` if that is not known.
    fn host(&self) -> Option<&HostId> {
        match &self.home {
            Home::At(host) => Some(host),
            Home::Unknown | Home::Moved { .. } => None,
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
