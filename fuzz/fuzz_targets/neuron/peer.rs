//! A neuron that the scenario speaks for, as far as it keeps to the protocol.

use std::collections::VecDeque;

use neuron_core::{
    NeuronId, Tag, Value,
    neuron::Neuron,
    signal::{Incarnation, Signal, SignalBody, StreamId},
};

use crate::{
    pick::{Marks, Name, Other},
    scenario::{Acked, FIRST_LIFE, Known, Level, Life, Mine, Says, Seq, Theirs},
};

/// What it knows.
#[derive(Debug)]
pub struct Peer {
    /// It answers at once, as a neuron does whose inputs are all known.
    obliging: bool,
    life: Incarnation,
    /// The streams that the neuron has asked it for last, the newest at the end.
    asked: VecDeque<StreamId>,
    /// Statements made in the newest of them.
    stated: u64,
    /// The latest tag that it has spoken of.
    said: Tag,
    /// What it has stated last.
    value: Value,
    /// Streams that it has asked the neuron for in its present life.
    streams: u32,
    /// The last statement of the neuron's that it has heard, in the stream that it heard last.
    heard: u64,
}

impl Peer {
    fn new(obliging: bool) -> Self {
        Self {
            obliging,
            life: FIRST_LIFE,
            asked: VecDeque::new(),
            stated: 0,
            said: Tag::FIRST,
            value: Value::default(),
            streams: 0,
            heard: 0,
        }
    }

    /// It begins to listen to one that is to be taken for another neuron.
    pub fn forget_streams(&mut self) {
        self.asked.clear();
        (self.stated, self.heard) = (0, 0);
    }

