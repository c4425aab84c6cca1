//! Questions and promises: what the neuron may say of tags that it has not evaluated, and whom it must ask before.

use super::{
    Neuron,
    cares::{Inquiry, Returns, earliest},
    input::{Haste, Step},
    silence::LAST_PATIENCE,
};
use crate::{
    command::{Answer, Refusal, Report, Sample},
    signal::SignalBody,
    tag::{Tag, Time},
};

impl Neuron {
    /// How far the neuron can promise that it has nothing new; nothing before its first evaluation.
    #[inline(never)]
    fn front(&self) -> Option<Tag> {
        let evaluated = self.spoken.evaluated?;
        let links = self.sources.iter().filter_map(|source| source.link.as_ref()).filter(|link| link.limits());
        let inputs = links.map(|link| link.horizon(evaluated, self.spoken.firm));
        let pending = self.agenda.first().map(Tag::prev);
        let reserved = self.reservations().iter().map(|reservation| reservation.floor.prev());
        let front = inputs.chain(pending).chain(reserved).min().unwrap_or(Tag::MAX);
        debug_assert!(
            front >= self.spoken.firm
                || self.sources.iter().any(|source| source.link.as_ref().is_some_and(|l| l.doubted)),
            "{}: promised up to {} but knows {front}",
            self.id,
            self.spoken.firm
        );
        // Whoever was doubted then did not bear on what was said; it is heard again now, and catches up.
        Some(front.max(self.spoken.firm))
    }

    /// The highest tag that somebody waits for. Who asks for a tag of the future waits until its time has come.
    #[inline]
    pub(super) fn wanted(&self, now: Time) -> Option<Tag> {
        let anybody = self.cares.asked || !self.questions().is_empty();
        if anybody { self.wants(now).max() } else { None }
    }

    /// The tags that somebody asks for and has no answer to.
    pub(super) fn wants(&self, now: Time) -> impl Iterator<Item = Tag> {
        let subscribers = self.subscribers.iter().filter_map(|subscriber| subscriber.sender()?.want());
        let controllers = self.questions().iter().map(|question| question.tag).filter(move |tag| tag.time() <= now);
        subscribers.chain(controllers)
    }

    /// Says whatever can be said now.
    pub(super) fn tell(&mut self, now: Time) {
        if let Some(front) = self.front_if_asked(now) {
            self.tell_up_to(front, now);
        }
        if self.cares.asked {
            self.show_life();
            let mut senders = self.subscribers.iter().filter_map(|subscriber| subscriber.sender());
            self.cares.asked = senders.any(|sender| sender.want().is_some());
        }
    }

    /// Says what can be said to those who want to know, now that it can promise up to `front`.
    #[inline(never)]
    fn tell_up_to(&mut self, front: Tag, now: Time) {
        while let Some(wave) = self.waves.pop_front_if(|wave| *wave <= front) {
            self.pass_on(wave);
        }
        for index in 0..self.subscribers.len() {
            let Some(sender) = self.subscribers[index].sender() else { continue };
            let Some(want) = sender.want() else { continue };
            let upto = want.min(front);
            if upto > sender.said || upto == want {
                self.promise_to(index, upto, false);
            }
        }
        self.answer_questions(front, now);
    }

    /// How far it can promise, if anybody wants to know.
    fn front_if_asked(&self, now: Time) -> Option<Tag> {
        let asked = !self.waves.is_empty() || !self.questions().is_empty() || self.wanted(now).is_some();
        if asked { self.front() } else { None }
    }

    fn answer_questions(&mut self, front: Tag, now: Time) {
        let mut index = 0;
        while let Some(tag) = self.questions().get(index).map(|question| question.tag) {
            if tag > front || tag.time() > now {
                index += 1;
                continue;
            }
            let question = self.wishes.make().questions.swap_remove(index);
            self.spoken.promise(tag);
            self.respect_ceiling();
            let result = self.answer_at(tag);
            self.reply(question.from, question.request, result);
        }
    }

    /// The level at a tag that everything has been said about.
    pub(super) fn answer_at(&self, tag: Tag) -> Result<Answer, Refusal> {
        let value = self.memory.value_at(tag).ok_or(Refusal::Unknown(tag))?;
        Ok(Answer::Output(Sample { level: value.level, tag, missing: value.missing.clone() }))
    }

    pub(super) fn reply(&mut self, to: crate::ControllerId, request: u64, result: Result<Answer, Refusal>) {
        if result.is_err() {
            self.counters.rest().refused += 1;
        }
        self.reply_again(to, request, result);
    }

