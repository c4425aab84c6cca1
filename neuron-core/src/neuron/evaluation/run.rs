//! Evaluating one tag after the other.
//!
//! Why: docs/decisions/0017-a-sole-wave-skips-the-event-queue.md

use thin_vec::ThinVec;

use super::{Evaluation, event_queue::ReadyTag};
use crate::{
    collections::OptionalF64,
    command::{ConfigChange, TransactionId},
    id::Source,
    neuron::{
        Ctx, Mode,
        inputs::{Inputs, ReentrySources, SumBounds},
        log,
    },
    record::{Claim, Event, TimedState},
    tag::Tag,
    value::{Missing, Value},
};

/// What there is to evaluate.
pub(crate) enum NextStep {
    /// Nothing.
    Idle,
    /// Exactly one wave, and nothing that could come before it.
    SoleWave(Tag),
    /// At most one re-entering level, from the input with this index, perhaps not due yet, at an
    /// asap neuron.
    SoleReentry(usize),
    /// Anything else.
    General,
}

/// An evaluated tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Committed {
    pub(crate) at: Tag,
    /// The claim is to be published: see [`Evaluation::last_claim`].
    pub(crate) is_published: bool,
    /// The value differs from the one before.
    pub(crate) has_changed: bool,
    /// Nothing is known of a stretch of tags before it.
    pub(crate) has_gap: bool,
    /// A wave has reached the neuron with this tag.
    pub(crate) wave: bool,
}

/// What an attempt to evaluate the next tag led to.
pub(crate) struct Advance {
    /// The evaluated tag; `None` if the attempt must be repeated.
    pub(crate) committed: Option<Committed>,
    /// The requests that are answered because their connections have ended, with the tags of the
    /// ends.
    pub(crate) ended: ThinVec<(TransactionId, Tag)>,
}

impl Evaluation {
    /// Classifies what there is to evaluate without looking at the inputs. `is_bounded` means that
    /// a queued tag may have to wait, though the inputs are known.
    ///
    /// `SoleWave` and `SoleReentry` are the common cases. They bypass the event queue, which saves
    /// 5 % of a coherent hop and 20 % of an asap one. `General` is always correct.
    #[inline(always)]
    pub(crate) fn next_step(&self, inputs: &Inputs, is_bounded: bool, mode: Mode) -> NextStep {
        let is_calm = self.expiries.is_empty() && !inputs.may_have_down() && !is_bounded && self.is_ready();
        match (self.events.sole_wave(), inputs.reentries()) {
            _ if !is_calm => NextStep::General,
            (Some(tag), ReentrySources::None) => NextStep::SoleWave(tag),
            (None, _) if !self.events.is_empty() => NextStep::General,
            (None, ReentrySources::None) => NextStep::Idle,
            (None, ReentrySources::One(index)) if mode == Mode::Asap => NextStep::SoleReentry(index as usize),
            _ => NextStep::General,
        }
    }

    /// Evaluates the tag of [`NextStep::SoleWave`]; `None` if an input is not known far enough.
    #[inline(always)]
    pub(crate) fn evaluate_sole_wave(&mut self, tag: Tag, inputs: &mut Inputs, cx: &mut Ctx<'_>) -> Option<Committed> {
        let known = self.holds_through(tag, inputs)?;
        self.events.take_sole_wave();
        Some(self.evaluate_at(tag, known, true, inputs, cx))
    }

    /// Evaluates the level of [`NextStep::SoleReentry`]; `None` if it is not due.
    #[inline(always)]
    pub(crate) fn evaluate_sole_reentry(
        &mut self,
        index: usize,
        inputs: &mut Inputs,
        cx: &mut Ctx<'_>,
    ) -> Option<Committed> {
        let tag = self.reenter_at_once(index, inputs, cx)?;
        Some(self.evaluate_at(tag, tag.prev(), false, inputs, cx))
    }

