//! Draws lies.

use std::{collections::BTreeMap, time::Duration};

use super::{Habits, pool::Pool};
use crate::{
    command::{Command, Request},
    hosts::{HostMessage, HostMessageBody},
    id::{ControllerId, HostId, NeuronId},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::{Tag, Time},
    transport::Envelope,
};

/// A device that lies in its own name. Every choice follows from its seed and from what it hears.
///
/// It sends well-formed messages of all kinds. Their fields are random, at the edges of their
/// ranges, or copied from what it has heard, so that it gets further into the protocol than noise
/// would.
#[derive(Clone, Debug)]
pub struct Liar {
    pub(super) neuron: NeuronId,
    host: HostId,
    pub(super) habits: Habits,
    pub(super) rng: fastrand::Rng,
    /// The incarnation that it sends from.
    pub(super) own: Incarnation,
    /// The neurons that were heard, each with its incarnation.
    pub(super) incarnations: Pool<(NeuronId, Incarnation)>,
    /// The streams that others have asked for.
    pub(super) asked: Pool<(NeuronId, StreamId)>,
    /// The streams that its own neuron has asked for, as others name them.
    pub(super) named: Pool<StreamId>,
    /// The number of the last statement of each stream.
    pub(super) sent: BTreeMap<StreamId, u64>,
    pub(super) tags: Pool<Tag>,
    /// The numbers of requests, and of watches.
    pub(super) requests: Pool<u64>,
    /// The tags that controllers have asked for.
    pub(super) questioned: Pool<Tag>,
    /// The lives of hosts.
    lives: Pool<u32>,
    /// The numbers of signs of life.
    signs: Pool<u64>,
}

/// The addresses that a [`Liar`] may send to.
#[derive(Clone, Debug, Default)]
pub struct Victims {
    /// The neurons.
    pub neurons: Vec<NeuronId>,
    /// The hosts.
    pub hosts: Vec<HostId>,
    /// The controllers.
    pub controllers: Vec<ControllerId>,
}

/// How many streams a liar counts the statements of.
const MAX_STREAMS: usize = 256;

impl Liar {
    /// Returns a device that lies as this neuron and as this host. The same seed gives the same
    /// lies after the same messages.
    pub fn new(neuron: NeuronId, host: HostId, habits: Habits, seed: u64) -> Self {
        Self {
            neuron,
            host,
            habits,
            rng: fastrand::Rng::with_seed(seed),
            own: Incarnation { number: 1, nonce: 0xbad },
            incarnations: Pool::default(),
            asked: Pool::default(),
            named: Pool::default(),
            sent: BTreeMap::new(),
            tags: Pool::default(),
            requests: Pool::default(),
            questioned: Pool::default(),
            lives: Pool::default(),
            signs: Pool::default(),
        }
    }

    /// Lets it send from this incarnation.
    pub fn set_incarnation(&mut self, incarnation: Incarnation) {
        self.own = incarnation;
    }

    /// Lets it see a message that has come to it.
    pub fn hear(&mut self, envelope: &Envelope) {
        match envelope {
            Envelope::Signal { from, signal, .. } => self.hear_signal(from, signal),
            Envelope::Request { request, .. } => self.hear_request(request),
            Envelope::Host { message, .. } => self.hear_host(message),
            Envelope::Report { .. } => {}
        }
    }

    /// Takes in a signal.
    pub(crate) fn hear_signal(&mut self, from: &NeuronId, signal: &Signal) {
        self.incarnations.note((from.clone(), signal.incarnation));
        if let Some(tag) = signal.body.latest_tag() {
            self.tags.note(tag);
        }
        match &signal.body {
            SignalBody::Subscribe { stream } | SignalBody::Probe { stream, .. } | SignalBody::Ack { stream, .. } => {
                self.asked.note((from.clone(), *stream));
            }
            SignalBody::Changed { stream, .. }
            | SignalBody::Nothing { stream, .. }
            | SignalBody::NoStream { stream } => self.named.note(*stream),
            _ => {}
        }
    }

    /// Takes in a request.
    pub(crate) fn hear_request(&mut self, request: &Request) {
        self.requests.note(request.id);
        match &request.command {
            Command::OutputAt { tag } => self.questioned.note(*tag),
            Command::Commit { at, .. } => self.tags.note(*at),
            Command::Watch { watch } | Command::WatchHost { watch, .. } => self.requests.note(*watch),
            _ => {}
        }
    }

    /// Takes in a message of another host.
    pub(crate) fn hear_host(&mut self, message: &HostMessage) {
        self.lives.note(message.life);
        if let HostMessageBody::Alive { number, echo, .. } = message.body {
            self.signs.note(number);
            self.signs.note(echo);
        }
    }

