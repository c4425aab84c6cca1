//! A neuron of the simulated network, with its disk and its record.

use std::{collections::BTreeMap, time::Duration};

use super::host_links::is_about_hosts;
use crate::{
    id::NeuronId,
    neuron::{Config, Counters, Input, Neuron, Output, Saved},
    record::Record,
    tag::{Tag, Time},
    transport::Guarantees,
    value::Value,
};

/// What one incarnation of a neuron recorded.
#[derive(Debug, Default)]
pub(in crate::sim) struct IncarnationLog {
    pub(in crate::sim) records: Vec<Record>,
    /// The last tag that it had promised when it ended.
    pub(in crate::sim) complete_through: Tag,
    /// It started without the state that its neuron had saved, so its claims do not count.
    pub(in crate::sim) lost_store: bool,
}

pub(in crate::sim) struct Node {
    pub(in crate::sim) id: NeuronId,
    /// The index of its host.
    pub(in crate::sim) host: usize,
    config: Config,
    /// `None` while the neuron is down.
    neuron: Option<Neuron>,
    pub(in crate::sim) incarnations: Vec<IncarnationLog>,
    /// What its disk holds.
    pub(in crate::sim) saved: Option<Saved>,
    /// What its disk held after the start of the run.
    pub(in crate::sim) first_saved: Option<Saved>,
    /// The true time at which it is to be woken; `None` if it waits for a message only.
    pub(super) wake_at: Option<Time>,
    /// The counters of the incarnations that have ended.
    pub(in crate::sim) counters: Counters,
    /// The true time at which its answers became plain again after a degraded one.
    pub(in crate::sim) plain_since: Time,
    is_degraded: bool,
    /// The true time at which its value changed last, or at which it was started.
    pub(in crate::sim) changed_at: Time,
    last_value: Value,
    /// The last message from each neuron in this incarnation.
    last_received: BTreeMap<NeuronId, Received>,
}

/// When a neuron received something from another one, by its own clock.
#[derive(Debug)]
struct Received {
    at: Time,
    /// The receiver itself has been late since. This excuses the silence of the sender once.
    excused: bool,
}

impl Node {
    pub(super) fn new(id: NeuronId, host: usize, config: Config, now: Time) -> Self {
        Self {
            id,
            host,
            config,
            neuron: None,
            incarnations: Vec::new(),
            saved: None,
            first_saved: None,
            wake_at: None,
            counters: Counters::default(),
            plain_since: now,
            is_degraded: false,
            changed_at: now,
            last_value: Value::default(),
            last_received: BTreeMap::new(),
        }
    }

    /// Returns the state machine; `None` while the neuron is down.
    pub(in crate::sim) fn neuron(&self) -> Option<&Neuron> {
        self.neuron.as_ref()
    }

    pub(in crate::sim) fn was_started(&self) -> bool {
        !self.incarnations.is_empty()
    }

    pub(in crate::sim) fn ever_lost_its_store(&self) -> bool {
        self.incarnations.iter().any(|incarnation| incarnation.lost_store)
    }

    /// Returns the records of all incarnations, in their order.
    pub(in crate::sim) fn records(&self) -> impl Iterator<Item = &Record> {
        self.incarnations.iter().flat_map(|incarnation| &incarnation.records)
    }

    /// Starts an incarnation from what was saved; from the configuration if that is `None`.
    pub(super) fn start(
        &mut self,
        saved: Option<Saved>,
        lost_store: bool,
        guarantees: Guarantees,
        nonce: u32,
        now: Time,
    ) {
        let mut neuron = match saved {
            Some(saved) => Neuron::resume(self.id.clone(), saved, guarantees, nonce, now),
            None => Neuron::start(self.id.clone(), self.config.clone(), guarantees, nonce, now),
        };
        neuron.keep_record();
        self.neuron = Some(neuron);
        self.last_received.clear();
        self.incarnations.push(IncarnationLog { lost_store, ..IncarnationLog::default() });
    }

    /// Takes the counters and the progress of the incarnation at its end.
    pub(super) fn end_incarnation(&mut self) {
        let Some(neuron) = &self.neuron else { return };
        self.counters = sum(&self.counters, &neuron.counters());
        if let Some(incarnation) = self.incarnations.last_mut() {
            incarnation.complete_through = neuron.complete_through();
        }
    }