    /// Evaluates the first queued tag; `None` if it may not be evaluated yet, or there is none.
    ///
    /// `wanted` is the highest probed tag, which needs no release; no tag from `floor` on is
    /// evaluated.
    #[inline]
    pub(crate) fn evaluate_next(
        &mut self,
        wanted: Option<Tag>,
        floor: Option<Tag>,
        inputs: &mut Inputs,
        cx: &mut Ctx<'_>,
    ) -> Option<Advance> {
        let tag = self.events.first()?;
        let is_released = self.events.released(cx.now) >= Some(tag) || wanted >= Some(tag);
        if !is_released || floor.is_some_and(|floor| tag >= floor) {
            return None;
        }
        let known = self.holds_through(tag, inputs)?;
        let mut advance = Advance { committed: None, ended: ThinVec::new() };
        if self.expire_through(tag, cx) {
            return Some(advance);
        }
        self.extend_expiries(tag, cx);
        let is_too_early = !self.is_ready() && inputs.has_begun_after(tag);
        let ReadyTag { tag, wave, events } = self.events.pop()?;
        for event in &events {
            advance.ended.extend(self.apply(event, tag, inputs, cx));
        }
        if is_too_early {
            self.skip(tag, inputs, cx);
        } else {
            advance.committed = Some(self.evaluate_at(tag, known, wave, inputs, cx));
        }
        Some(advance)
    }

    /// Leaves a tag out: an input has begun to speak only after it, and no evaluation has been
    /// published yet, so the neuron need not say what it does not know.
    ///
    /// The own events of the tag count nevertheless, so no earlier tag is evaluated after it.
    #[cold]
    fn skip(&mut self, tag: Tag, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        self.weighted_sum(tag, inputs, cx);
        self.integrator.skip();
        self.promise(tag, cx);
        self.has_skipped = true;
    }

    /// Returns the tag through which the present value holds if `tag` is evaluated next; `None` if
    /// an input is not known far enough.
    #[inline]
    fn holds_through(&self, tag: Tag, inputs: &mut Inputs) -> Option<Tag> {
        let evaluated = self.progress.evaluated();
        let promised = self.progress.promised();
        let known = inputs.holds_through(tag, evaluated, promised)?;
        Some(if evaluated.is_some() { known.max(promised) } else { self.past.resume_after })
    }

    #[inline]
    fn weighted_sum(&mut self, tag: Tag, inputs: &mut Inputs, cx: &Ctx<'_>) -> SumBounds {
        let rule = cx.params().rule;
        inputs.weighted_sum(tag, |weight, level| self.integrator.spike(tag, weight, level, rule))
    }

    /// Evaluates a tag whose own events have been applied. The value before holds through `known`.
    fn evaluate_at(&mut self, tag: Tag, known: Tag, wave: bool, inputs: &mut Inputs, cx: &mut Ctx<'_>) -> Committed {
        debug_assert!(self.progress.is_open(tag), "{}: {tag} was answered before", cx.common.id);
        debug_assert!(known < tag, "{}: a claim for {tag} that begins to hold after {known}", cx.common.id);
        let is_first = !self.is_ready();
        let has_gap = std::mem::take(&mut self.has_skipped) || !is_first && known < tag.prev();
        let mut sum = self.weighted_sum(tag, inputs, cx);
        self.integrator.add_unknown_sensors(&mut sum);
        let was_degraded = !is_first && self.value().is_degraded();
        let is_definite = self.integrator.is_definite(&sum, was_degraded, cx.params());
        let has_missed = was_degraded || (has_gap && !self.integrator.outlasts_gap());
        let is_overfull = self.integrator.is_overfull();
        if is_overfull {
            cx.rare_counters().superseded += 1;
        }
        if is_overfull || is_definite && has_missed && self.integrator.has_memory(cx.params()) {
            self.expiries.retain(|expiry| !matches!(expiry.what, TimedState::Linger | TimedState::Refractory));
            self.integrator.apply(&Event::ResetMemory, tag, cx.params());
            cx.record_event(tag, &Event::ResetMemory);
        }
        let outcome = self.integrator.evaluate(tag, &sum, cx.params());
        if let Some((what, span)) = outcome.begun {
            self.schedule_expiry(what, tag, span, cx.now);
        }
        let missing = if is_definite { Missing::NONE } else { self.missing_at(tag, inputs) };
        self.commit(Claim { known, at: tag, value: Value { level: outcome.level, missing } }, wave, cx)
    }

