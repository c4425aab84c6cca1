//! Making and ending connections, and the weights.

use std::{collections::BTreeMap, time::Duration};

use thin_vec::ThinVec;

use super::{InputLink, Inputs, LinkState, ReentryQueue, ReentrySources, answer_time::AnswerTime};
use crate::{
    collections::{OptionalF64, insert_tightly},
    command::TransactionId,
    config::Mode,
    id::NeuronId,
    neuron::Ctx,
    signal::{Incarnation, SignalBody},
    tag::{Tag, Time},
};

impl Inputs {
    /// Makes the inputs of a neuron that starts. They are subscribed to with the first turn.
    ///
    /// `known` are the last known incarnations of the sources.
    pub(crate) fn new(
        weights: BTreeMap<NeuronId, f64>,
        connections: BTreeMap<NeuronId, Option<Duration>>,
        known: &BTreeMap<NeuronId, Incarnation>,
        mode: Mode,
        incarnation: Incarnation,
    ) -> Self {
        let mut inputs = Self {
            links: ThinVec::new(),
            unlinked_weights: None,
            streams: 0,
            blocked_on: 0,
            acknowledge_at: None,
            next_lapse: Some(Time::ZERO),
            probe_round: None,
            answer_time: AnswerTime::default(),
            renewals: None,
            reentries: ReentrySources::Any,
            may_need_subscribing: true,
            may_have_down: true,
            may_await: true,
        };
        inputs.links.reserve_exact(connections.len());
        for (source, delay) in connections {
            let index = inputs.insert(&source, LinkState::ALWAYS, delay, mode, incarnation);
            inputs.links[index].incarnation = known.get(&source).copied().unwrap_or_default();
        }
        for (source, weight) in weights {
            inputs.set_weight(&source, weight.into());
        }
        inputs
    }

    /// Returns the weights of all neurons that have one.
    pub(crate) fn weights(&self) -> BTreeMap<NeuronId, f64> {
        let linked = self.links.iter().filter_map(|link| Some((link.id.clone(), link.weight.get()?)));
        let unlinked = self.unlinked_weights.iter().flat_map(|weights| weights.iter());
        linked.chain(unlinked.map(|(id, weight)| (id.clone(), *weight))).collect()
    }

    /// Returns the sources whose connections are `wanted`, with their delays.
    pub(crate) fn connections(&self, wanted: impl Fn(&InputLink) -> bool) -> BTreeMap<NeuronId, Option<Duration>> {
        let wanted = self.links.iter().filter(|link| wanted(link));
        wanted.map(|link| (link.id.clone(), link.delay())).collect()
    }

