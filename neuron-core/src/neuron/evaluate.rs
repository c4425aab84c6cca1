//! Which tag is evaluated next, when it may be, and what comes of it.

use super::{
    Mode, Neuron, Output,
    agenda::Due,
    cares::{Cares, Returns},
    input::State,
    integrate::Weighed,
    number::Number,
};
use crate::{
    command::{Answer, ConfigChange, Stamp},
    id,
    record::{Claim, Event, Lasting, Record},
    signal::SignalBody,
    tag::{Tag, Time},
    value::{Missing, Value},
};

/// What there is to be evaluated.
enum Upcoming {
    Nothing,
    /// A wave that has reached the neuron, and nothing else at all: nothing ends, nobody is silent, no tag is reserved.
    Wave(Tag),
    /// Nothing but a level that re-enters, perhaps not yet, over the edge from the input with this number, at a neuron that waits for
    /// nobody.
    Reentry(usize),
    /// Something else, or more than one.
    Other,
}

impl Neuron {
    /// Goes as far as what is known allows.
    pub(super) fn pump(&mut self, now: Time) {
        if self.next_expiry().is_some_and(|due| due <= now) {
            self.expire(now);
        }
        self.lose_patience(now);
        self.look_again(now);
        self.evaluate_what_can_be(now);
        self.tell(now);
        // At the end of time nothing is ever later, so nothing is asked again.
        self.wake_at = if now < Time::MAX { self.ask(now) } else { None };
        #[cfg(debug_assertions)]
        self.check_cares();
    }

    /// Evaluates what can be, in the middle of a turn.
    #[cfg(any(feature = "actor", test))]
    #[inline(never)]
    pub(super) fn evaluate_meanwhile(&mut self, now: Time) {
        self.evaluate_what_can_be(now);
    }

    /// Evaluates one tag after the other, as far as what is known allows.
    #[inline(always)]
    fn evaluate_what_can_be(&mut self, now: Time) {
        loop {
            match self.upcoming() {
                Upcoming::Nothing => break,
                Upcoming::Wave(tag) => {
                    let Some(known) = self.known_before(tag) else { break };
                    self.agenda.take_only_wave();
                    self.decide(tag, known, true, now);
                    continue;
                }
                Upcoming::Reentry(index) => {
                    if let Some(tag) = self.reenter_at_once(index, now) {
                        self.decide(tag, tag.prev(), false, now);
                        continue;
                    }
                }
                Upcoming::Other => {}
            }
            if !self.evaluate_the_first(now) {
                break;
            }
        }
    }

    /// What there is to be evaluated, if that is what it usually is.
    #[inline(always)]
    fn upcoming(&self) -> Upcoming {
        let calm = self.endings.is_empty() && !self.cares.silent && self.reservations().is_empty() && self.is_ready();
        match (self.agenda.only_wave(), self.cares.returns) {
            _ if !calm => Upcoming::Other,
            (Some(tag), Returns::Nowhere) => Upcoming::Wave(tag),
            (None, _) if !self.agenda.is_empty() => Upcoming::Other,
            (None, Returns::Nowhere) => Upcoming::Nothing,
            (None, Returns::From(index)) if self.settings.mode == Mode::Asap => Upcoming::Reentry(index as usize),
            _ => Upcoming::Other,
        }
    }

    /// Evaluates the first tag of all that wait, if it can be. Tells whether to go on.
    #[inline(never)]
    fn evaluate_the_first(&mut self, now: Time) -> bool {
        self.stamp_what_is_due(now);
        self.answer_without_the_missing(now);
        let Some(tag) = self.agenda.first().filter(|tag| self.is_released(*tag, now)) else { return false };
        let Some(known) = self.known_before(tag) else { return false };
        if !self.settle(tag, now) {
            if self.is_before_its_time(tag) { self.skip() } else { self.evaluate(known, now) }
        }
        true
    }

    /// Whether an input has begun to speak only after this tag, and so has the neuron, which nobody has heard yet. Then it
    /// need not say what it does not know.
    fn is_before_its_time(&self, tag: Tag) -> bool {
        let links = || self.sources.iter().filter_map(|source| source.link.as_ref());
        !self.is_ready() && links().any(|link| link.needed_for(tag) == Some(tag) && !link.down && link.lacks(tag))
    }

