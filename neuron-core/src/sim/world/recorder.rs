//! What is observed in a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    id::NeuronId,
    record::Record,
    signal::SignalBody,
    sim::fingerprint::Fingerprint,
    tag::{Tag, Time},
};

/// The observations of a run. Times are true times.
pub(in crate::sim) struct Recorder {
    /// The signals sent, by kind.
    pub(in crate::sim) signals: BTreeMap<&'static str, u64>,
    /// The messages that did not arrive.
    pub(in crate::sim) lost: u64,
    /// The signals other than renewals that were sent in the last five seconds.
    pub(in crate::sim) late_signals: u64,
    /// The pairs of a neuron and a source whose level counted for longer than its lease.
    pub(in crate::sim) lease_violations: BTreeSet<(NeuronId, NeuronId)>,
    /// The messages that hosts sent each other.
    pub(in crate::sim) host_messages: u64,
    /// How often a host took another one for lost.
    pub(in crate::sim) hosts_lost: u64,
    /// How often a host heard one again that it had taken for lost.
    pub(in crate::sim) hosts_back: u64,
    /// How often a clock was set forward.
    pub(in crate::sim) clock_steps: u64,
    /// When a neuron was told that the host of an input is gone: the neuron and the input.
    pub(in crate::sim) lost_inputs: Vec<(Time, usize, usize)>,
    /// When each tag was evaluated.
    pub(in crate::sim) evaluations: Vec<(Tag, Time)>,
    /// When each tag was stamped.
    pub(in crate::sim) stamps: Vec<(Tag, Time)>,
    pub(in crate::sim) fingerprint: Fingerprint,
    /// The log of everything that happened; `None` if it is not wanted.
    trace_log: Option<Vec<String>>,
}

impl Recorder {
    pub(super) fn new(traced: bool) -> Self {
        Self {
            signals: BTreeMap::new(),
            lost: 0,
            late_signals: 0,
            lease_violations: BTreeSet::new(),
            host_messages: 0,
            hosts_lost: 0,
            hosts_back: 0,
            clock_steps: 0,
            lost_inputs: Vec::new(),
            evaluations: Vec::new(),
            stamps: Vec::new(),
            fingerprint: Fingerprint::new(),
            trace_log: traced.then(Vec::new),
        }
    }

    /// Adds a line to the log, if there is one; `line` is called only then.
    pub(super) fn trace(&mut self, since_start: f64, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.trace_log {
            log.push(format!("{since_start:>12.6} s  {}", line()));
        }
    }

    pub(super) fn into_trace_log(self) -> Vec<String> {
        self.trace_log.unwrap_or_default()
    }

    /// Counts a signal. `is_late` says whether it was sent in the last five seconds of the run.
    pub(super) fn count_signal(&mut self, body: &SignalBody, is_late: bool) {
        *self.signals.entry(kind(body)).or_default() += 1;
        let is_renewal = matches!(body, SignalBody::Nothing { wave: false, .. });
        if !is_renewal && is_late {
            self.late_signals += 1;
        }
    }

    pub(super) fn add_record(&mut self, record: &Record, now: Time) {
        match record {
            Record::Stamped { tag, .. } => {
                self.fingerprint.add_number(tag.to_bits());
                self.stamps.push((*tag, now));
            }
            Record::Evaluated(claim) => {
                self.fingerprint.add_number(claim.at.to_bits());
                self.fingerprint.add_number(claim.value.level.to_bits());
                for name in claim.value.missing.names() {
                    self.fingerprint.add(name.as_str().as_bytes());
                }
                self.evaluations.push((claim.at, now));
            }
        }
    }
}

pub(super) fn kind(body: &SignalBody) -> &'static str {
    match body {
        SignalBody::Subscribe { .. } => "subscribe",
        SignalBody::Unsubscribe { .. } => "unsubscribe",
        SignalBody::Hello => "hello",
        SignalBody::NoStream { .. } => "no stream",
        SignalBody::Fenced { .. } => "fenced",
        SignalBody::Where => "where",
        SignalBody::Home { .. } => "home",
        SignalBody::Changed { .. } => "changed",
        SignalBody::Ack { .. } => "ack",
        SignalBody::Nothing { .. } => "nothing",
        SignalBody::Probe { .. } => "probe",
    }
}
