//! The inputs of a neuron: their connections, what they have stated, and how surely that is known.
//!
//! [`Inputs`] owns all of it. Signals come in through [`receive`](Inputs::receive); the evaluation
//! asks for [`holds_through`](Inputs::holds_through) and [`weighted_sum`](Inputs::weighted_sum).
//!
//! Why: docs/decisions/0028-dirty-flags-instead-of-searches.md

mod acks;
mod answer_time;
mod connections;
mod history;
mod link;
mod liveness;
mod pending;
mod probe;
mod receive;
mod reentry;
#[cfg(feature = "sim")]
mod sizes;
mod sum;

use std::{collections::BTreeMap, time::Duration};

use thin_vec::ThinVec;

use answer_time::AnswerTime;
use history::History;
pub(crate) use link::{InputLink, LinkState};
use probe::ProbeRound;
pub(crate) use receive::Received;
pub(crate) use reentry::PendingReentry;
use reentry::ReentryQueue;
pub(crate) use sum::SumBounds;

use super::{Ctx, deadlines::earliest};
use crate::{
    id::{NeuronId, SourceId},
    signal::{Incarnation, StreamId},
    tag::{Tag, Time},
    value::Value,
};

/// The inputs of a neuron.
///
/// Most signals change a level and nothing else, so the checks that look at all inputs are guarded
/// by flags. The flags are conservative: `false` means that the check would find nothing; `true`,
/// that it might. What may create work for a check sets its flag; it is cleared when nothing is
/// left for the check. Debug builds verify that after each turn.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    /// Ordered by name, which is the order in which their contributions are added.
    links: ThinVec<InputLink>,
    /// The weights of neurons that are not connected; `None` if there are none.
    #[expect(clippy::box_collection, reason = "most neurons have none")]
    unlinked_weights: Option<Box<BTreeMap<NeuronId, f64>>>,
    /// How many streams have been asked for in this incarnation.
    streams: u32,
    /// The index of the input that blocked the last evaluation; the next one looks at it first.
    blocked_on: u32,
    /// When the statements that are not acknowledged yet are; `None` if there are none.
    acknowledge_at: Option<Time>,
    /// When the first input may have to be marked down, or earlier; `None` if none can be.
    next_lapse: Option<Time>,
    /// The last round of probes; `None` if the inputs must be looked at.
    probe_round: Option<ProbeRound>,
    /// How long the inputs take to answer.
    answer_time: AnswerTime,
    /// How many inputs have stated what must be renewed; `None` means unknown: recount.
    renewals: Option<u32>,
    reentries: ReentrySources,
    /// An input may not have answered the subscription.
    may_need_subscribing: bool,
    /// An input may be down.
    may_have_down: bool,
    /// An input may be waited for.
    may_await: bool,
}

/// The inputs from which levels may be on their way to re-enter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReentrySources {
    None,
    /// Only the input with this index, which is what an asap neuron usually has.
    One(u32),
    Any,
}

impl Inputs {
    /// Returns whether there is only one input: then nothing else is waited for.
    #[cfg(feature = "actor")]
    #[inline]
    pub(crate) fn is_single(&self) -> bool {
        self.links.len() == 1
    }

    /// Returns whether an input may be down.
    #[inline]
    pub(crate) fn may_have_down(&self) -> bool {
        self.may_have_down
    }

    /// Sets all flags: the next run of each check looks at all inputs.
    pub(crate) fn mark_all(&mut self) {
        self.next_lapse = Some(Time::ZERO);
        self.probe_round = None;
        self.renewals = None;
        self.reentries = ReentrySources::Any;
        self.may_need_subscribing = true;
        self.may_have_down = true;
        self.may_await = true;
    }

    fn find(&self, id: &NeuronId) -> Result<usize, usize> {
        self.links.binary_search_by(|link| link.id.cmp(id))
    }

    /// Returns the index of the connection from a source; `None` if there is none.
    pub(crate) fn index_of(&self, source: &NeuronId) -> Option<usize> {
        self.find(source).ok()
    }

