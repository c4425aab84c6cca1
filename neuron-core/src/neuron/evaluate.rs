//! Which tag is evaluated next, when it may be, and what comes of it.

use super::{Neuron, Output, frontier::Gap, input::State};
use crate::{
    command::{Answer, Stamp},
    id,
    record::{Claim, Event, Lasting, Record},
    signal::SignalBody,
    tag::{Tag, Time},
};

impl Neuron {
    /// Goes as far as what is known allows.
    pub(super) fn pump(&mut self, now: Time) {
        self.reservations.retain(|reservation| reservation.expires > now);
        loop {
            self.stamp_what_is_due(now);
            let Some(tag) = self.agenda.first().map(|slot| slot.tag) else { break };
            if !self.may_evaluate(tag, now) {
                break;
            }
            if let Some(gap) = self.gap_at(tag).filter(|gap| !gap.closed) {
                self.skip();
                self.unknown_from = self.unknown_from.into_iter().chain([gap.from]).min();
                continue;
            }
            if !self.settle(tag, now) {
                self.evaluate(now);
            }
        }
        self.tell(now);
        self.wake_at = self.ask(now);
    }

    /// The gaps of all inputs that count at `tag`, as one. Of an input that begins to count there, only the one that
    /// `tag` lies in matters: nobody has relied on what it was before.
    fn gap_at(&self, tag: Tag) -> Option<Gap> {
        let links = self.sources.iter().filter_map(|source| source.link.as_ref());
        let gaps = links.filter(|link| link.needed_for(tag).is_some()).filter_map(|link| link.gap_at(tag));
        gaps.reduce(Gap::and)
    }

    /// Gives up the first slot of the agenda: what the neuron's level is at that tag will never be known. Its own events
    /// count nevertheless.
    fn skip(&mut self) {
        let Some(slot) = self.agenda.pop() else { return };
        for event in &slot.events {
            self.apply(event, slot.tag);
        }
        self.weigh(slot.tag);
        self.integrator.skip();
        self.counters.skipped += 1;
    }

    fn may_evaluate(&self, tag: Tag, now: Time) -> bool {
        let released = self.wanted(now).max(self.agenda.released(now)).is_some_and(|upto| tag <= upto);
        released
            && self.reservations.iter().all(|reservation| tag < reservation.floor)
            && self.sources.iter().all(|source| {
                let link = source.link.as_ref();
                let needed = link.and_then(|link| Some((link.needed_for(tag)?, link.history.frontier)));
                needed.is_none_or(|(needed, frontier)| frontier >= needed)
            })
    }

    /// Evaluates the first slot of the agenda.
    fn evaluate(&mut self, now: Time) {
        let Some(slot) = self.agenda.pop() else { return };
        let tag = slot.tag;
        debug_assert!(self.spoken.is_open(tag), "{}: {tag} was answered before", self.id);
        let first = self.spoken.evaluated.is_none();
        let skipped = self.unknown_from.take();
        let gap = if first { skipped } else { skipped.into_iter().chain(self.gap_at(tag).map(|gap| gap.from)).min() };
        for event in &slot.events {
            self.apply(event, tag);
        }
        let sum = self.weigh(tag);
        if gap.is_some() && self.integrator.remembers() {
            self.endings.retain(|ending| !matches!(ending.what, Lasting::Linger | Lasting::Refractory));
            self.integrator.apply(&Event::Forget, tag);
            self.record(tag, &Event::Forget);
        }
        let outcome = self.integrator.evaluate(tag, sum);
        if let Some((what, span)) = outcome.begun {
            self.ends(what, tag, span, now);
        }

        let known = match (first, gap) {
            (true, _) => self.resumes,
            (false, Some(gap)) => gap.max(self.spoken.firm),
            (false, None) => tag.prev(),
        };
        let claim = Claim { known, at: tag, level: outcome.level };
        debug_assert!(known < tag, "{}: a claim for {tag} that begins to hold after {known}", self.id);
        let changed = outcome.level != self.level;
        self.counters.evaluations += 1;
        self.counters.firings += u64::from(changed && self.level == 0.0);
        self.level = outcome.level;
        self.spoken.promise(tag);
        self.spoken.evaluated = Some(tag);
        if self.keeps_record {
            self.outputs.push_back(Output::Record(Record::Evaluated(claim)));
        }
        if first || changed || gap.is_some() {
            self.memory.push(claim);
            self.state(claim);
        } else if slot.wave {
            self.pass_on(tag);
        }
        if changed {
            self.report_change(tag);
        }
    }

    /// Takes in an event of its own, as far as others than the integrator are concerned.
    pub(super) fn apply(&mut self, event: &Event, tag: Tag) {
        match event {
            Event::Reentry { source, level } => {
                let Ok(index) = self.find_source(source) else { return };
                let source = &mut self.sources[index];
                let weight = source.weight.unwrap_or(0.0);
                if let Some(link) = &mut source.link {
                    let rose = link.history.level != *level;
                    link.history.level = *level;
                    if rose {
                        self.integrator.kick(tag, weight, *level);
                    }
                }
            }
            Event::SetWeight { source: id::Source::Neuron(source), weight } => {
                self.source_mut(source).weight = Some(*weight);
            }
            Event::DeleteWeight { source: id::Source::Neuron(source) } => {
                self.source_mut(source).weight = None;
                self.forget_if_empty(source);
            }
            Event::Connect { source, .. } => {
                if let Some(link) = &mut self.source_mut(source).link {
                    link.counts = true;
                    if link.reentry.is_none() {
                        // Whatever gap lies before the connection counts does not count either.
                        link.history.advance(tag);
                    }
                }
            }
            Event::Disconnect { source } => {
                if let Some(link) = self.source_mut(source).link.take() {
                    self.send(source.clone(), SignalBody::Unsubscribe { stream: link.receiver.stream });
                    if let (State::Counts { until, .. }, Some((from, request))) = (link.state, link.leaves_for) {
                        let stamp = Stamp { tag: until, moved: false };
                        self.carried_out(&from, request, Ok(Answer::Stamped(stamp)));
                    }
                }
                self.forget_if_empty(source);
            }
            event => self.integrator.apply(event, tag),
        }
    }

    /// The weighted sum of the connected neurons at `tag`.
    fn weigh(&mut self, tag: Tag) -> f64 {
        let mut sum = 0.0;
        for source in &mut self.sources {
            let weight = source.weight.unwrap_or(0.0);
            let Some(link) = source.link.as_mut().filter(|link| link.counts) else { continue };
            if link.reentry.is_none() {
                let before = link.history.level;
                link.history.advance(tag);
                if link.history.level != before {
                    self.integrator.kick(tag, weight, link.history.level);
                }
            }
            sum += weight * link.history.level;
        }
        sum
    }
}
