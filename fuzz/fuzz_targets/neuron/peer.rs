//! The other neurons: they follow the protocol unless the scenario says otherwise.

use std::collections::VecDeque;

use neuron_core::{
    NeuronId, Tag, Value,
    neuron::Neuron,
    signal::{Incarnation, Signal, SignalBody, StreamId},
};

use crate::{
    pick::{Name, Other, TagContext},
    signals::{Acked, FIRST_INCARNATION, FromIncarnation, Known, Level, Mine, Seq, SignalTemplate, Theirs},
};

/// The state of one other neuron.
#[derive(Debug)]
pub struct Peer {
    /// Whether it answers at once, like a neuron whose inputs are all known.
    responsive: bool,
    incarnation: Incarnation,
    /// The last streams that the neuron under test has asked it for, the newest one at the end.
    asked: VecDeque<StreamId>,
    /// The number of statements in the newest stream.
    stated: u64,
    /// The latest tag that it has sent.
    said: Tag,
    /// The value of its last statement.
    value: Value,
    /// The number of streams that it has asked for in its present incarnation.
    streams: u32,
    /// The number of the last statement that it has received.
    received: u64,
}

impl Peer {
    fn new(responsive: bool) -> Self {
        Self {
            responsive,
            incarnation: FIRST_INCARNATION,
            asked: VecDeque::new(),
            stated: 0,
            said: Tag::FIRST,
            value: Value::default(),
            streams: 0,
            received: 0,
        }
    }

    /// Forgets the streams, because the neuron under test has lost its store.
    pub fn forget_streams(&mut self) {
        self.asked.clear();
        self.stated = 0;
        self.received = 0;
    }

    /// Receives a signal and returns the answer; `None` if there is none.
    pub fn receive(&mut self, body: &SignalBody) -> Option<Signal> {
        let answer = match *body {
            SignalBody::Subscribe { stream } if self.asked.back() != Some(&stream) => {
                self.asked.push_back(stream);
                if self.asked.len() > 2 {
                    self.asked.pop_front();
                }
                self.stated = u64::from(self.responsive);
                SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: self.said, value: self.value.clone() }
            }
            SignalBody::Changed { stream, seq, .. } => {
                self.received = seq;
                SignalBody::Ack { stream, upto: seq }
            }
            SignalBody::Probe { stream, upto } if self.asked.back() == Some(&stream) => {
                self.said = self.said.max(upto);
                SignalBody::Nothing { stream, after: self.stated, upto, wave: false }
            }
            _ => return None,
        };
        self.responsive.then_some(Signal { incarnation: self.incarnation, body: answer })
    }

    /// Returns the signal that a template stands for.
    pub fn signal(
        &mut self,
        incarnation: FromIncarnation,
        template: SignalTemplate,
        neuron: &Neuron,
        tags: TagContext,
    ) -> Signal {
        let incarnation = self.incarnation(incarnation);
        let tags = TagContext { said: self.said, ..tags };
        let body = match template {
            SignalTemplate::Subscribe(stream) => SignalBody::Subscribe { stream: self.mine(stream) },
            SignalTemplate::Unsubscribe(stream) => SignalBody::Unsubscribe { stream: self.mine(stream) },
            SignalTemplate::Hello => SignalBody::Hello,
            SignalTemplate::NoStream(stream) => SignalBody::NoStream { stream: self.theirs(stream) },
            SignalTemplate::Fenced { more, nonce } => {
                SignalBody::Fenced { answered: neuron.incarnation(), known: incarnation_of(neuron, more, nonce) }
            }
            SignalTemplate::Changed { stream, seq, known, at, level, missing } => {
                let stream = self.theirs(stream);
                let seq = self.seq(seq);
                let at = at.tag(&tags);
                let known = match known {
                    Known::JustBefore => at.prev(),
                    Known::At(known) => known.tag(&tags),
                };
                self.said = self.said.max(at);
                self.value = value(level, missing, seq);
                SignalBody::Changed { stream, seq, known, at, value: self.value.clone() }
            }
            SignalTemplate::Ack { stream, upto } => {
                let upto = match upto {
                    Acked::Received { less } => self.received.saturating_sub(less.into()),
                    Acked::Any(upto) => upto,
                };
                SignalBody::Ack { stream: self.mine(stream), upto }
            }
            SignalTemplate::Nothing { stream, after, upto, wave } => {
                let stream = self.theirs(stream);
                let upto = upto.tag(&tags);
                let after = match after {
                    Seq::Next => self.stated,
                    other => self.seq(other),
                };
                self.said = self.said.max(upto);
                SignalBody::Nothing { stream, after, upto, wave }
            }
            SignalTemplate::Probe { stream, upto } => {
                SignalBody::Probe { stream: self.mine(stream), upto: upto.tag(&tags) }
            }
        };
        Signal { incarnation, body }
    }

    fn incarnation(&mut self, from: FromIncarnation) -> Incarnation {
        let present = self.incarnation;
        match from {
            FromIncarnation::Present => present,
            FromIncarnation::Next => {
                self.incarnation.number = present.number.saturating_add(1);
                self.streams = 0;
                self.incarnation
            }
            FromIncarnation::Last => Incarnation { number: present.number.saturating_sub(1), ..present },
            FromIncarnation::Twin => Incarnation { nonce: present.nonce.wrapping_add(1), ..present },
            FromIncarnation::Any(number) => Incarnation { number, ..present },
        }
    }

    fn mine(&mut self, stream: Mine) -> StreamId {
        let counter = match stream {
            Mine::Next => {
                self.streams = self.streams.saturating_add(1);
                self.received = 0;
                self.streams
            }
            Mine::Last => self.streams,
            Mine::Earlier(back) => self.streams.saturating_sub(back.into()),
            Mine::Any(number, counter) => {
                return StreamId { incarnation: Incarnation { number, ..self.incarnation }, counter };
            }
        };
        StreamId { incarnation: self.incarnation, counter }
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

/// Returns an incarnation of the neuron under test.
fn incarnation_of(neuron: &Neuron, more: i8, nonce: Option<u32>) -> Incarnation {
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

/// The three other neurons.
#[derive(Debug)]
pub struct Peers([Peer; 3]);

impl Peers {
    pub fn new(responsive: [bool; 3]) -> Self {
        Self(responsive.map(Peer::new))
    }

    pub fn of(&mut self, other: Other) -> &mut Peer {
        &mut self.0[other.0 as usize]
    }

    pub fn forget_streams(&mut self) {
        self.0.iter_mut().for_each(Peer::forget_streams);
    }

    /// Returns the neuron of this name; `None` for the neuron under test.
    pub fn find(&mut self, id: &NeuronId) -> Option<&mut Peer> {
        self.0.get_mut(Name::of(id) as usize)
    }
}