    /// Replies to a request that has been counted before.
    pub(super) fn reply_again(&mut self, to: crate::ControllerId, request: u64, result: Result<Answer, Refusal>) {
        self.outputs
            .get_or_insert_default()
            .push(super::Output::Report { to, report: Report::Reply { request, result } });
    }

    /// Asks the inputs that keep the neuron waiting, and tells when it must be woken.
    pub(super) fn ask(&mut self, now: Time) -> Option<Time> {
        let wanted = self.wanted(now);
        let target = wanted.max(self.agenda.released(now));
        let mut wake = self.next_date(now);
        if target.is_some() || self.cares.waits {
            wake = earliest(wake, self.inquire(target, wanted.is_some(), now));
        }
        wake = earliest(wake, self.call_inputs(now));
        wake = earliest(wake, self.insist(now));
        wake = earliest(wake, self.acknowledge_what_is_due(now));
        wake = earliest(wake, self.renew(now));
        earliest(wake, self.gives_up())
    }

    /// Asks the inputs that keep the neuron from `target`, unless it is not time for that yet. With a thousand inputs, each of
    /// them brings a message.
    #[inline(never)]
    fn inquire(&mut self, target: Option<Tag>, urgent: bool, now: Time) -> Option<Time> {
        let is_it = |before: &Inquiry| {
            before.target == target && before.urgent == urgent && before.again.is_none_or(|again| again > now)
        };
        if let Some(before) = self.cares.inquiry.filter(is_it) {
            return before.again;
        }
        let again = self.ask_inputs(target, urgent, now);
        // Who has not answered the subscription is asked as soon as it has.
        self.cares.inquiry = (!self.cares.calls).then_some(Inquiry { target, urgent, again });
        again
    }

    /// An input has spoken. If that is not all that it was asked for, it is waited for from now on.
    pub(super) fn look_whether_it_suffices(&mut self, index: usize) {
        let Some(target) = self.cares.inquiry.and_then(|inquiry| inquiry.target) else { return };
        let link = self.sources.get(index).and_then(|source| source.link.as_ref());
        let needed = link.and_then(|link| Some((link, link.needed_for(target)?)));
        if needed.is_some_and(|(link, needed)| link.history.frontier < needed) {
            self.cares.inquiry = None;
        }
    }

    /// Asks the inputs that are not known up to where `target` needs them. Tells when to ask again.
    fn ask_inputs(&mut self, target: Option<Tag>, urgent: bool, now: Time) -> Option<Time> {
        let pace = self.settings.carrier.pace;
        let mut wake = None;
        self.cares.waits = false;
        let mut links = self.sources.iter().filter_map(|source| source.link.as_ref());
        let haste = match urgent {
            _ if links.any(|link| link.history.is_crowded()) => Haste::Crowded,
            true => Haste::Urgent,
            false => Haste::None,
        };
        for index in 0..self.sources.len() {
            let Some(link) = &mut self.sources[index].link else { continue };
            let needed = target.and_then(|target| link.needed_for(target));
            let Some(needed) = needed.filter(|needed| *needed > link.history.frontier && !link.down) else {
                link.is_not_waited_for();
                continue;
            };
            self.cares.waits = true;
            if link.unusual.make().asking.begin(now) {
                let patiences = if link.beside { LAST_PATIENCE } else { 1 };
                self.cares.may_give_up_at(now.after(self.settings.patience * patiences));
            }
            if link.receiver.applied == 0 {
                // The first statement is on its way, or called for.
                continue;
            }
            let Step { ask, again } = link.unusual.make().asking.step(needed, haste, link.beside, now, pace);
            if ask {
                let stream = link.receiver.stream;
                let to = self.sources[index].id.clone();
                self.counters.rest().probes += 1;
                self.send(to, SignalBody::Probe { stream, upto: needed });
            }
            wake = earliest(wake, Some(again));
        }
        wake
    }

    /// When the next thing happens by itself.
    fn next_date(&mut self, now: Time) -> Option<Time> {
        let mut next = earliest(self.next_look(), self.next_reentry(now));
        next = earliest(next, self.endings.iter().map(|ending| ending.due).min());
        next = earliest(next, self.next_expiry());
        let questions = self.questions().iter().map(|question| question.tag.time()).filter(|time| *time > now);
        next = earliest(next, questions.min());
        earliest(next, self.agenda.next_release(now))
    }

    /// When the next level re-enters.
    fn next_reentry(&mut self, now: Time) -> Option<Time> {
        if self.returning().next().is_none() {
            self.cares.returns = Returns::Nowhere;
            return None;
        }
        // What cannot re-enter now does when there is room, and that is when something has been evaluated.
        let full = self.agenda.is_full();
        let dates = self.returning().map(|(first, _)| first.due);
        dates.filter(|due| !full || *due > now).min()
    }
}
