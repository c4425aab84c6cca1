//! The counts of one run, or of many.

use std::{collections::BTreeMap, time::Duration};

use super::histogram::Histogram;

/// The counts of one run, or the sums over many.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Runs.
    pub runs: u64,
    /// Distinct tags that any event was stamped with.
    pub waves: u64,
    /// Tags evaluated.
    pub evaluations: u64,
    /// Degraded answers.
    pub degraded: u64,
    /// Plain answers that were wrong at their tag or at any tag up to the next answer.
    pub wrong: u64,
    /// Changes of a level that were not answered at their tag, because the neuron or an ancestor
    /// was down, partitioned or late then.
    pub omissions: u64,
    /// Omissions that no fault explains: neither the neuron nor an ancestor crashed, was
    /// partitioned or absent, or lost a message in that run. There should be none.
    pub unexplained: u64,
    /// Signals sent, by kind.
    pub signals: BTreeMap<&'static str, u64>,
    /// Messages that did not arrive.
    pub lost: u64,
    /// Inputs that were given up because they were silent.
    pub silences: u64,
    /// Statements that were sent again.
    pub resent: u64,
    /// Subscribers that were given up.
    pub given_up: u64,
    /// Ends of holds, lingers and refractory periods that a clock which is ahead moved.
    pub extended: u64,
    /// Runs at whose end every answer had to be plain and correct and every neuron quiet, and was.
    pub settled: u64,
    /// Transactions that had to take effect at all of their neurons.
    pub transactions: u64,
    /// Incarnations that started without the store of the one before and were still the last one at
    /// the end.
    pub lost_stores: u64,
    /// Lost stores that were noticed: the neuron was fenced.
    pub noticed_stores: u64,
    /// Changes that watches told.
    pub watched: u64,
    /// Degraded ones among them; the watched neuron itself may be what they lack.
    pub watched_degraded: u64,
    /// Changes that watches counted as missed.
    pub watched_missed: u64,
    /// Messages that hosts sent each other.
    pub host_messages: u64,
    /// How often a host took another one for lost.
    pub hosts_lost: u64,
    /// How often a host heard one again that it had taken for lost.
    pub hosts_back: u64,
    /// How often the clock of a host was set forward while it ran.
    pub clock_steps: u64,
    /// Signals of hostile machines that have reached other neurons.
    pub lies: u64,
    /// Of them those that were refused: the receiver counted them as unknown, refused, doubled or
    /// too far ahead.
    pub lies_refused: u64,
    /// Reports that the controller did not believe.
    pub forged: u64,
    /// Neurons that a hostile neighbour has fenced.
    pub fenced_by_lies: u64,
    pub(super) latencies: Histogram,
    pub(super) recoveries: Histogram,
}

impl Totals {
    /// Adds the counts of other runs.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.waves += other.waves;
        self.evaluations += other.evaluations;
        self.degraded += other.degraded;
        self.wrong += other.wrong;
        self.omissions += other.omissions;
        self.unexplained += other.unexplained;
        for (kind, count) in &other.signals {
            *self.signals.entry(kind).or_default() += count;
        }
        self.lost += other.lost;
        self.silences += other.silences;
        self.resent += other.resent;
        self.given_up += other.given_up;
        self.extended += other.extended;
        self.settled += other.settled;
        self.transactions += other.transactions;
        self.lost_stores += other.lost_stores;
        self.noticed_stores += other.noticed_stores;
        self.watched += other.watched;
        self.watched_degraded += other.watched_degraded;
        self.watched_missed += other.watched_missed;
        self.host_messages += other.host_messages;
        self.hosts_lost += other.hosts_lost;
        self.hosts_back += other.hosts_back;
        self.clock_steps += other.clock_steps;
        self.lies += other.lies;
        self.lies_refused += other.lies_refused;
        self.forged += other.forged;
        self.fenced_by_lies += other.fenced_by_lies;
        self.latencies.add(&other.latencies);
        self.recoveries.add(&other.recoveries);
    }

    /// Returns a quantile of the virtual time from a stamp to the evaluations at its tag, rounded
    /// up by at most a sixteenth. `part` is the quantile: 0.99 for the 99th percentile.
    pub fn latency(&self, part: f64) -> Duration {
        self.latencies.quantile(part)
    }

    /// Returns a quantile of the virtual time from the end of all faults until every answer was
    /// plain again, over the runs in which some answer was degraded at the end of the faults.
    pub fn recovery(&self, part: f64) -> Duration {
        self.recoveries.quantile(part)
    }

    /// Returns the number of signals of all kinds.
    pub fn messages(&self) -> u64 {
        self.signals.values().sum()
    }
}
