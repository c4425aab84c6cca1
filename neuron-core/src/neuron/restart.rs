//! A new life after a panic.

use super::{Neuron, Output, Spoken, agenda::Agenda, input::State};
use crate::{
    command::Refusal,
    id::NeuronId,
    record::Event,
    signal::{Incarnation, SignalBody},
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
    pub fn restart(&mut self, now: Time) {
        // Statements that have not left are lost with the old life; answers and the record are not.
        self.outputs.retain(|output| !matches!(output, Output::Signal { .. }));
        self.counters.restarts += 1;
        self.incarnation = Incarnation(self.incarnation.0.saturating_add(1));
        self.streams = 0;
        self.keep_configuration();
        self.refuse_whoever_waits();
        let spoken = self.spoken;
        let first = Tag::at(now).max(spoken.bound.next().next());
        if spoken.evaluated.is_some() {
            self.resumes = spoken.firm;
        }
        self.spoken = Spoken::nothing_before(first);
        self.agenda = Agenda::default();
        self.unknown_from = None;
        self.waves.clear();
        self.reservations.clear();
        self.endings.clear();
        for index in 0..self.sources.len() {
            let source = &self.sources[index];
            let (id, delay) = (source.id.clone(), source.link.as_ref().map(|link| link.delay));
            if let Some(delay) = delay {
                self.subscribe(&id, State::ALWAYS, delay);
            }
        }
        let subscribers: Vec<NeuronId> = self.subscribers.iter().map(|(id, _)| id.clone()).collect();
        for (_, sender) in &mut self.subscribers {
            *sender = None;
        }
        for subscriber in subscribers {
            self.send(subscriber, SignalBody::Hello);
        }
        if first < Tag::MAX {
            self.begin(first, now);
        }
    }

    /// Nothing that was asked of the old life is answered by the new one, so that nobody waits in vain.
    fn refuse_whoever_waits(&mut self) {
        for question in std::mem::take(&mut self.questions) {
            self.reply(question.from, question.request, Err(Refusal::Restarted));
        }
        let unanswered = self.carried_out.iter().filter(|done| done.result.is_none());
        let unanswered: Vec<_> = unanswered.map(|done| (done.from.clone(), done.request)).collect();
        for (from, request) in unanswered {
            self.carried_out(&from, request, Err(Refusal::Restarted));
        }
    }

    /// Puts changes of the configuration that wait for their tag into force; connections that never counted are
    /// dropped.
    fn keep_configuration(&mut self) {
        let waiting: Vec<Event> = std::mem::take(&mut self.agenda).events().map(|(_, event)| event.clone()).collect();
        for event in waiting {
            let configures = matches!(
                event,
                Event::SetWeight { .. }
                    | Event::DeleteWeight { .. }
                    | Event::SetThreshold { .. }
                    | Event::Connect { .. }
                    | Event::Disconnect { .. }
            );
            if configures {
                self.apply(&event, Tag::ORIGIN);
            }
        }
        for source in &mut self.sources {
            source.link = source.link.take().filter(|link| link.counts);
        }
        self.sources.retain(|source| source.weight.is_some() || source.link.is_some());
    }
}
