//! Questions and promises: what the neuron may say of tags that it has not evaluated, and whom it must ask before.

use super::{
    Neuron,
    input::{Link, Step},
};
use crate::{
    command::{Answer, Refusal, Report, Sample},
    signal::SignalBody,
    tag::{Tag, Time},
};

impl Neuron {
    /// How far the neuron can promise that it has nothing new; nothing before its first evaluation.
    fn front(&self) -> Option<Tag> {
        self.spoken.evaluated?;
        let links = self.sources.iter().filter_map(|source| source.link.as_ref()).filter(|link| link.limits());
        let inputs = links.map(Link::horizon);
        let pending = self.agenda.first().map(|slot| slot.tag.prev());
        let reserved = self.reservations.iter().map(|reservation| reservation.floor.prev());
        let front = inputs.chain(pending).chain(reserved).chain(self.unknown_from).min().unwrap_or(Tag::MAX);
        debug_assert!(front >= self.spoken.firm, "{}: promised up to {} but knows {front}", self.id, self.spoken.firm);
        Some(front)
    }

    /// The highest tag that somebody waits for. Who asks for a tag of the future waits until its time has come.
    pub(super) fn wanted(&self, now: Time) -> Option<Tag> {
        let subscribers = self.subscribers.iter().filter_map(|(_, sender)| sender.as_ref()?.want);
        let controllers = self.questions.iter().map(|question| question.tag).filter(|tag| tag.time() <= now);
        subscribers.chain(controllers).max()
    }

    /// Says whatever can be said now.
    pub(super) fn tell(&mut self, now: Time) {
        if self.waves.is_empty() && self.questions.is_empty() && self.wanted(now).is_none() {
            return;
        }
        let Some(front) = self.front() else { return };
        while let Some(wave) = self.waves.front().copied().filter(|wave| *wave <= front) {
            self.waves.pop_front();
            self.pass_on(wave);
        }
        for index in 0..self.subscribers.len() {
            let Some(sender) = &self.subscribers[index].1 else { continue };
            let Some(want) = sender.want else { continue };
            let upto = want.min(front);
            if upto > sender.said || upto == want {
                self.promise_to(index, upto, false);
            }
        }
        self.answer_questions(front, now);
    }

    /// A wave with this tag reached the neuron and changed nothing: its subscribers need not ask.
    pub(super) fn pass_on(&mut self, wave: Tag) {
        for index in 0..self.subscribers.len() {
            if self.subscribers[index].1.as_ref().is_some_and(|sender| sender.said < wave) {
                self.promise_to(index, wave, true);
            }
        }
    }

    fn promise_to(&mut self, index: usize, upto: Tag, wave: bool) {
        let (subscriber, sender) = &mut self.subscribers[index];
        let Some(sender) = sender else { return };
        sender.say(upto);
        let (to, stream, after) = (subscriber.clone(), sender.stream, sender.seq);
        self.spoken.promise(upto);
        self.send(to, SignalBody::Nothing { stream, after, upto, wave });
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
            let level = self.memory.level_at(tag).ok_or(Refusal::Unknown(tag));
            let result = level.map(|level| Answer::Output(Sample { level, tag }));
            self.reply(question.from, question.request, result);
        }
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
        let mut wake = self.next_date(now);
        for index in 0..self.sources.len() {
            let Some(link) = &mut self.sources[index].link else { continue };
            let needed = target.and_then(|target| link.needed_for(target));
            let Some(needed) = needed.filter(|needed| *needed > link.history.frontier) else {
                link.asking.reset();
                continue;
            };
            let step = link.asking.step(needed, wanted.is_some(), now, self.settings.pace);
            let at = match step {
                Step::At(at) => at,
                Step::AskNow => {
                    let stream = link.receiver.stream;
                    let to = self.sources[index].id.clone();
                    self.counters.probes += 1;
                    self.send(to, SignalBody::Probe { stream, upto: needed });
                    now.after(self.settings.pace.retry)
                }
            };
            wake = wake.into_iter().chain([at]).min();
        }
        wake
    }

    /// When the next thing happens by itself.
    fn next_date(&self, now: Time) -> Option<Time> {
        let links = self.sources.iter().filter_map(|source| source.link.as_ref());
        let reentries = links.filter_map(|link| Some(link.reentry.as_ref()?.first()?.due));
        let endings = self.endings.iter().map(|ending| ending.due);
        let reservations = self.reservations.iter().map(|reservation| reservation.expires);
        let questions = self.questions.iter().map(|question| question.tag.time()).filter(|time| *time > now);
        reentries.chain(endings).chain(reservations).chain(questions).chain(self.agenda.next_release(now)).min()
    }
}