    /// Returns the connection from a source; `None` if there is none.
    pub(crate) fn link(&self, source: &NeuronId) -> Option<&InputLink> {
        self.find(source).ok().map(|index| &self.links[index])
    }

    /// Returns the connection at an index that [`receive`](Self::receive) has returned.
    pub(crate) fn link_at(&self, index: usize) -> &InputLink {
        &self.links[index]
    }

    /// Returns the last known incarnation of a source; number 0 if none is known.
    pub(crate) fn incarnation_of(&self, source: &NeuronId) -> Incarnation {
        self.link(source).map(|link| link.incarnation).unwrap_or_default()
    }

    /// Returns whether what a neuron states must not wait for its tag: it re-enters after a delay, or
    /// is what its connection waits for.
    pub(crate) fn cannot_wait(&self, source: &NeuronId) -> bool {
        self.link(source).is_some_and(|link| link.reenters() || !link.is_active())
    }

    fn next_stream(&mut self, incarnation: Incarnation) -> StreamId {
        self.streams += 1;
        StreamId { incarnation, counter: self.streams }
    }

    /// Returns the tag through which the present value holds if `tag` is evaluated next; `None` if
    /// an input is not known as far as `tag` needs it.
    ///
    /// `evaluated` is the last evaluated tag; the answer before is `promised` to hold. Inputs that
    /// the present value leaves out of account do not limit it. The search starts at the input that
    /// blocked the last attempt: with a thousand inputs, each of them brings a message.
    pub(crate) fn holds_through(&mut self, tag: Tag, evaluated: Option<Tag>, promised: Tag) -> Option<Tag> {
        let mut known = tag.prev();
        let links = &*self.links;
        let mut next = self.blocked_on as usize;
        for _ in 0..links.len() {
            let index = if next < links.len() { next } else { 0 };
            next = index + 1;
            let link = &links[index];
            if !link.is_down && link.needed_for(tag).is_some_and(|needed| link.history.complete_through < needed) {
                self.blocked_on = u32::try_from(index).unwrap_or(0);
                return None;
            }
            if let Some(evaluated) = evaluated
                && link.limits()
                && !link.is_uncertain
            {
                known = known.min(link.history.certain_through(evaluated, promised));
            }
        }
        self.blocked_on = 0;
        Some(known)
    }

    /// Returns the tag through which no input can change what was said after `evaluated`;
    /// [`Tag::MAX`] if no input limits that.
    pub(crate) fn certain_through(&self, evaluated: Tag, promised: Tag) -> Tag {
        let limits = self.links.iter().filter(|link| link.limits());
        limits.map(|link| link.certain_through(evaluated, promised)).min().unwrap_or(Tag::MAX)
    }

    /// Returns whether an input that is waited for has begun to speak only after `tag`.
    pub(crate) fn has_begun_after(&self, tag: Tag) -> bool {
        let mut links = self.links.iter();
        links.any(|link| link.needed_for(tag) == Some(tag) && !link.is_down && link.is_unknown_at(tag))
    }

    /// Returns whether an input was uncertain at the last evaluation.
    pub(crate) fn has_uncertain(&self) -> bool {
        self.links.iter().any(|link| link.is_uncertain)
    }

    /// Returns the lowest watermark of the inputs that are down and were certain at the last
    /// evaluation; `None` if there are none.
    pub(crate) fn known_before_down(&self) -> Option<Tag> {
        let down = self.links.iter().filter(|link| link.limits() && link.is_down && !link.is_uncertain);
        down.map(|link| link.history.complete_through).min()
    }

    /// Returns the lowest tag before a gap of an input that ends after `later`; `None` if there is
    /// none.
    pub(crate) fn known_before_gap(&self, evaluated: Tag, promised: Tag, later: Tag) -> Option<Tag> {
        let limits = self.links.iter().filter(|link| link.limits());
        limits.filter_map(|link| link.history.known_before_gap(evaluated, promised, later)).min()
    }