    /// Ends the incarnation without warning the neuron.
    pub(super) fn crash(&mut self) {
        self.end_incarnation();
        self.neuron = None;
        self.wake_at = None;
    }

    /// Restarts the state machine, as after a panic.
    pub(super) fn restart(&mut self, now: Time) {
        if let Some(neuron) = &mut self.neuron {
            neuron.restart(now);
        }
    }

    /// Gives the neuron an input; no effect while it is down.
    pub(super) fn handle(&mut self, input: Input, now: Time) {
        self.note_received(&input, now);
        if let Some(neuron) = &mut self.neuron {
            neuron.handle(input, now);
        }
    }

    /// Counts a message that the host refuses; no effect while the neuron is down.
    pub(super) fn count_stranger(&mut self) {
        if let Some(neuron) = &mut self.neuron {
            neuron.count_stranger();
        }
    }

    /// Tells the neuron that the host of an input is gone; no effect while it is down.
    pub(super) fn handle_input_lost(&mut self, source: &NeuronId, now: Time) {
        self.note_received(&Input::Wake, now);
        if let Some(neuron) = &mut self.neuron {
            neuron.handle_input_lost(source, now);
        }
    }

    /// Tells the neuron that the host of an input is back; no effect while it is down.
    pub(super) fn handle_input_back(&mut self, source: &NeuronId, now: Time) {
        self.note_received(&Input::Wake, now);
        if let Some(neuron) = &mut self.neuron {
            neuron.handle_input_back(source, now);
        }
    }

    /// Tells the neuron that its clock was set forward; no effect while it is down.
    pub(super) fn clock_stepped(&mut self, by: Duration, now: Time) {
        // It may have been late before, as after a freeze.
        self.note_received(&Input::Wake, now.before(by));
        self.last_received.values_mut().for_each(|received| received.at = received.at.after(by));
        if let Some(neuron) = &mut self.neuron {
            neuron.clock_stepped(by, now);
            neuron.handle(Input::Wake, now);
        }
    }

    fn note_received(&mut self, input: &Input, now: Time) {
        if self.neuron.as_ref().is_some_and(|neuron| neuron.is_late(now)) {
            let unexcused = self.last_received.values_mut().filter(|received| !received.excused);
            unexcused.for_each(|received| *received = Received { at: now, excused: true });
        }
        if let Input::Signal { from, signal } = input
            && !is_about_hosts(signal)
        {
            self.last_received.insert(from.clone(), Received { at: now, excused: false });
        }
    }

    /// Returns the sources whose level counts although nothing was received from them for longer
    /// than `limit`; none if the neuron is fenced, because it is silent then.
    pub(super) fn overdue_sources(&self, limit: Duration, now: Time) -> impl Iterator<Item = &NeuronId> {
        let neuron = self.neuron.as_ref().filter(|neuron| neuron.fenced_by().is_none());
        let sources = neuron.into_iter().flat_map(Neuron::relies_on);
        sources.filter(move |source| {
            self.last_received.get(*source).is_some_and(|received| now.since(received.at) > limit)
        })
    }

    /// Takes the next output of the neuron, and writes to the disk if that is what it asks for.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        let neuron = self.neuron.as_mut()?;
        let output = neuron.poll_output()?;
        if matches!(output, Output::Save | Output::SaveSoon) {
            self.saved = Some(neuron.saved());
        }
        Some(output)
    }

    /// Adds an entry to the record.
    pub(super) fn record(&mut self, record: Record, now: Time) {
        if let Record::Evaluated(claim) = &record {
            if self.last_value != claim.value {
                self.last_value = claim.value.clone();
                self.changed_at = now;
            }
            let was_degraded = std::mem::replace(&mut self.is_degraded, claim.value.is_degraded());
            if was_degraded && !self.is_degraded {
                self.plain_since = now;
            }
        }
        if let Some(incarnation) = self.incarnations.last_mut() {
            incarnation.records.push(record);
        }
    }
}

/// Adds the counters that [`Totals`](crate::sim::Totals) reports.
fn sum(one: &Counters, other: &Counters) -> Counters {
    Counters {
        evaluations: one.evaluations + other.evaluations,
        degraded: one.degraded + other.degraded,
        late: one.late + other.late,
        silences: one.silences + other.silences,
        resent: one.resent + other.resent,
        given_up: one.given_up + other.given_up,
        superseded: one.superseded + other.superseded,
        extended: one.extended + other.extended,
        ..Counters::default()
    }
}
