//! Draws signals, and alters those of an honest neuron.

use super::liar::{Liar, Victims};
use crate::{
    id::{NeuronId, SourceId},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::Time,
    value::{Missing, Value},
};

impl Liar {
    /// Returns a signal for a neuron.
    pub(super) fn signal(&mut self, to: &NeuronId, victims: &Victims, now: Time) -> Signal {
        let body = self.body(to, victims, now);
        if self.habits.incarnations && self.one_in(100) {
            self.own =
                Incarnation { number: self.own.number.wrapping_add(self.rng.u32(0..3)), nonce: self.rng.u32(..) };
        }
        let is_other = self.habits.incarnations && self.one_in(20);
        let incarnation = if is_other { self.incarnation() } else { self.own };
        Signal { incarnation, body }
    }

    fn body(&mut self, to: &NeuronId, victims: &Victims, now: Time) -> SignalBody {
        match self.rng.u8(0..24) {
            0..=5 => self.changed(to, victims, now),
            6..=8 => {
                let stream = self.stream_of(to);
                let next = self.sent.get(&stream).copied().unwrap_or(0);
                let after = if self.one_in(3) { self.number() } else { next };
                SignalBody::Nothing { stream, after, upto: self.tag(now), wave: self.rng.bool() }
            }
            9..=11 => SignalBody::Probe { stream: self.own_stream(), upto: self.tag(now) },
            12..=14 => SignalBody::Subscribe { stream: self.own_stream() },
            15 | 16 => SignalBody::Ack { stream: self.own_stream(), upto: self.number() },
            17 => SignalBody::Unsubscribe { stream: self.own_stream() },
            18 => SignalBody::Hello,
            19 => SignalBody::NoStream { stream: self.stream_of(to) },
            20 | 21 => self.fenced(to),
            22 => SignalBody::Where,
            _ => {
                let is_own = self.one_in(2);
                let other = victims.hosts[self.rng.usize(0..victims.hosts.len())].clone();
                let ghost = format!("ghost{}", self.rng.u8(..)).parse().expect("it is a name");
                SignalBody::Home { host: if is_own { other } else { ghost } }
            }
        }
    }

    fn changed(&mut self, to: &NeuronId, victims: &Victims, now: Time) -> SignalBody {
        let stream = self.stream_of(to);
        let next = self.sent.get(&stream).copied().unwrap_or(0).saturating_add(1);
        let seq = if self.one_in(3) { self.number() } else { next };
        if seq == next {
            self.note_sent(stream, seq);
        }
        let at = self.tag(now);
        let known = if self.one_in(3) { self.tag(now) } else { at.prev() };
        SignalBody::Changed { stream, seq, known, at, value: self.value(victims) }
    }

    /// Returns a level, and perhaps what it is said to lack.
    pub(super) fn value(&mut self, victims: &Victims) -> Value {
        let level = f64::from(self.rng.u8(0..2));
        let missing = match self.rng.u8(0..8) {
            0 => [SourceId::from(self.neuron.clone())].into_iter().collect(),
            1 => {
                let other = &victims.neurons[self.rng.usize(0..victims.neurons.len())];
                [SourceId::from(other.clone())].into_iter().collect()
            }
            _ => Missing::NONE,
        };
        Value { level, missing }
    }

    fn fenced(&mut self, to: &NeuronId) -> SignalBody {
        let heard = self.incarnations.draw_where(&mut self.rng, |(from, _)| from == to).map(|(_, heard)| heard);
        let mut answered = heard.unwrap_or_else(|| self.incarnation());
        if !self.habits.fences || self.one_in(3) {
            // No neuron has this nonce, but by a chance of one in four thousand million.
            answered.nonce ^= 1 + self.rng.u32(0..0xffff);
        }
        let more = if self.one_in(3) { self.rng.u32(..) } else { self.rng.u32(0..3) };
        let known = Incarnation { number: answered.number.wrapping_add(more), nonce: self.rng.u32(..) };
        SignalBody::Fenced { answered, known }
    }

    /// Returns a stream of statements to a neuron: usually one that it has asked for.
    fn stream_of(&mut self, to: &NeuronId) -> StreamId {
        let asked = self.asked.draw_where(&mut self.rng, |(from, _)| from == to);
        match asked {
            Some((_, stream)) if !self.one_in(5) => stream,
            _ => self.any_stream(),
        }
    }

    /// Returns a stream that it asks for: usually a new one, or one that it is told of.
    fn own_stream(&mut self) -> StreamId {
        match self.named.draw(&mut self.rng) {
            Some(stream) if !self.one_in(3) => {
                StreamId { counter: stream.counter.wrapping_add(self.rng.u32(0..2)), ..stream }
            }
            _ if self.one_in(3) => self.any_stream(),
            _ => StreamId { incarnation: self.own, counter: self.rng.u32(1..8) },
        }
    }

    fn any_stream(&mut self) -> StreamId {
        let counter = match self.rng.u8(0..6) {
            0..=3 => self.rng.u32(0..6),
            4 => self.rng.u32(..),
            _ => u32::MAX,
        };
        StreamId { incarnation: self.incarnation(), counter }
    }

    /// Returns what becomes of a signal that its own neuron sends: it is dropped, doubled, or
    /// another level or tag is put in.
    pub(crate) fn alter(&mut self, signal: Signal, victims: &Victims, now: Time) -> Vec<Signal> {
        let mut altered = signal.clone();
        match (self.rng.u8(0..6), &mut altered.body) {
            (0, _) => return Vec::new(),
            (1, _) => return vec![signal.clone(), signal],
            (2 | 3, SignalBody::Changed { value, .. }) => *value = self.value(victims),
            (4, SignalBody::Changed { known, at, .. }) => {
                *at = self.tag(now);
                *known = at.prev();
            }
            (_, SignalBody::Changed { seq, .. }) => *seq = seq.wrapping_add(self.rng.u64(0..4)),
            (_, SignalBody::Nothing { upto, .. } | SignalBody::Probe { upto, .. }) => *upto = self.tag(now),
            (_, SignalBody::Ack { upto, .. }) => *upto = self.number(),
            (_, SignalBody::Subscribe { stream } | SignalBody::NoStream { stream }) => {
                stream.counter = stream.counter.wrapping_add(self.rng.u32(0..3));
            }
            _ => {}
        }
        vec![altered]
    }
}