    /// Moves all inputs on to `tag` and returns their weighted sum.
    ///
    /// `spike` is called with the weight and the level of each input whose level changes.
    pub(crate) fn weighted_sum(&mut self, tag: Tag, mut spike: impl FnMut(f64, f64)) -> SumBounds {
        let mut sum = SumBounds::default();
        for link in &mut self.links {
            if !link.is_applied {
                continue;
            }
            let weight = link.weight.get().unwrap_or(0.0);
            if link.reentry.is_none() {
                let before = link.history.value.level;
                link.history.advance(tag);
                let level = link.history.value.level;
                if level != before {
                    spike(weight, level);
                }
            }
            link.is_uncertain = link.is_uncertain_at(tag);
            if link.is_uncertain {
                sum.add_uncertain(weight);
            } else {
                sum.add(weight * link.history.value.level);
            }
        }
        sum
    }

    /// Returns the neurons that were not heard when `tag` was evaluated, here or upstream.
    pub(crate) fn missing_at(&self, tag: Tag) -> impl Iterator<Item = SourceId> {
        let uncertain = self.links.iter().filter(|link| link.is_applied && link.is_uncertain);
        uncertain.flat_map(move |link| {
            let own = link.is_unknown_at(tag).then(|| link.id.clone().into());
            own.into_iter().chain(link.history.value.missing.names().iter().cloned())
        })
    }

    /// Returns from which inputs levels may be on their way to re-enter.
    #[inline]
    pub(crate) fn reentries(&self) -> ReentrySources {
        self.reentries
    }

    /// Notes that no level is on its way to re-enter.
    #[inline]
    pub(crate) fn clear_reentries(&mut self) {
        self.reentries = ReentrySources::None;
    }

    /// Notes that a level is on its way from this input.
    fn note_reentry(&mut self, index: usize) {
        let one = u32::try_from(index).map_or(ReentrySources::Any, ReentrySources::One);
        let is_sole = [ReentrySources::None, one].contains(&self.reentries);
        self.reentries = if is_sole { one } else { ReentrySources::Any };
    }

    /// Returns the level that re-enters next from this input.
    #[inline]
    pub(crate) fn next_reentry_from(&self, index: usize) -> Option<&PendingReentry> {
        self.links.get(index)?.next_reentry()
    }

    /// Returns the level that re-enters next from each input, with the index of the input.
    pub(crate) fn pending_reentries(&self) -> impl Iterator<Item = (&PendingReentry, usize)> {
        let indexes = match self.reentries {
            ReentrySources::None => 0..0,
            ReentrySources::One(index) => index as usize..index as usize + 1,
            ReentrySources::Any => 0..self.links.len(),
        };
        indexes.filter_map(|index| Some((self.next_reentry_from(index)?, index)))
    }

    /// Takes the level that re-enters next from this input, with the name of the input. It
    /// re-enters no earlier than the connection counts: before, it would be lost.
    pub(crate) fn take_reentry(&mut self, index: usize) -> Option<(&NeuronId, PendingReentry)> {
        let link = &mut self.links[index];
        let from = link.active_from();
        let pending = link.reentry.as_mut()?.pop()?;
        Some((&link.id, PendingReentry { at: pending.at.max(from), ..pending }))
    }

    /// Returns whether a level is on its way from this input.
    #[inline]
    pub(crate) fn is_reentering_from(&self, index: usize) -> bool {
        self.links[index].reentry.as_ref().is_some_and(|reentry| reentry.first().is_some())
    }

    /// Shows a level that has re-entered. Returns the weight if the level changes.
    pub(crate) fn apply_reentry(&mut self, index: usize, value: &Value) -> Option<f64> {
        let link = &mut self.links[index];
        if !link.is_applied {
            return None;
        }
        let has_changed = link.history.value.level != value.level;
        link.history.value = value.clone();
        // What has re-entered is what the edge shows, whatever else is on its way.
        link.is_stale &= link.is_down;
        has_changed.then(|| link.weight.get().unwrap_or(0.0))
    }

