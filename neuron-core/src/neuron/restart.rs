//! A new life after a panic.

use super::{
    Input, Neuron, Output, Spoken,
    agenda::Agenda,
    cares::Cares,
    delivery::Backoff,
    few::Few,
    input::State,
    subscriber::{Calling, Line},
};
use crate::{
    command::Refusal,
    record::Event,
    signal::Incarnation,
    tag::{Tag, Time},
};

impl Neuron {
    /// The same neuron in its next life: its configuration stays (changes that were acknowledged included), and so do
    /// those who watch it; stimuli, readings and what it remembered are gone. It asks its inputs for their levels, and
    /// its subscribers to subscribe again. Whoever waits for an answer is told that none will come.
    ///
    /// If tags have run out it stays silent for ever.
    ///
    /// The new life speaks only of tags that the old one has not spoken about, so nobody hears two different answers.
    /// One that has been fenced stays silent.
    pub fn restart(&mut self, now: Time) {
        if self.fenced.is_some() {
            return;
        }
        // Statements that have not left are lost with the old life; answers and the record are not.
        if let Some(out) = &mut self.outputs {
            out.discard_signals();
        }
        self.counters.rest().restarts += 1;
        self.incarnation.number = self.incarnation.number.saturating_add(1);
        self.streams = 0;
        self.outputs.get_or_insert_default().push(Output::Save);
        self.keep_configuration();
        self.refuse_whoever_waits();
        let spoken = self.spoken;
        let first = Tag::at(now).max(spoken.bound.next().next());
        if spoken.evaluated.is_some() {
            self.resumes = spoken.firm;
        }
        self.spoken = Spoken { ceiling: spoken.ceiling, ..Spoken::nothing_before(first) };
        self.agenda = Agenda::default();
        self.beside = false;
        (self.look, self.looks) = (false, Backoff::default());
        (self.skipped, self.renew_at, self.acknowledges_at) = (false, None, None);
        self.waves = Few::new();
        if let Some(wishes) = self.wishes.get_mut() {
            wishes.reservations.clear();
            wishes.preparations.clear();
        }
        self.endings.clear();
        for index in 0..self.sources.len() {
            let source = &self.sources[index];
            let link = source.link.as_ref().map(|link| (link.delay(), link.receiver.source));
            if let Some((delay, life)) = link {
                let id = source.id.clone();
                self.subscribe(&id, State::ALWAYS, delay, now);
                if let Some(link) = &mut self.sources[index].link {
                    link.receiver.source = life;
                }
            }
        }
        for subscriber in &mut self.subscribers {
            subscriber.line = Line::Broken(Calling::begin(None, now));
        }
        self.cares = Cares::EVERYTHING;
        self.wake_at = Some(now);
        self.is_new = false;
        self.begin();
    }

    /// Others have heard of a later life. Whatever this one says could contradict that, so it says nothing any more.
    pub(super) fn fall_silent(&mut self, known: Incarnation) {
        if let Some(out) = &mut self.outputs {
            out.discard_signals();
        }
        self.fenced = Some(known);
        self.wake_at = None;
        self.refuse_whoever_waits();
    }

    /// Answers every request with the reason why nothing is done.
    pub(super) fn refuse_everything(&mut self, input: Input) {
        if let Input::Request { from, request } = input {
            self.reply(from, request.id, Err(self.why_refused()));
        }
    }

    fn why_refused(&self) -> Refusal {
        match self.fenced {
            Some(known) => Refusal::Fenced { ours: self.incarnation.number, known: known.number },
            None => Refusal::Restarted,
        }
    }

    /// Nothing that was asked of the old life is answered by the new one, so that nobody waits in vain.
    fn refuse_whoever_waits(&mut self) {
        let Some(wishes) = self.wishes.get_mut() else { return };
        let questions = std::mem::take(&mut wishes.questions);
        let unanswered = wishes.carried_out.iter().filter(|done| done.result.is_none());
        let unanswered: Vec<_> = unanswered.map(|done| (done.from.clone(), done.request)).collect();
        for question in questions {
            self.reply(question.from, question.request, Err(self.why_refused()));
        }
        for (from, request) in unanswered {
            self.carried_out(&from, request, Err(self.why_refused()));
        }
    }

    /// Puts changes of the configuration that wait for their tag into force; connections that never counted are
    /// dropped.
    fn keep_configuration(&mut self) {
        let waiting: Vec<Event> = std::mem::take(&mut self.agenda).events().map(|(_, event)| event.clone()).collect();
        for event in waiting {
            if event.config_change().is_some() {
                self.apply(&event, Tag::ORIGIN);
            }
        }
        for source in &mut self.sources {
            source.link = source.link.take().filter(|link| link.counts);
        }
        self.sources.retain(|source| !source.weight.is_none() || source.link.is_some());
    }
}
