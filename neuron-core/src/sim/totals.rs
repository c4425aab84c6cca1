//! What is counted in a run, or in many.

use std::{collections::BTreeMap, time::Duration};

/// What was counted in one run, or in many.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Runs.
    pub runs: u64,
    /// Distinct tags that anything was stamped with.
    pub waves: u64,
    /// Tags evaluated.
    pub evaluations: u64,
    /// Answers that lacked something.
    pub degraded: u64,
    /// Plain answers that were wrong at their tag or at one up to the next answer.
    pub wrong: u64,
    /// Changes of a level that were not answered at their tag, because the neuron or an ancestor was dead, cut off or late then.
    pub omissions: u64,
    /// Omissions among them in runs in which neither the neuron nor an ancestor ever crashed, was cut off or absent, or lost
    /// a message: there should be none.
    pub unexplained: u64,
    /// Signals by kind.
    pub signals: BTreeMap<&'static str, u64>,
    /// Messages that did not arrive.
    pub lost: u64,
    /// Inputs given up because they were silent.
    pub silences: u64,
    /// Statements sent again.
    pub resent: u64,
    /// Subscribers given up.
    pub given_up: u64,
    /// Runs after which everything had to be plain, right and silent, and was looked at for that.
    pub settled: u64,
    /// Sets of changes that had to be made whole.
    pub together: u64,
    /// Lives that began without the store of the one before, and those among them that were told so.
    pub strays: (u64, u64),
    pub(super) latencies: Histogram,
    pub(super) recoveries: Histogram,
}

impl Totals {
    /// Adds the counts of another run.
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
        self.settled += other.settled;
        self.together += other.together;
        self.strays.0 += other.strays.0;
        self.strays.1 += other.strays.1;
        self.latencies.add(&other.latencies);
        self.recoveries.add(&other.recoveries);
    }

    /// The time from a stamp to the evaluations it caused, that this part of them did not exceed; in virtual time, rounded
    /// up by at most a sixteenth.
    pub fn latency(&self, part: f64) -> Duration {
        self.latencies.quantile(part)
    }

    /// The time from the end of all faults until every answer was plain again, that this part of the runs in which any answer
    /// was not plain by then did not exceed; in virtual time.
    pub fn recovery(&self, part: f64) -> Duration {
        self.recoveries.quantile(part)
    }

    /// All signals together.
    pub fn messages(&self) -> u64 {
        self.signals.values().sum()
    }
}

/// How often each length of time was counted, to within a sixteenth.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram(Vec<u64>);

impl Histogram {
    pub(super) fn count(&mut self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
        let magnitude = micros.ilog2();
        let fine = if magnitude < 4 { micros << (4 - magnitude) } else { micros >> (magnitude - 4) };
        let index = (magnitude as usize) * 16 + (fine as usize & 15);
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] += 1;
    }

    fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    fn quantile(&self, part: f64) -> Duration {
        let total: u64 = self.0.iter().sum();
        let mut left = (total as f64 * part).ceil() as u64;
        for (index, count) in self.0.iter().enumerate() {
            left = left.saturating_sub(*count);
            if left == 0 && total > 0 {
                let (magnitude, fine) = (index / 16, index % 16);
                return Duration::from_micros(((17 + fine as u64) << magnitude) >> 4);
            }
        }
        Duration::ZERO
    }
}