    /// Leaves the first tag of the agenda out. Its events count nevertheless, so no earlier tag is evaluated after it.
    #[cold]
    fn skip(&mut self) {
        let Some(Due { tag, events, .. }) = self.agenda.pop() else { return };
        for event in events.iter() {
            self.apply(event, tag);
        }
        self.weigh(tag);
        self.integrator.skip();
        self.spoken.promise(tag);
        self.skipped = true;
    }

    fn is_released(&self, tag: Tag, now: Time) -> bool {
        let released = self.agenda.released(now) >= Some(tag) || self.wanted(now) >= Some(tag);
        released && self.reservations().iter().all(|reservation| tag < reservation.floor)
    }

    /// Up to which tag the present value is known to hold, when `tag` is evaluated next; nothing if an input is not known yet up to
    /// where `tag` needs it. Inputs that the value has left out of account already do not bear on that.
    ///
    /// It is looked first at the input that it was the last time, and then on from there: with a thousand inputs, each of them brings
    /// a message.
    fn known_before(&mut self, tag: Tag) -> Option<Tag> {
        let (evaluated, firm) = (self.spoken.evaluated, self.spoken.firm);
        let (mut known, sources) = (tag.prev(), &*self.sources);
        let mut next = self.kept_by as usize;
        for _ in 0..sources.len() {
            let index = if next < sources.len() { next } else { 0 };
            next = index + 1;
            let Some(link) = &sources[index].link else { continue };
            if !link.down && link.needed_for(tag).is_some_and(|needed| link.history.frontier < needed) {
                self.kept_by = u32::try_from(index).unwrap_or(0);
                return None;
            }
            if let Some(evaluated) = evaluated
                && link.limits()
                && !link.doubted
            {
                known = known.min(link.history.horizon(evaluated, firm));
            }
        }
        self.kept_by = 0;
        Some(if evaluated.is_some() { known.max(firm) } else { self.resumes })
    }

    /// Evaluates the first tag of the agenda.
    fn evaluate(&mut self, known: Tag, now: Time) {
        let Some(Due { tag, wave, events }) = self.agenda.pop() else { return };
        for event in events.iter() {
            self.apply(event, tag);
        }
        self.decide(tag, known, wave, now);
    }

    /// Evaluates a tag at which all its own events have been taken in.
    fn decide(&mut self, tag: Tag, known: Tag, wave: bool, now: Time) {
        debug_assert!(self.spoken.is_open(tag), "{}: {tag} was answered before", self.id);
        debug_assert!(known < tag, "{}: a claim for {tag} that begins to hold after {known}", self.id);
        let first = self.spoken.evaluated.is_none();
        let gap = std::mem::take(&mut self.skipped) || !first && known < tag.prev();
        let weighed = self.weigh(tag);
        let was_degraded = !first && self.value.is_degraded();
        let definite = self.integrator.is_definite(&weighed, was_degraded);
        let missed = was_degraded || (gap && !self.integrator.outlasts_a_gap());
        let overfull = self.integrator.is_overfull();
        if overfull {
            self.counters.rest().superseded += 1;
        }
        if overfull || definite && missed && self.integrator.remembers() {
            self.endings.retain(|ending| !matches!(ending.what, Lasting::Linger | Lasting::Refractory));
            self.integrator.apply(&Event::Forget, tag);
            self.record(tag, &Event::Forget);
        }
        let outcome = self.integrator.evaluate(tag, &weighed);
        if let Some((what, span)) = outcome.begun {
            self.ends(what, tag, span, now);
        }
        let missing = if definite { Missing::NONE } else { self.what_is_missing(tag) };
        self.conclude(Claim { known, at: tag, value: Value { level: outcome.level, missing } }, wave, now);
    }

    /// Says what an evaluation led to.
    fn conclude(&mut self, claim: Claim, wave: bool, now: Time) {
        let first = self.spoken.evaluated.is_none();
        let changed = claim.value != self.value;
        let gap = claim.known < claim.at.prev() && !self.value.is_degraded();
        self.counters.evaluations += 1;
        if claim.value.is_degraded() {
            self.counters.rest().degraded += 1;
        }
        self.counters.firings += u64::from(claim.value.level != 0.0 && self.value.level == 0.0);
        self.value = claim.value.clone();
        self.spoken.promise(claim.at);
        self.spoken.evaluated = Some(claim.at);
        self.look = false;
        self.respect_ceiling();
        if self.keeps_record {
            self.outputs.get_or_insert_default().push(Output::Record(Record::Evaluated(claim.clone())));
        }
        let at = claim.at;
        if first || changed || gap {
            self.state(&claim, now);
            self.memory.push(claim);
        } else if wave {
            self.pass_on(at);
        }
        // In the first life that anybody here knows of, nothing was before the first evaluation.
        if gap && (!first || self.resumes > Tag::ORIGIN) {
            self.count_a_gap();
        }
        if changed {
            self.report_change(at);
        }
    }

