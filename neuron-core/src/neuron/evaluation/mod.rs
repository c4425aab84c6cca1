//! The evaluation: which tag comes next, when it may be evaluated, and what follows from it.
//!
//! [`Evaluation`] owns the event queue, the integrator and the progress of a neuron. It reads the
//! inputs and sends nothing itself; each evaluated tag is returned as [`Committed`].

mod event_queue;
mod expiry;
mod integrator;
mod output_log;
mod own_events;
mod progress;
mod run;
#[cfg(feature = "sim")]
mod sizes;

use std::collections::BTreeMap;

use thin_vec::ThinVec;

use event_queue::EventQueue;
pub(crate) use event_queue::TaggedEvents;
use expiry::Expiry;
use integrator::Integrator;
pub use output_log::MAX_REMEMBERED;
use output_log::OutputLog;
use progress::TagProgress;
pub(crate) use run::{Committed, NextStep};

use super::{
    Config, Ctx,
    deadlines::{earliest, latest_statable},
    inputs::{Inputs, ReentrySources},
    stream::{Backoff, LONGEST_PAUSE},
};
use crate::{
    collections::SmallQueue,
    command::{Answer, Firing, Refusal, Sample},
    id::SensorId,
    record::{Claim, Event},
    sensor::Sensor,
    tag::{Tag, Time},
    value::Value,
};

/// The most wave tags that wait to be passed on. If there are more, the lowest is dropped, which
/// costs a probe downstream.
const MAX_NULL_WAVES: usize = 1024;

/// What a neuron evaluates, and how far it has come.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    events: EventQueue,
    expiries: ThinVec<Expiry>,
    integrator: Integrator,
    progress: TagProgress,
    /// The tags of waves that changed nothing at a source and have not been passed on, in order.
    null_waves: SmallQueue<Tag>,
    /// The pauses between rechecks of a degraded value.
    recheck_backoff: Backoff,
    /// An input came back or a statement was late, so a recheck is due if the answer is degraded. A
    /// recheck is an own event that evaluates anew; one for a level that was not renewed is stamped
    /// at once and does not set this.
    recheck: bool,
    /// Tags were left out before the first evaluation.
    has_skipped: bool,
    past: Past,
}

/// What an evaluation keeps when a neuron begins its next incarnation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// The value of the last evaluation: watchers are told the difference.
    value: Value,
    log: OutputLog,
    /// Before the first evaluation of this incarnation: the last tag that the one before promised.
    resume_after: Tag,
}

impl Evaluation {
    /// Makes the evaluation of a neuron whose first tag is `first`.
    ///
    /// The store allows tags up to `durable_ceiling`.
    pub(crate) fn new(config: &Config, first: Tag, durable_ceiling: Tag, past: Past) -> Self {
        Self {
            events: EventQueue::default(),
            expiries: ThinVec::new(),
            integrator: Integrator::new(config),
            progress: TagProgress::starting_at(first, durable_ceiling),
            null_waves: SmallQueue::new(),
            recheck_backoff: Backoff::default(),
            recheck: false,
            has_skipped: false,
            past,
        }
    }

    /// Takes what the next incarnation keeps.
    pub(crate) fn take_past(&mut self) -> Past {
        let mut past = std::mem::take(&mut self.past);
        if self.is_ready() {
            past.resume_after = self.progress.promised();
        }
        past
    }

    /// Stamps the restart with the first tag; it is evaluated as soon as the inputs are known.
    pub(crate) fn begin(&mut self, cx: &mut Ctx<'_>) {
        let first = self.progress.stamp_bound();
        if first < Tag::MAX {
            self.own_event(first, Event::Restart, Time::ZERO, cx);
        }
    }

