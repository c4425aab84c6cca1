//! Questions and promises: what the neuron may say of tags that it has not evaluated, and whom it must ask before.

use super::{Neuron, input::Step};
use crate::{
    command::{Answer, Refusal, Report, Sample},
    signal::SignalBody,
    tag::{Tag, Time},
};

impl Neuron {
    /// How far the neuron can promise that it has nothing new; nothing before its first evaluation.
    fn front(&self) -> Option<Tag> {
        let evaluated = self.spoken.evaluated?;
        let links = self.sources.iter().filter_map(|source| source.link.as_ref()).filter(|link| link.limits());
        let inputs = links.map(|link| link.horizon(evaluated, self.spoken.firm));
        let pending = self.agenda.first().map(|slot| slot.tag.prev());
        let reserved = self.reservations.iter().map(|reservation| reservation.floor.prev());
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
    pub(super) fn wanted(&self, now: Time) -> Option<Tag> {
        self.wants(now).max()
    }

    /// The tags that somebody asks for and has no answer to.
    pub(super) fn wants(&self, now: Time) -> impl Iterator<Item = Tag> {
        let subscribers = self.subscribers.iter().filter_map(|subscriber| subscriber.sender()?.want);
        let controllers = self.questions.iter().map(|question| question.tag).filter(move |tag| tag.time() <= now);
        subscribers.chain(controllers)
    }

    /// Says whatever can be said now.
    pub(super) fn tell(&mut self, now: Time) {
        if let Some(front) = self.front_if_asked(now) {
            while let Some(wave) = self.waves.front().copied().filter(|wave| *wave <= front) {
                self.waves.pop_front();
                self.pass_on(wave);
            }
            for index in 0..self.subscribers.len() {
                let Some(sender) = self.subscribers[index].sender() else { continue };
                let Some(want) = sender.want else { continue };
                let upto = want.min(front);
                if upto > sender.said || upto == want {
                    self.promise_to(index, upto, false);
                }
            }
            self.answer_questions(front, now);
        }
        self.show_life();
    }

    /// How far it can promise, if anybody wants to know.
    fn front_if_asked(&self, now: Time) -> Option<Tag> {
        let asked = !self.waves.is_empty() || !self.questions.is_empty() || self.wanted(now).is_some();
        if asked { self.front() } else { None }
    }

    fn answer_questions(&mut self, front: Tag, now: Time) {
        let mut index = 0;
        while index < self.questions.len() {
            let tag = self.questions[index].tag;
            if tag > front || tag.time() > now {
                index += 1;
                continue;
            }
            let question = self.questions.swap_remove(index);
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
        self.counters.refused += u64::from(result.is_err());
        self.reply_again(to, request, result);
    }

    /// Replies to a request that has been counted before.
    pub(super) fn reply_again(&mut self, to: crate::ControllerId, request: u64, result: Result<Answer, Refusal>) {
        self.outputs.push_back(super::Output::Report { to, report: Report::Reply { request, result } });
    }

    /// Asks the inputs that keep the neuron waiting, and tells when it must be woken.
    pub(super) fn ask(&mut self, now: Time) -> Option<Time> {
        let wanted = self.wanted(now);
        let target = wanted.max(self.agenda.released(now));
        let pace = self.settings.carrier.pace;
        let mut wake = self.next_date(now);
        for index in 0..self.sources.len() {
            let Some(link) = &mut self.sources[index].link else { continue };
            let needed = target.and_then(|target| link.needed_for(target));
            let Some(needed) = needed.filter(|needed| *needed > link.history.frontier && !link.down) else {
                link.asking.reset();
                continue;
            };
            link.asking.begin(now);
            if link.receiver.applied == 0 {
                // The first statement is on its way, or called for.
                continue;
            }
            let step = link.asking.step(needed, wanted.is_some(), now, pace);
            let at = match step {
                Step::At(at) => at,
                Step::AskNow => {
                    let stream = link.receiver.stream;
                    let to = self.sources[index].id.clone();
                    self.counters.probes += 1;
                    self.send(to, SignalBody::Probe { stream, upto: needed });
                    now.after(pace.retry)
                }
            };
            wake = wake.into_iter().chain([at]).min();
        }
        let calls = self.call_inputs(now);
        let insists = self.insist(now);
        let renews = self.renew(now);
        wake.into_iter().chain(self.next_to_give_up()).chain(calls).chain(insists).chain(renews).min()
    }

    /// When the next thing happens by itself.
    fn next_date(&self, now: Time) -> Option<Time> {
        let links = self.sources.iter().filter_map(|source| source.link.as_ref());
        // What cannot re-enter now does when there is room, and that is when something has been evaluated.
        let full = self.agenda.is_full();
        let reentries = links.filter_map(|link| Some(link.returning()?.due)).filter(|due| !full || *due > now);
        let endings = self.endings.iter().map(|ending| ending.due);
        let reservations = self.next_expiry();
        let questions = self.questions.iter().map(|question| question.tag.time()).filter(|time| *time > now);
        let look = self.next_look();
        reentries
            .chain(look)
            .chain(endings)
            .chain(reservations)
            .chain(questions)
            .chain(self.agenda.next_release(now))
            .min()
    }
}
