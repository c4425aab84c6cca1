//! A neuron on its machine: with a disk, a clock, and a plug that can be pulled.

use std::time::Duration;

use neuron_core::{
    NeuronId, Tag, Time,
    command::{Answer, Report, Sample},
    neuron::{Config, Input, Neuron, Output, Saved},
    record::Record,
    signal::{Signal, SignalBody},
    transport::{Delivery, Guarantees},
};

/// It promises nothing, so the neurons acknowledge and send again.
const CARRIER: Guarantees =
    Guarantees { ordered_per_sender: false, delivery: Delivery::AtMostOnce, ..Guarantees::IN_PROCESS };

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: NeuronId,
    /// Nothing while it is down.
    pub(crate) neuron: Option<Neuron>,
    pub(crate) disk: Option<Saved>,
    /// The last one is the present one.
    pub(crate) lives: Vec<Life>,
    /// How far its clock is behind.
    behind: Duration,
}

/// What the world knows of one life of a neuron.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) records: Vec<Record>,
    /// The latest tag that it has told anybody anything about.
    pub(crate) said: Tag,
    /// What it was asked and has not answered.
    pub(crate) questions: usize,
    pub(crate) answers: Vec<Sample>,
}

/// How many of a neuron's outputs are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// All of them.
    Stays,
    /// This many; then it crashes.
    FailsAfter(usize),
}

impl Node {
    pub(crate) fn new(id: NeuronId) -> Self {
        Self { id, neuron: None, disk: None, lives: Vec::new(), behind: Duration::ZERO }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.neuron.is_some()
    }

    /// What its clock shows.
    pub(crate) fn shows(&self, now: Time) -> Time {
        now.before(self.behind)
    }

    /// The time at which it wants to be woken.
    pub(crate) fn wakes_at(&self) -> Option<Time> {
        Some(self.neuron.as_ref()?.wake_at()?.after(self.behind))
    }

    /// Begins its next life, from its disk if there is anything on it.
    pub(crate) fn start(&mut self, config: &Config, behind: Duration, now: Time) {
        self.behind = behind;
        let (id, now) = (self.id.clone(), self.shows(now));
        let nonce = u32::try_from(self.lives.len()).expect("it has lived only a few times");
        let mut neuron = match self.disk.clone() {
            Some(saved) => Neuron::resume(id, saved, CARRIER, nonce, now),
            None => Neuron::start(id, config.clone(), CARRIER, nonce, now),
        };
        neuron.keep_record();
        self.neuron = Some(neuron);
        self.lives.push(Life::default());
    }

    pub(crate) fn crash(&mut self) {
        self.neuron = None;
    }

    /// It is about to be asked something.
    pub(crate) fn asked(&mut self) {
        if let Some(life) = self.lives.last_mut() {
            life.questions += 1;
        }
    }

    /// Gives it an input. Whoever is down hears nothing.
    pub(crate) fn give(&mut self, input: Input, now: Time) {
        let now = self.shows(now);
        if let Some(neuron) = &mut self.neuron {
            neuron.handle(input, now);
        }
    }

    /// Carries out what the neuron wants done. Tells how many things that was, and which signals are to be sent.
    ///
    /// A record is carried out with the output that follows it: before that, nobody can know of it.
    pub(crate) fn carry_out(&mut self, power: Power) -> (usize, Vec<Signal>) {
        let (Some(neuron), Some(life)) = (&mut self.neuron, self.lives.last_mut()) else { return (0, Vec::new()) };
        let (mut done, mut sent, mut records) = (0, Vec::new(), Vec::new());
        while let Some(output) = neuron.poll_output() {
            if let Output::Record(record) = output {
                records.push(record);
                continue;
            }
            if power == Power::FailsAfter(done) {
                self.crash();
                return (done, sent);
            }
            life.keep(&mut records);
            match output {
                Output::Save => self.disk = Some(neuron.saved()),
                Output::Signal { signal, .. } => {
                    life.says(&signal);
                    sent.push(signal);
                }
                Output::Report { report, .. } => life.reports(report),
                Output::Record(_) => unreachable!("it has been taken out"),
            }
            done += 1;
        }
        life.keep(&mut records);
        (done, sent)
    }
}

impl Life {
    fn keep(&mut self, records: &mut Vec<Record>) {
        for record in records.iter() {
            if let Record::Evaluated(claim) = record {
                self.said = self.said.max(claim.at);
            }
        }
        self.records.append(records);
    }

    fn says(&mut self, signal: &Signal) {
        if let SignalBody::Changed { at: tag, .. } | SignalBody::Nothing { upto: tag, .. } = signal.body {
            self.said = self.said.max(tag);
        }
    }

    fn reports(&mut self, report: Report) {
        let Report::Reply { result, .. } = report else { return };
        match result {
            // A stimulus. What follows from it is a claim.
            Ok(Answer::Stamped(_)) => {}
            Ok(Answer::Output(sample)) => {
                self.questions -= 1;
                self.said = self.said.max(sample.tag);
                self.answers.push(sample);
            }
            _ => self.questions -= 1,
        }
    }
}
