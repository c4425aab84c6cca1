//! What a controller knows of one host whose neurons it watches.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
    time::Duration,
};

use crate::{
    command::{Command, HostChanges, HostPosition, WatchPosition},
    id::NeuronId,
    tag::Time,
};

/// How many requests may be without an answer before the oldest is not waited for any more.
const MAX_ASKED: usize = 16;

/// The controller's end of the watch of a host.
#[derive(Debug)]
pub(super) struct HostLink {
    /// How long the host counts as alive after it was asked and has answered.
    lease: Duration,
    /// Up to where it is known which neurons have changed.
    position: HostPosition,
    /// The last change of each neuron that the host has listed, as of `position`.
    listed: BTreeMap<NeuronId, WatchPosition>,
    /// The neurons that have said that they run there.
    pub(super) members: BTreeSet<NeuronId>,
    /// Those of them that the host does not cover.
    pub(super) uncovered: BTreeSet<NeuronId>,
    /// When the last question was asked whose answer listed everything.
    pub(super) heard: Time,
    /// When the last question was asked that has been answered.
    answered: Time,
    /// Everything has been listed, and since the host was silent last.
    is_complete: bool,
    /// The host does not answer.
    is_silent: bool,
    /// `None` while no list is under way.
    sweep: Option<Sweep>,
    /// The requests that have no answer yet.
    asked: VecDeque<AskedHost>,
    /// The neuron that was asked last, in whose name the host answers.
    last_asked: Option<NeuronId>,
    /// A neuron that has answered, which is asked next if the last one does not answer.
    preferred: Option<NeuronId>,
    /// The host has listed neurons that were none of the network.
    has_listed_others: bool,
}

/// A list that may take several answers.
#[derive(Debug)]
struct Sweep {
    /// When the first of them was asked for.
    at: Time,
    /// What the host had counted then. The list is complete when it reaches that.
    target: u64,
}

#[derive(Debug)]
struct AskedHost {
    request: u64,
    neuron: NeuronId,
    known: HostPosition,
    at: Time,
}

/// What an answer of a host leads to.
#[derive(Debug)]
pub(super) struct HostNews {
    /// When the question was asked.
    pub(super) asked: Time,
    /// The neurons that it has listed.
    pub(super) listed: Vec<NeuronId>,
    /// When the question was asked that everything has been listed for by now; `None` if more is to
    /// be listed.
    pub(super) complete: Option<Time>,
    /// The host is to be asked again at once.
    pub(super) asks_again: bool,
}

impl HostLink {
    /// Returns the link to a host of which nothing is known but that neurons run there, and that it
    /// counts in this life.
    pub(super) fn new(life: u64, lease: Duration, now: Time) -> Self {
        Self {
            lease,
            position: HostPosition { life, counter: 0 },
            listed: BTreeMap::new(),
            members: BTreeSet::new(),
            uncovered: BTreeSet::new(),
            heard: now,
            answered: now,
            is_complete: false,
            is_silent: false,
            sweep: None,
            asked: VecDeque::new(),
            last_asked: None,
            preferred: None,
            has_listed_others: false,
        }
    }

    /// Returns whom to ask for what has changed, and the command. If the last neuron has not
    /// answered, it is the next one; `None` if no neuron is known to run there.
    pub(super) fn ask(&mut self, watch: u64, request: u64, now: Time) -> Option<(NeuronId, Command)> {
        let preferred = self.preferred.take().filter(|preferred| self.members.contains(preferred));
        let last = self.last_asked.as_ref();
        let same = last.filter(|last| self.asked.is_empty() && self.members.contains(*last));
        let next =
            last.and_then(|last| self.members.range::<NeuronId, _>((Bound::Excluded(last), Bound::Unbounded)).next());
        let neuron = same.or(preferred.as_ref()).or(next).or_else(|| self.members.first())?.clone();
        self.last_asked = Some(neuron.clone());
        if self.asked.len() == MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(AskedHost { request, neuron: neuron.clone(), known: self.position, at: now });
        Some((neuron, Command::WatchHost { watch, known: self.position }))
    }

    /// Returns the neuron that was asked last, if it still runs there.
    pub(super) fn last_asked(&self) -> Option<&NeuronId> {
        self.last_asked.as_ref().filter(|last| self.members.contains(*last))
    }

