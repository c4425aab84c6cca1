//! A neuron on its machine, with a disk and a clock, and a power supply that can fail.

use std::time::Duration;

use neuron_core::{
    NeuronId, Tag, Time,
    command::{Answer, Report, Sample},
    neuron::{Config, Input, Neuron, Output, Saved},
    record::Record,
    signal::{Signal, SignalBody},
    transport::{Delivery, Guarantees},
};

/// The transport guarantees nothing, so the neurons acknowledge statements and send them again.
const GUARANTEES: Guarantees =
    Guarantees { ordered_per_sender: false, delivery: Delivery::AtMostOnce, ..Guarantees::IN_PROCESS };

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: NeuronId,
    /// `None` while it is down.
    pub(crate) neuron: Option<Neuron>,
    pub(crate) disk: Option<Saved>,
    /// The incarnations so far; the last one is the present one.
    pub(crate) incarnations: Vec<IncarnationLog>,
    /// How far its clock is behind.
    behind: Duration,
}

/// What the test has observed of one incarnation.
#[derive(Clone, Debug, Default)]
pub(crate) struct IncarnationLog {
    pub(crate) records: Vec<Record>,
    /// The latest tag of its claims, signals and answers.
    pub(crate) promised: Tag,
    /// The number of queries without an answer.
    pub(crate) queries: usize,
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
        Self { id, neuron: None, disk: None, incarnations: Vec::new(), behind: Duration::ZERO }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.neuron.is_some()
    }

    /// Returns what its clock shows.
    pub(crate) fn shows(&self, now: Time) -> Time {
        now.before(self.behind)
    }

    /// Returns the true time of its next wake-up; `None` if there is none.
    pub(crate) fn wakes_at(&self) -> Option<Time> {
        Some(self.neuron.as_ref()?.wake_at()?.after(self.behind))
    }

    /// Starts its next incarnation, from its disk unless that is empty.
    pub(crate) fn start(&mut self, config: &Config, behind: Duration, now: Time) {
        self.behind = behind;
        let id = self.id.clone();
        let now = self.shows(now);
        let nonce = u32::try_from(self.incarnations.len()).expect("there are only a few incarnations");
        let mut neuron = match self.disk.clone() {
            Some(saved) => Neuron::resume(id, saved, GUARANTEES, nonce, now),
            None => Neuron::start(id, config.clone(), GUARANTEES, nonce, now),
        };
        neuron.keep_record();
        self.neuron = Some(neuron);
        self.incarnations.push(IncarnationLog::default());
    }

    pub(crate) fn crash(&mut self) {
        self.neuron = None;
    }

    /// Counts a query.
    pub(crate) fn count_query(&mut self) {
        if let Some(incarnation) = self.incarnations.last_mut() {
            incarnation.queries += 1;
        }
    }

    /// Gives it an input; no effect while it is down.
    pub(crate) fn give(&mut self, input: Input, now: Time) {
        let now = self.shows(now);
        if let Some(neuron) = &mut self.neuron {
            neuron.handle(input, now);
        }
    }

    /// Carries out the outputs, and returns their number and the signals among them.
    ///
    /// A record is carried out with the output that follows it: before that it has no effect
    /// outside.
    pub(crate) fn carry_out(&mut self, power: Power) -> (usize, Vec<Signal>) {
        let (Some(neuron), Some(incarnation)) = (&mut self.neuron, self.incarnations.last_mut()) else {
            return (0, Vec::new());
        };
        let mut done = 0;
        let mut sent = Vec::new();
        let mut records = Vec::new();
        while let Some(output) = neuron.poll_output() {
            if let Output::Record(record) = output {
                records.push(record);
                continue;
            }
            if power == Power::FailsAfter(done) {
                self.crash();
                return (done, sent);
            }
            incarnation.add_records(&mut records);
            match output {
                Output::Save | Output::SaveSoon => self.disk = Some(neuron.saved()),
                Output::Signal { signal, .. } => {
                    incarnation.add_signal(&signal);
                    sent.push(signal);
                }
                Output::Report { report, .. } => incarnation.add_report(report),
                Output::Counted { .. } => {}
                Output::Record(_) => unreachable!("it has been taken out"),
            }
            done += 1;
        }
        incarnation.add_records(&mut records);
        (done, sent)
    }
}

impl IncarnationLog {
    fn add_records(&mut self, records: &mut Vec<Record>) {
        for record in records.iter() {
            if let Record::Evaluated(claim) = record {
                self.promised = self.promised.max(claim.at);
            }
        }
        self.records.append(records);
    }

    fn add_signal(&mut self, signal: &Signal) {
        if let SignalBody::Changed { at: tag, .. } | SignalBody::Nothing { upto: tag, .. } = signal.body {
            self.promised = self.promised.max(tag);
        }
    }

    fn add_report(&mut self, report: Report) {
        let Report::Reply { result, .. } = report else { return };
        match result {
            // The answer to a stimulus. Its effect is a claim.
            Ok(Answer::Stamped(_)) => {}
            Ok(Answer::Output(sample)) => {
                self.queries -= 1;
                self.promised = self.promised.max(sample.tag);
                self.answers.push(sample);
            }
            _ => self.queries -= 1,
        }
    }
}