    /// The neurons that were not heard when `tag` was evaluated, here or upstream.
    #[cold]
    fn what_is_missing(&self, tag: Tag) -> Missing {
        let doubted = self.sources.iter().filter_map(|source| Some((source, source.link.as_ref()?)));
        let doubted = doubted.filter(|(_, link)| link.counts && link.doubted);
        let names = doubted.flat_map(|(source, link)| {
            let own = link.lacks(tag).then_some(&source.id);
            own.into_iter().chain(link.history.value.missing.names()).cloned()
        });
        names.collect()
    }

    /// Takes in an event of its own, as far as others than the integrator are concerned.
    #[inline(never)]
    pub(super) fn apply(&mut self, event: &Event, tag: Tag) {
        match event {
            Event::Reentry { source, value } => {
                if let Ok(index) = self.find_source(source) {
                    self.take_reentry_in(index, value, tag);
                }
            }
            Event::Configured(ConfigChange::SetWeight { source: id::Source::Neuron(source), weight }) => {
                self.source_mut(source).weight = (*weight).into();
            }
            Event::Configured(ConfigChange::DeleteWeight { source: id::Source::Neuron(source) }) => {
                self.source_mut(source).weight = Number::NONE;
                self.forget_if_empty(source);
            }
            Event::Configured(ConfigChange::Connect { source, .. }) => {
                self.cares = Cares::EVERYTHING;
                if let Some(link) = &mut self.source_mut(source).link {
                    link.counts = true;
                    if link.reentry.is_none() {
                        // Whatever gap lies before the connection counts does not count either.
                        link.history.advance(tag);
                    }
                }
            }
            Event::Configured(ConfigChange::Disconnect { source }) => {
                self.cares = Cares::EVERYTHING;
                if let Some(mut link) = self.source_mut(source).link.take() {
                    self.send(source.clone(), SignalBody::Unsubscribe { stream: link.receiver.stream });
                    let leaves_for = link.take_leave().map(|ticket| *ticket);
                    if let (State::Counts { until, .. }, Some((from, request))) = (link.state(), leaves_for) {
                        let stamp = Stamp { tag: *until, moved: false };
                        self.carried_out(&from, request, Ok(Answer::Stamped(stamp)));
                    }
                }
                self.forget_if_empty(source);
            }
            event => self.integrator.apply(event, tag),
        }
    }

    /// A level has re-entered from an input.
    pub(super) fn take_reentry_in(&mut self, index: usize, value: &Value, tag: Tag) {
        let source = &mut self.sources[index];
        let weight = source.weight.get().unwrap_or(0.0);
        if let Some(link) = source.link.as_mut().filter(|link| link.counts) {
            let changed = link.history.value.level != value.level;
            link.history.value = value.clone();
            // What has re-entered is what the edge shows, whatever else is on its way.
            link.stale &= link.down;
            if changed {
                self.integrator.kick(tag, weight, value.level);
            }
        }
    }

    /// The weighted sum of the connected neurons at `tag`, and within what bounds it lies.
    fn weigh(&mut self, tag: Tag) -> Weighed {
        let mut weighed = Weighed::default();
        for source in &mut self.sources {
            let weight = source.weight.get().unwrap_or(0.0);
            let Some(link) = source.link.as_mut().filter(|link| link.counts) else { continue };
            if link.reentry.is_none() {
                let before = link.history.value.level;
                link.history.advance(tag);
                let level = link.history.value.level;
                if level != before {
                    self.integrator.kick(tag, weight, level);
                }
            }
            link.doubted = link.is_doubtful(tag);
            if link.doubted {
                weighed.add_doubtful(weight);
            } else {
                weighed.add(weight * link.history.value.level);
            }
        }
        weighed
    }
}