    /// Asks this neuron next, because it has answered, if the last one has not.
    pub(super) fn prefer(&mut self, neuron: &NeuronId) {
        self.preferred = Some(neuron.clone());
    }

    /// Notes that a neuron belongs to the network from now on. If the host may have listed it
    /// before, it is to list everything again.
    pub(super) fn on_added(&mut self) {
        if std::mem::take(&mut self.has_listed_others) {
            self.position.counter = 0;
        }
    }

    /// Returns whether a request to this neuron is waiting for its answer.
    pub(super) fn has_asked(&self, neuron: &NeuronId, request: u64) -> bool {
        self.asked.iter().any(|asked| asked.request == request && asked.neuron == *neuron)
    }

    /// Takes in an answer of the host in the name of a neuron; `None` if it tells nothing new.
    /// `is_watched` returns whether a neuron is one of the network.
    pub(super) fn receive(
        &mut self,
        from: &NeuronId,
        request: u64,
        changes: HostChanges,
        is_watched: impl Fn(&NeuronId) -> bool,
    ) -> Option<HostNews> {
        let index = self.asked.iter().position(|asked| asked.request == request && asked.neuron == *from)?;
        let AskedHost { known, at: asked, .. } = self.asked.drain(..=index).next_back()?;
        // Answers may overtake each other. A list from an earlier position holds more, no less.
        let HostPosition { life, counter } = self.position;
        if changes.position.life != life || changes.position.counter < counter || known.counter > counter {
            return None;
        }
        let has_progressed = changes.position.counter > counter;
        self.position = changes.position;
        self.answered = self.answered.max(asked);
        self.is_silent = false;
        let mut listed = Vec::new();
        for change in changes.changed {
            if !is_watched(&change.neuron) {
                self.listed.remove(&change.neuron);
                self.has_listed_others = true;
                continue;
            }
            match change.position {
                Some(position) => drop(self.listed.insert(change.neuron.clone(), position)),
                None => drop(self.listed.remove(&change.neuron)),
            }
            listed.push(change.neuron);
        }
        if self.sweep.is_none() {
            self.sweep = changes.latest.map(|target| Sweep { at: asked, target });
        }
        let counter = self.position.counter;
        let complete = self.sweep.take_if(|sweep| counter >= sweep.target).map(|sweep| sweep.at);
        if let Some(at) = complete {
            self.heard = self.heard.max(at);
            self.is_complete = true;
        }
        let asks_again = complete.is_none() && has_progressed;
        Some(HostNews { asked, listed, complete, asks_again })
    }

    /// Returns whether the host has listed a neuron, and not that it has gone.
    pub(super) fn has_listed(&self, neuron: &NeuronId) -> bool {
        self.listed.contains_key(neuron)
    }

    /// Returns whether this is the last change of a neuron that the host knows of, or a later one.
    /// `false` also if it is of another incarnation: that may be an earlier one, because those of a
    /// neuron without a store begin with 1 again.
    pub(super) fn is_reached(&self, neuron: &NeuronId, position: Option<WatchPosition>) -> bool {
        let Some((position, last)) = position.zip(self.listed.get(neuron)) else { return false };
        position.incarnation == last.incarnation && position.number >= last.number
    }

    /// Returns whether the host says of each of its neurons whether it has changed.
    pub(super) fn is_covering(&self) -> bool {
        self.is_complete && !self.is_silent
    }

    /// Returns whether the host does not answer.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Returns when the host counts as silent if it does not answer; `None` if it does already.
    pub(super) fn silent_at(&self) -> Option<Time> {
        let heard = if self.is_complete { self.heard } else { self.answered };
        (!self.is_silent).then(|| heard.after(self.lease))
    }

    /// Notes that the host is silent: it covers nothing until everything is listed again.
    pub(super) fn set_silent(&mut self) {
        self.is_silent = true;
        self.is_complete = false;
        self.sweep = None;
    }

    /// Counts the host as heard as of `at`: it was not asked in time.
    pub(super) fn forgive(&mut self, at: Time) {
        self.heard = self.heard.max(at);
        self.answered = self.answered.max(at);
    }
}