    /// Returns when the next level re-enters, after clearing the note of where from if there is
    /// none.
    ///
    /// `is_full` returns whether the event queue has no room: a level that is due then re-enters
    /// when something has been evaluated, so it needs no timer.
    #[inline]
    pub(crate) fn poll_reentries(&mut self, is_full: impl FnOnce() -> bool, now: Time) -> Option<Time> {
        if self.pending_reentries().next().is_none() {
            self.clear_reentries();
            return None;
        }
        let is_full = is_full();
        let due = self.pending_reentries().map(|(pending, _)| pending.due);
        due.filter(|due| !is_full || *due > now).min()
    }

    /// Does what is due, and returns when to come back.
    ///
    /// `target` is the tag up to which the inputs must be known, `is_urgent` that an answer is
    /// waited for, and `is_degraded` that the present value lacks an input.
    #[inline]
    pub(crate) fn poll_deadlines(
        &mut self,
        target: Option<Tag>,
        is_urgent: bool,
        is_degraded: bool,
        cx: &mut Ctx<'_>,
    ) -> Option<Time> {
        let mut wake = None;
        if target.is_some() || self.may_await {
            wake = self.probe_due(target, is_urgent, cx);
        }
        wake = earliest(wake, self.reconnect_due(is_degraded, cx));
        wake = earliest(wake, self.acknowledge_due(cx));
        wake = earliest(wake, self.poll_lapses(cx));
        wake.map(|at| at.max(cx.now.after(self.round_distance())))
    }

    /// Returns how long to wait between two looks at all inputs: 1 ms for each 1,000 of them, which
    /// is about ten times what a look takes. Else a neuron with thousands of inputs, each with a
    /// deadline of its own, would do nothing but look.
    fn round_distance(&self) -> Duration {
        let thousands = u32::try_from(self.links.len() / 1000).unwrap_or(u32::MAX);
        Duration::from_millis(1) * thousands
    }

    /// Returns a number made of what a signal with this stream counter reads, so that it is in the
    /// cache.
    #[cfg(feature = "actor")]
    pub(crate) fn prefetch(&self, counter: Option<u32>, promised: Tag) -> u64 {
        let read = |index: usize| {
            self.links.get(index).map_or(0, |link| {
                u64::from(link.is_down)
                    ^ u64::from(link.receiver.unacked())
                    ^ u64::from(link.history.complete_through < promised)
            })
        };
        let index = counter.map_or(self.links.len() / 2, |counter| (counter as usize).wrapping_sub(1));
        read(index) ^ read(self.blocked_on as usize)
    }

    /// Asserts that no flag hides work.
    #[cfg(debug_assertions)]
    pub(crate) fn check(&self, cx: &Ctx<'_>) {
        let id = &cx.common.id;
        let any = |what: &dyn Fn(&InputLink) -> bool| self.links.iter().any(what);
        assert!(self.may_need_subscribing || !any(&|link| !link.receiver.is_subscribed()), "{id}: subscribing");
        let unacked = cx.may_lose() && any(&|link| link.receiver.unacked() > 0);
        assert!(!unacked || self.acknowledge_at.is_some(), "{id}: acknowledge");
        assert!(self.may_have_down || !any(&|link| link.is_down), "{id}: down");
        assert!(self.may_await || !any(&|link| link.awaited_since().is_some()), "{id}: await");
        let is_expected = |index: usize| match self.reentries {
            ReentrySources::None => false,
            ReentrySources::One(one) => index == one as usize,
            ReentrySources::Any => true,
        };
        let mut links = self.links.iter().enumerate();
        assert!(links.all(|(index, link)| is_expected(index) || link.next_reentry().is_none()), "{id}: reentries");
        if let Some(renewals) = self.renewals {
            assert_eq!(
                renewals as usize,
                self.links.iter().filter(|link| link.needs_renewal()).count(),
                "{id}: renewals"
            );
        }
        let exact = self.exact_next_lapse(cx);
        assert!(exact.is_none() || self.next_lapse.is_some_and(|at| Some(at) <= exact), "{id}: lapse");
    }
}