    /// The neuron says something to it. What it answers, if it does.
    pub fn hear(&mut self, body: &SignalBody) -> Option<Signal> {
        let answer = match *body {
            SignalBody::Subscribe { stream } if self.asked.back() != Some(&stream) => {
                self.asked.push_back(stream);
                if self.asked.len() > 2 {
                    self.asked.pop_front();
                }
                self.stated = u64::from(self.obliging);
                SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: self.said, value: self.value.clone() }
            }
            SignalBody::Changed { stream, seq, .. } => {
                self.heard = seq;
                SignalBody::Ack { stream, upto: seq }
            }
            SignalBody::Probe { stream, upto } if self.asked.back() == Some(&stream) => {
                self.said = self.said.max(upto);
                SignalBody::Nothing { stream, after: self.stated, upto, wave: false }
            }
            _ => return None,
        };
        self.obliging.then_some(Signal { incarnation: self.life, body: answer })
    }

    /// What it says to the neuron.
    pub fn say(&mut self, life: Life, says: Says, neuron: &Neuron, marks: Marks) -> Signal {
        let incarnation = self.live(life);
        let marks = Marks { said: self.said, ..marks };
        let body = match says {
            Says::Subscribe(stream) => SignalBody::Subscribe { stream: self.mine(stream) },
            Says::Unsubscribe(stream) => SignalBody::Unsubscribe { stream: self.mine(stream) },
            Says::Hello => SignalBody::Hello,
            Says::NoStream(stream) => SignalBody::NoStream { stream: self.theirs(stream) },
            Says::Fenced { more, nonce } => SignalBody::Fenced { incarnation: life_of(neuron, more, nonce) },
            Says::Changed { stream, seq, known, at, level, missing } => {
                let (stream, seq, at) = (self.theirs(stream), self.seq(seq), at.tag(&marks));
                let known = match known {
                    Known::JustBefore => at.prev(),
                    Known::At(known) => known.tag(&marks),
                };
                self.said = self.said.max(at);
                self.value = value(level, missing, seq);
                SignalBody::Changed { stream, seq, known, at, value: self.value.clone() }
            }
            Says::Ack { stream, upto } => {
                let upto = match upto {
                    Acked::Heard { less } => self.heard.saturating_sub(less.into()),
                    Acked::Any(upto) => upto,
                };
                SignalBody::Ack { stream: self.mine(stream), upto }
            }
            Says::Nothing { stream, after, upto, wave } => {
                let (stream, upto) = (self.theirs(stream), upto.tag(&marks));
                let after = match after {
                    Seq::Next => self.stated,
                    other => self.seq(other),
                };
                self.said = self.said.max(upto);
                SignalBody::Nothing { stream, after, upto, wave }
            }
            Says::Probe { stream, upto } => SignalBody::Probe { stream: self.mine(stream), upto: upto.tag(&marks) },
        };
        Signal { incarnation, body }
    }

    /// The life it speaks from.
    fn live(&mut self, life: Life) -> Incarnation {
        let present = self.life;
        match life {
            Life::Present => present,
            Life::Next => {
                self.life.number = present.number.saturating_add(1);
                self.streams = 0;
                self.life
            }
            Life::Last => Incarnation { number: present.number.saturating_sub(1), ..present },
            Life::Twin => Incarnation { nonce: present.nonce.wrapping_add(1), ..present },
            Life::Any(number) => Incarnation { number, ..present },
        }
    }

    fn mine(&mut self, stream: Mine) -> StreamId {
        let counter = match stream {
            Mine::Next => {
                self.streams = self.streams.saturating_add(1);
                self.heard = 0;
                self.streams
            }
            Mine::Last => self.streams,
            Mine::Earlier(back) => self.streams.saturating_sub(back.into()),
            Mine::Any(number, counter) => {
                return StreamId { incarnation: Incarnation { number, ..self.life }, counter };
            }
        };
        StreamId { incarnation: self.life, counter }
    }

    fn theirs(&self, stream: Theirs) -> StreamId {
        let none = StreamId { incarnation: Incarnation::default(), counter: 0 };
        match stream {
            Theirs::Last => self.asked.back().copied().unwrap_or(none),
            Theirs::BeforeLast => self.asked.front().copied().unwrap_or(none),
            Theirs::Any(number, counter) => StreamId { incarnation: Incarnation { number, nonce: 0 }, counter },
        }
    }

    fn seq(&mut self, seq: Seq) -> u64 {
        match seq {
            Seq::Next => {
                self.stated += 1;
                self.stated
            }
            Seq::Again(back) => self.stated.saturating_sub(back.into()),
            Seq::Early(ahead) => self.stated + 2 + u64::from(ahead),
            Seq::Any(seq) => seq,
        }
    }
}

/// A life of the neuron's.
fn life_of(neuron: &Neuron, more: i8, nonce: Option<u32>) -> Incarnation {
    let Incarnation { number, nonce: own } = neuron.incarnation();
    Incarnation { number: number.saturating_add_signed(more.into()), nonce: nonce.unwrap_or(own) }
}

fn value(level: Level, missing: u8, seq: u64) -> Value {
    let level = match level {
        Level::Alternating => (seq % 2) as f64,
        Level::Exactly(number) => number.0,
    };
    let missing = Name::ALL.into_iter().filter(|name| missing & (1 << *name as u8) != 0);
    Value { level, missing: missing.map(Name::id).collect() }
}

/// The three neurons that the scenario speaks for.
#[derive(Debug)]
pub struct Peers([Peer; 3]);

impl Peers {
    pub fn new(obliging: [bool; 3]) -> Self {
        Self(obliging.map(Peer::new))
    }

    pub fn of(&mut self, other: Other) -> &mut Peer {
        &mut self.0[other.0 as usize]
    }

    pub fn forget_streams(&mut self) {
        self.0.iter_mut().for_each(Peer::forget_streams);
    }

    /// The one with this name; nothing if it is the neuron itself.
    pub fn find(&mut self, id: &NeuronId) -> Option<&mut Peer> {
        self.0.get_mut(Name::of(id) as usize)
    }
}