    /// Returns the requests for connections whose end has been decided, each with the tag of the
    /// end.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = (TransactionId, Tag)> {
        self.links.iter().filter_map(|link| match link.state() {
            LinkState::Active { leaving: Some(id), until, .. } => Some((id.clone(), *until)),
            _ => None,
        })
    }

    /// Returns the last known incarnation of each source; number 0 if none is known.
    pub(crate) fn incarnations(&self) -> BTreeMap<NeuronId, Incarnation> {
        self.links.iter().map(|link| (link.id.clone(), link.incarnation)).collect()
    }

    /// Returns the sources.
    #[cfg(feature = "actor")]
    pub(crate) fn sources(&self) -> impl Iterator<Item = &NeuronId> {
        self.links.iter().map(|link| &link.id)
    }

    /// Returns how many connections and weights there are.
    #[cfg(feature = "actor")]
    pub(crate) fn count(&self) -> usize {
        self.links.len() + self.unlinked_weights.as_ref().map_or(0, |weights| weights.len())
    }

    /// Returns how many inputs must be heard before a wave can usually be evaluated.
    #[cfg(feature = "actor")]
    pub(crate) fn waited_for_count(&self) -> usize {
        self.links.iter().filter(|link| link.reentry.is_none()).count()
    }

    /// Sets the weight of a neuron; an absent one is deleted.
    pub(crate) fn set_weight(&mut self, source: &NeuronId, weight: OptionalF64) {
        if let Ok(index) = self.find(source) {
            self.links[index].weight = weight;
            return;
        }
        match (weight.get(), &mut self.unlinked_weights) {
            (Some(weight), weights) => {
                weights.get_or_insert_default().insert(source.clone(), weight);
            }
            (None, Some(_)) => {
                self.take_unlinked_weight(source);
            }
            (None, None) => {}
        }
    }

    fn take_unlinked_weight(&mut self, source: &NeuronId) -> OptionalF64 {
        let Some(weights) = &mut self.unlinked_weights else { return OptionalF64::NONE };
        let weight = weights.remove(source);
        if weights.is_empty() {
            self.unlinked_weights = None;
        }
        weight.into()
    }

    /// Inserts a connection and returns its index. It is subscribed to with the next turn.
    fn insert(
        &mut self,
        source: &NeuronId,
        state: LinkState,
        delay: Option<Duration>,
        mode: Mode,
        incarnation: Incarnation,
    ) -> usize {
        let stream = self.next_stream(incarnation);
        let weight = self.take_unlinked_weight(source);
        // Levels re-enter over an edge with a delay, or if the neuron does not wait for its inputs.
        let reenters = delay.is_some() || mode == Mode::Asap;
        let reentry = reenters.then(|| Box::new(ReentryQueue::new(delay)));
        let link = InputLink::new(source.clone(), weight, state, reentry, stream);
        self.mark_all();
        match self.find(source) {
            Ok(index) => {
                self.links[index] = link;
                index
            }
            Err(index) => {
                insert_tightly(&mut self.links, index, link);
                index
            }
        }
    }

    /// Makes a connection and subscribes to the source.
    pub(crate) fn connect(&mut self, source: &NeuronId, state: LinkState, delay: Option<Duration>, cx: &mut Ctx<'_>) {
        let index = self.insert(source, state, delay, cx.params().mode, cx.common.incarnation);
        self.subscribe(index, cx);
    }

    /// Subscribes to all sources at once.
    pub(crate) fn subscribe_all(&mut self, cx: &mut Ctx<'_>) {
        for index in 0..self.links.len() {
            self.subscribe(index, cx);
        }
    }

    fn subscribe(&mut self, index: usize, cx: &mut Ctx<'_>) {
        let first_pause = self.subscription_backoff(cx);
        let link = &mut self.links[index];
        link.extras_mut().reconnect = first_pause;
        cx.send(link.id.clone(), SignalBody::Subscribe { stream: link.receiver.stream() });
    }

    /// Lets a connection that is being made count from a tag on.
    pub(crate) fn activate(&mut self, source: &NeuronId, from: Tag) {
        if let Ok(index) = self.find(source) {
            self.links[index].set_state(LinkState::Active { from, until: Tag::MAX, leaving: None });
            self.mark_all();
        }
    }

    /// Decides that a connection counts no more from the tag `until` on.
    ///
    /// `leaving` is the request to be answered then; `None` keeps what was noted before.
    pub(crate) fn schedule_end(&mut self, source: &NeuronId, until: Tag, leaving: Option<TransactionId>) {
        let Ok(index) = self.find(source) else { return };
        let link = &mut self.links[index];
        if let LinkState::Active { from, leaving: before, .. } = link.state().clone() {
            link.set_state(LinkState::Active { from, until, leaving: leaving.or(before) });
        }
    }

    /// Drops all levels that are on their way over a connection.
    pub(crate) fn drop_reentries(&mut self, source: &NeuronId) {
        if let Ok(index) = self.find(source) {
            let link = &mut self.links[index];
            link.reentry = link.reentry.take().map(|old| Box::new(ReentryQueue::new(old.delay)));
        }
    }

    /// Applies the event that a connection counts, at its tag.
    pub(crate) fn apply_connect(&mut self, source: &NeuronId, tag: Tag) {
        let Ok(index) = self.find(source) else { return };
        let link = &mut self.links[index];
        link.is_applied = true;
        if link.reentry.is_none() {
            // Whatever gap lies before the connection counts does not count either.
            link.history.advance(tag);
        }
        self.mark_all();
    }

    /// Ends a connection. Returns the request that is answered now, and the tag of the end.
    pub(crate) fn disconnect(&mut self, source: &NeuronId, cx: &mut Ctx<'_>) -> Option<(TransactionId, Tag)> {
        let index = self.find(source).ok()?;
        let mut link = self.remove(index);
        cx.send(source.clone(), SignalBody::Unsubscribe { stream: link.receiver.stream() });
        link.take_leaving()
    }

    /// Ends the connections that were made for a transaction which is not carried out.
    pub(crate) fn release(&mut self, transaction: &TransactionId, cx: &mut Ctx<'_>) {
        let is_released =
            |link: &InputLink| matches!(link.state(), LinkState::Prepared { transaction: of, .. } if of == transaction);
        while let Some(index) = self.links.iter().position(is_released) {
            let link = self.remove(index);
            cx.send(link.id, SignalBody::Unsubscribe { stream: link.receiver.stream() });
        }
    }

    fn remove(&mut self, index: usize) -> InputLink {
        let link = self.links.remove(index);
        if let Some(weight) = link.weight.get() {
            self.unlinked_weights.get_or_insert_default().insert(link.id.clone(), weight);
        }
        self.mark_all();
        link
    }

    /// Returns the highest tag at which a source of a transaction made its first statement, at
    /// least `at_least`; `None` if one has not made any.
    pub(crate) fn prepared_from(&self, transaction: &TransactionId, at_least: Tag) -> Option<Tag> {
        let mut from = at_least;
        for link in &self.links {
            if let LinkState::Prepared { transaction: of, heard } = link.state()
                && of == transaction
            {
                from = from.max((*heard)?);
            }
        }
        Some(from)
    }

    /// Returns the tags after this one for which a source that is waited for has stated something.
    pub(crate) fn pending_tags(&self, source: &NeuronId, after: Tag) -> Vec<Tag> {
        let link = self.link(source).filter(|link| link.reentry.is_none());
        link.map(|link| link.history.tags_after(after)).unwrap_or_default()
    }

    /// Notes that a neuron of the same host is gone: what it stated has to be renewed from now on.
    #[cfg(feature = "actor")]
    pub(crate) fn peer_down(&mut self, peer: &NeuronId, now: Time) {
        if let Ok(index) = self.find(peer)
            && self.links[index].colocated
        {
            let link = &mut self.links[index];
            link.colocated = false;
            link.heard = link.heard.map(|_| now);
            self.mark_all();
        }
    }
}