    /// Returns a lie for one of the victims; `now` is the local time.
    ///
    /// # Panics
    /// If there are no victims of a kind.
    pub fn lie(&mut self, victims: &Victims, now: Time) -> Envelope {
        match self.rng.u8(0..20) {
            0..=14 => {
                let to = victims.neurons[self.rng.usize(0..victims.neurons.len())].clone();
                let signal = self.signal(&to, victims, now);
                Envelope::Signal { from: self.neuron.clone(), to, signal }
            }
            15 | 16 => {
                let to = victims.hosts[self.rng.usize(0..victims.hosts.len())].clone();
                let message = Box::new(self.host_message(victims));
                Envelope::Host { from: self.host.clone(), to, message }
            }
            _ => {
                let to = victims.controllers[self.rng.usize(0..victims.controllers.len())].clone();
                let report = Box::new(self.report(victims, now));
                Envelope::Report { from: self.neuron.clone(), to, report }
            }
        }
    }

    fn host_message(&mut self, victims: &Victims) -> HostMessage {
        let seen = self.lives.draw(&mut self.rng);
        let life = seen.filter(|_| self.one_in(2)).unwrap_or_else(|| self.rng.u32(..));
        let body = match self.rng.u8(0..6) {
            0..=3 => {
                let number = self.sign();
                let echo = self.sign();
                let held = Duration::from_micros(if self.one_in(4) { self.number() >> 12 } else { 0 });
                HostMessageBody::Alive { number, echo, held, listens: self.rng.bool() }
            }
            4 => {
                let count = self.rng.usize(0..=victims.neurons.len());
                let neurons = (0..count).map(|_| victims.neurons[self.rng.usize(0..victims.neurons.len())].clone());
                HostMessageBody::Gone { neurons: neurons.collect() }
            }
            _ => HostMessageBody::Goodbye,
        };
        HostMessage { life, body }
    }

    /// Returns the number of a sign of life: one that was heard, or one near it.
    fn sign(&mut self) -> u64 {
        match self.signs.draw(&mut self.rng) {
            Some(seen) if !self.one_in(4) => seen.wrapping_add(self.rng.u64(0..3)),
            _ => self.number(),
        }
    }

    /// Returns true with a probability of 1 in `n`.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(0..n) == 0
    }

    /// Returns a number: a small one, one that was seen or one near it, one at the edge, or any.
    pub(super) fn number(&mut self) -> u64 {
        match self.rng.u8(0..12) {
            0..=3 => self.rng.u64(0..8),
            4..=7 => {
                let seen = self.requests.draw(&mut self.rng).unwrap_or(0);
                seen.wrapping_add(self.rng.u64(0..5)).wrapping_sub(2)
            }
            8 => self.rng.u64(0..1_000),
            9 => u64::from(u32::MAX),
            10 => u64::MAX,
            _ => self.rng.u64(..),
        }
    }

    /// Returns a tag: around now, one that was seen or one near it, one at the edge.
    pub(super) fn tag(&mut self, now: Time) -> Tag {
        const HOUR: Duration = Duration::from_secs(3_600);
        let near = Duration::from_micros(self.rng.u64(0..1_000_000));
        match self.rng.u8(0..20) {
            0..=5 => Tag::at(now.before(near)),
            6..=8 => Tag::at(now),
            9..=11 => Tag::at(now.after(near)),
            12..=15 => {
                let seen = self.tags.draw(&mut self.rng).unwrap_or(Tag::FIRST);
                [seen.prev(), seen, seen.next()][self.rng.usize(0..3)]
            }
            16 => [Tag::ORIGIN, Tag::FIRST, Tag::at(now.before(HOUR))][self.rng.usize(0..3)],
            _ if !self.habits.far_tags => Tag::at(now.after(near)),
            17 => Tag::at(now.after(HOUR * 2).before(near)),
            18 => Tag::at(now.after(HOUR * 3).before(near)),
            _ => [Tag::MAX, Tag::MAX.prev(), Tag::at(now.after(HOUR * 3).after(near))][self.rng.usize(0..3)],
        }
    }

    /// Returns an incarnation: its own or one near it, one that was heard, or any.
    pub(super) fn incarnation(&mut self) -> Incarnation {
        let seen = self.incarnations.draw(&mut self.rng).map_or(self.own, |(_, incarnation)| incarnation);
        match self.rng.u8(0..8) {
            0..=2 => self.own,
            3 | 4 => seen,
            5 => Incarnation { number: seen.number.wrapping_add(1), ..seen },
            6 => Incarnation { number: seen.number, nonce: self.rng.u32(..) },
            _ => Incarnation { number: [0, 1, u32::MAX][self.rng.usize(0..3)], nonce: self.rng.u32(..) },
        }
    }

    /// Notes how many statements a stream has had.
    pub(super) fn note_sent(&mut self, stream: StreamId, seq: u64) {
        if self.sent.len() == MAX_STREAMS {
            self.sent.clear();
        }
        self.sent.insert(stream, seq);
    }
}
