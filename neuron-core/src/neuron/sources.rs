//! Whom a neuron hears, and how it finds them.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Mode, Neuron,
    cares::Cares,
    delivery::Backoff,
    input::{Link, Source, State},
    insert_tightly,
    number::Number,
};
use crate::{
    id::NeuronId,
    signal::{SignalBody, StreamId},
    tag::Time,
};

impl Neuron {
    /// What the sources weigh that have a weight.
    pub(super) fn weights(&self) -> BTreeMap<NeuronId, f64> {
        self.sources.iter().filter_map(|source| Some((source.id.clone(), source.weight.get()?))).collect()
    }

    /// The sources with such a connection, and its delay.
    pub(super) fn connections(&self, such: impl Fn(&Link) -> bool) -> BTreeMap<NeuronId, Option<Duration>> {
        let links = self.sources.iter().filter_map(|source| Some((source, source.link.as_ref()?)));
        links.filter(|(_, link)| such(link)).map(|(source, link)| (source.id.clone(), link.delay())).collect()
    }

    pub(super) fn source_mut(&mut self, id: &NeuronId) -> &mut Source {
        let index = match self.find_source(id) {
            Ok(index) => index,
            Err(index) => {
                self.cares = Cares::EVERYTHING;
                insert_tightly(&mut self.sources, index, Source { id: id.clone(), weight: Number::NONE, link: None });
                index
            }
        };
        &mut self.sources[index]
    }

    /// The source that says something, if it is one. Streams are numbered in the order of the sources, unless these have changed;
    /// no two sources have the same, so one of the same host need not be looked at by name.
    pub(super) fn find_speaker(&self, id: &NeuronId, body: &SignalBody) -> Option<usize> {
        if let SignalBody::Changed { stream, .. } | SignalBody::Nothing { stream, .. } = body {
            let index = (stream.counter as usize).wrapping_sub(1);
            let source = self.sources.get(index).filter(|source| self.beside || source.id == *id);
            if source.is_some_and(|source| source.link.as_ref().is_some_and(|link| link.receiver.stream == *stream)) {
                return Some(index);
            }
        }
        self.find_source(id).ok()
    }

    pub(super) fn find_source(&self, id: &NeuronId) -> Result<usize, usize> {
        self.sources.binary_search_by(|source| source.id.cmp(id))
    }

    pub(super) fn forget_if_empty(&mut self, id: &NeuronId) {
        if let Ok(index) = self.find_source(id)
            && self.sources[index].weight.is_none()
            && self.sources[index].link.is_none()
        {
            self.cares = Cares::EVERYTHING;
            self.sources.remove(index);
        }
    }

    /// Makes a connection from a source. It is asked for its statements with the next turn.
    pub(super) fn link(&mut self, source: &NeuronId, state: State, delay: Option<Duration>) {
        let stream = self.next_stream();
        let asap = self.settings.mode == Mode::Asap;
        self.cares = Cares::EVERYTHING;
        self.source_mut(source).link = Some(Link::new(state, delay, asap, stream));
    }

    /// Asks a source for its statements.
    pub(super) fn subscribe(&mut self, source: &NeuronId, state: State, delay: Option<Duration>, now: Time) {
        self.link(source, state, delay);
        let call = self.call_of_subscription(now);
        if let Some(link) = &mut self.source_mut(source).link {
            link.unusual.make().call = call;
            let stream = link.receiver.stream;
            self.send(source.clone(), SignalBody::Subscribe { stream });
        }
    }

    /// When to subscribe again, if there is no answer.
    pub(super) fn call_of_subscription(&self, now: Time) -> Backoff {
        let loses = self.settings.carrier.may_lose();
        Backoff::after(if loses { self.retry() } else { self.settings.patience }, now)
    }

    /// How long the carrier takes to bring an answer.
    pub(super) fn retry(&self) -> Duration {
        self.settings.carrier.pace.retry
    }

    pub(super) fn next_stream(&mut self) -> StreamId {
        self.streams += 1;
        StreamId { incarnation: self.incarnation, counter: self.streams }
    }
}