    /// Returns whether a tag has been evaluated in this incarnation.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.progress.evaluated().is_some()
    }

    /// Returns whether the present value lacks an input, or there is none yet.
    pub(crate) fn is_degraded(&self) -> bool {
        self.value().is_degraded() || !self.is_ready()
    }

    #[inline]
    pub(crate) fn value(&self) -> &Value {
        &self.past.value
    }

    pub(crate) fn progress(&self) -> &TagProgress {
        &self.progress
    }

    /// Lets the neuron speak about tags up to `ceiling` without being saved.
    #[cfg(feature = "actor")]
    #[inline]
    pub(crate) fn allow(&mut self, ceiling: Tag) {
        self.progress.allow(ceiling);
    }

    /// Returns the tag through which everything has been said.
    pub(crate) fn complete_through(&self) -> Tag {
        if self.is_ready() { self.progress.promised() } else { self.past.resume_after }
    }

    /// Returns the present value as the first statement of a stream; `None` if there is none yet.
    pub(crate) fn snapshot(&self) -> Option<Claim> {
        let at = self.progress.evaluated()?;
        Some(Claim { known: Tag::ORIGIN, at, value: self.value().clone() })
    }

    /// Returns the claim that was published last.
    pub(crate) fn last_claim(&self) -> Option<&Claim> {
        self.past.log.last()
    }

    /// Returns the present level with the last evaluated tag.
    pub(crate) fn sample(&self) -> Sample {
        sample(self.value(), self.progress.evaluated().unwrap_or_default())
    }

    /// Returns the present level, as that of a tag.
    pub(crate) fn sample_at(&self, tag: Tag) -> Sample {
        sample(self.value(), tag)
    }

    /// Returns the present level with the tag since which it holds, as far as it is known.
    pub(crate) fn last_change(&self) -> Sample {
        sample(self.value(), self.last_claim().map_or_else(Tag::default, |claim| claim.at))
    }

    /// Returns the level at a tag that has been promised.
    pub(crate) fn answer_at(&self, tag: Tag) -> Result<Answer, Refusal> {
        let value = self.past.log.value_at(tag).ok_or(Refusal::Unknown(tag))?;
        Ok(Answer::Output(sample(value, tag)))
    }

    /// Returns the last firings, oldest first.
    pub(crate) fn firings(&self) -> Vec<Firing> {
        self.past.log.firings()
    }

    /// Hides the firings so far.
    pub(crate) fn hide_firings(&mut self) {
        self.past.log.hide_all();
    }

    /// Returns the threshold; `None` if none is set.
    pub(crate) fn threshold(&self) -> Option<f64> {
        self.integrator.threshold()
    }

    /// Returns the attached sensors.
    pub(crate) fn sensors(&self) -> BTreeMap<SensorId, Sensor> {
        self.integrator.sensors().map(|(id, sensor)| (id.clone(), *sensor)).collect()
    }

    /// Returns a sensor; `None` if it is not attached.
    pub(crate) fn sensor(&self, sensor: &SensorId) -> Option<&Sensor> {
        self.integrator.sensor(sensor)
    }

    /// Notes that a new value of an input counts from `tag` on.
    ///
    /// `is_applied` means that the input counted at the last evaluation: if the tag was evaluated
    /// already, the statement is late.
    #[inline]
    pub(crate) fn note_wave(&mut self, tag: Tag, is_applied: bool, cx: &mut Ctx<'_>) {
        if self.progress.is_open(tag) {
            self.events.add_wave(tag);
        } else if is_applied {
            cx.rare_counters().late += 1;
            self.recheck = true;
        }
    }

    /// Queues the tag of a wave.
    pub(crate) fn add_wave(&mut self, tag: Tag) {
        self.events.add_wave(tag);
    }

    /// Notes that the statement of an input for this tag was displaced.
    pub(crate) fn remove_wave(&mut self, tag: Tag) {
        self.events.remove_wave(tag);
    }

    /// Notes that a wave changed nothing at a source.
    pub(crate) fn note_null_wave(&mut self, tag: Tag) {
        if self.progress.is_open(tag) {
            self.add_null_wave(tag);
        }
    }

    #[inline(never)]
    fn add_null_wave(&mut self, tag: Tag) {
        if let Err(index) = self.null_waves.find(&tag, |tag| *tag) {
            self.null_waves.insert(index, tag);
            if self.null_waves.len() > MAX_NULL_WAVES {
                self.null_waves.remove(0);
            }
        }
    }

    /// Returns whether a wave waits to be passed on.
    pub(crate) fn has_null_waves(&self) -> bool {
        !self.null_waves.is_empty()
    }

    /// Returns whether something ends by itself.
    #[inline]
    pub(crate) fn has_expiries(&self) -> bool {
        !self.expiries.is_empty()
    }

    /// Returns the last wave to be passed on that lies at or before `upto`; `None` if there is
    /// none.
    pub(crate) fn last_null_wave(&self, upto: Tag) -> Option<Tag> {
        self.null_waves.iter().copied().filter(|wave| *wave <= upto).last()
    }

    /// Takes the first wave to be passed on, if it lies at or before `upto`.
    pub(crate) fn take_null_wave(&mut self, upto: Tag) -> Option<Tag> {
        self.null_waves.pop_front_if(|wave| *wave <= upto)
    }

    /// Promises that nothing new comes up to this tag any more.
    pub(crate) fn promise(&mut self, upto: Tag, cx: &mut Ctx<'_>) {
        self.extend_expiries(upto, cx);
        if self.progress.on_promised(upto) {
            cx.save();
        }
    }

    /// Returns the tag up to which the neuron can promise that nothing new comes; `None` before the
    /// first evaluation.
    ///
    /// `floor` is the lowest tag that is reserved.
    #[inline(never)]
    pub(crate) fn promisable(&self, inputs: &Inputs, floor: Option<Tag>) -> Option<Tag> {
        let evaluated = self.progress.evaluated()?;
        let promised = self.progress.promised();
        let pending = self.events.first().map(Tag::prev);
        let reserved = floor.map(Tag::prev);
        let limits = pending.into_iter().chain(reserved);
        let promisable = limits.fold(inputs.certain_through(evaluated, promised), Tag::min);
        debug_assert!(
            promisable >= promised || inputs.has_uncertain(),
            "promised up to {promised} but knows {promisable}"
        );
        // An input that was uncertain did not bear on what was promised. It is heard again and
        // catches up.
        Some(promisable.max(promised))
    }

    /// Notes that an input that was missing may be back.
    #[inline]
    pub(crate) fn note_recovered(&mut self) {
        self.recheck = true;
    }

    /// Reconsiders a degraded value, with an event of its own, if an input has recovered.
    ///
    /// If that does not help, it is done less and less often. An overloaded input is not probed
    /// more often. It is done at once if what is missing has said more than it was asked for.
    #[inline]
    pub(crate) fn recheck_degraded(&mut self, inputs: &Inputs, cx: &mut Ctx<'_>) {
        if self.value().is_degraded() {
            self.recheck_now(inputs, cx);
        } else {
            self.recheck = false;
            self.recheck_backoff = Backoff::default();
        }
    }

    #[cold]
    fn recheck_now(&mut self, inputs: &Inputs, cx: &mut Ctx<'_>) {
        let helps = || inputs.are_known_beyond(self.progress.evaluated(), &self.value().missing);
        if self.next_recheck(cx.now).is_some_and(|due| due <= cx.now || helps())
            && let Some(tag) = self.next_stamp(Tag::at(cx.now), cx.now)
        {
            self.recheck = false;
            self.recheck_backoff.grow(LONGEST_PAUSE, cx.now);
            self.own_event(tag, Event::Recheck, cx.now, cx);
        }
    }

    /// Returns when the value is reconsidered; `None` if it need not be, or something else is to be
    /// evaluated soon.
    fn next_recheck(&self, now: Time) -> Option<Time> {
        let soon = Tag::at(now.after(LONGEST_PAUSE));
        let is_idle = || self.events.first().is_none_or(|first| first > soon);
        let can = || self.is_ready() && is_idle() && self.progress.first_open(Tag::ORIGIN).is_some();
        (self.recheck && can()).then_some(self.recheck_backoff.due)
    }

    /// Evaluates anew, at this tag or later, because the level of an input was not renewed.
    ///
    /// A tag that must not be stated yet is queued and not stamped: what is stamped after it would
    /// have to wait as well.
    pub(crate) fn note_unrenewed(&mut self, at_least: Tag, cx: &mut Ctx<'_>) {
        if at_least > latest_statable(cx.now) {
            self.note_wave(at_least, false, cx);
        } else if self.is_ready()
            && let Some(tag) = self.next_stamp(Tag::at(cx.now).max(at_least), cx.now)
        {
            self.own_event(tag, Event::Recheck, cx.now, cx);
        }
    }

    /// Queues the lowest probed tag after `known` that no other tag comes before, so that its
    /// answer says which inputs are down. What holds from there on answers the later ones.
    #[cold]
    pub(crate) fn answer_without_missing(&mut self, known: Tag, probed: impl Iterator<Item = Tag>, now: Time) {
        let lacking = probed.filter(|tag| *tag > known && self.progress.is_open(*tag)).min();
        if let Some(tag) = lacking
            && self.events.first().is_none_or(|first| first > tag)
        {
            self.events.add_own(tag, now);
        }
    }

    /// Returns the first queued tag; `None` if there is none.
    pub(crate) fn first_queued(&self) -> Option<Tag> {
        self.events.first()
    }

    /// Returns the last queued tag; `None` if there is none.
    pub(crate) fn last_queued(&self) -> Option<Tag> {
        self.events.last()
    }

    /// Returns the highest queued tag that is released.
    #[inline]
    pub(crate) fn released(&self, now: Time) -> Option<Tag> {
        self.events.released(now)
    }

    /// Returns the next deadline; `None` if there is none.
    #[inline]
    pub(crate) fn poll_deadlines(&self, inputs: &mut Inputs, now: Time) -> Option<Time> {
        let mut next = self.next_recheck(now);
        if inputs.reentries() != ReentrySources::None {
            next = earliest(next, inputs.poll_reentries(|| self.events.is_full(), now));
        }
        next = earliest(next, self.expiries.iter().map(|expiry| expiry.due).min());
        earliest(next, self.events.next_release(now))
    }

    /// Returns a number made of what the next evaluation reads, so that it is in the cache.
    #[cfg(feature = "actor")]
    pub(crate) fn prefetch(&self) -> u64 {
        u64::from(self.events.first().is_some()) ^ self.value().level.to_bits()
    }
}

fn sample(value: &Value, tag: Tag) -> Sample {
    Sample { level: value.level, tag, missing: value.missing.clone() }
}