    /// Returns the inputs and sensors whose levels were not known when `tag` was evaluated, here or
    /// upstream.
    #[cold]
    #[inline(never)]
    fn missing_at(&self, tag: Tag, inputs: &Inputs) -> Missing {
        inputs.missing_at(tag).chain(self.integrator.unknown_sensors()).collect()
    }

    /// Makes a claim the present value.
    #[inline]
    fn commit(&mut self, claim: Claim, wave: bool, cx: &mut Ctx<'_>) -> Committed {
        let is_first = !self.is_ready();
        let has_changed = claim.value != *self.value();
        let has_gap = claim.known < claim.at.prev() && !self.value().is_degraded();
        let at = claim.at;
        cx.common.counters.evaluations += 1;
        if claim.value.is_degraded() || self.value().is_degraded() {
            self.note_degraded(&claim.value, cx);
        }
        cx.common.counters.firings += u64::from(claim.value.level != 0.0 && self.value().level == 0.0);
        self.past.value = claim.value.clone();
        self.recheck = false;
        if self.progress.on_evaluated(at) {
            cx.save();
        }
        cx.record_claim(&claim);
        let is_published = is_first || has_changed || has_gap;
        if is_published {
            self.past.log.push(claim);
        }
        // In the first known incarnation, nothing was before the first evaluation.
        let has_gap = has_gap && (!is_first || self.past.resume_after > Tag::ORIGIN);
        Committed { at, is_published, has_changed, has_gap, wave }
    }

    /// Counts a degraded value, and logs that the value has become degraded or plain.
    #[cold]
    fn note_degraded(&self, value: &Value, cx: &mut Ctx<'_>) {
        cx.rare_counters().degraded += u64::from(value.is_degraded());
        if value.is_degraded() != self.value().is_degraded() {
            log::certainty_changed(&cx.common.id, value);
        }
    }

    /// Applies an own event. Returns the request that is answered because its connection has ended.
    #[inline(never)]
    pub(crate) fn apply(
        &mut self,
        event: &Event,
        tag: Tag,
        inputs: &mut Inputs,
        cx: &mut Ctx<'_>,
    ) -> Option<(TransactionId, Tag)> {
        match event {
            Event::Reentry { source, value } => {
                if let Some(index) = inputs.index_of(source) {
                    self.apply_reentry(index, value, tag, inputs, cx);
                }
            }
            Event::Configured(ConfigChange::SetWeight { source: Source::Neuron(source), weight }) => {
                inputs.set_weight(source, (*weight).into());
            }
            Event::Configured(ConfigChange::DeleteWeight { source: Source::Neuron(source) }) => {
                inputs.set_weight(source, OptionalF64::NONE);
            }
            Event::Configured(ConfigChange::Connect { source, .. }) => inputs.apply_connect(source, tag),
            Event::Configured(ConfigChange::Disconnect { source }) => return inputs.disconnect(source, cx),
            event => self.integrator.apply(event, tag, cx.params()),
        }
        None
    }

    /// Applies a level that has re-entered from an input.
    pub(super) fn apply_reentry(&mut self, index: usize, value: &Value, tag: Tag, inputs: &mut Inputs, cx: &Ctx<'_>) {
        if let Some(weight) = inputs.apply_reentry(index, value) {
            self.integrator.spike(tag, weight, value.level, cx.params().rule);
        }
    }
}
