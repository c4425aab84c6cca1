//! A histogram of durations.

use std::time::Duration;

/// Counts durations in buckets whose width is a sixteenth of their magnitude.
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

    pub(super) fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Returns the smallest duration, rounded up to its bucket, that the share `part` of the counts
    /// does not exceed; zero if nothing was counted.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        let total: u64 = self.0.iter().sum();
        let mut remaining = (total as f64 * part).ceil() as u64;
        for (index, count) in self.0.iter().enumerate() {
            remaining = remaining.saturating_sub(*count);
            if remaining == 0 && total > 0 {
                let magnitude = index / 16;
                let fine = index % 16;
                return Duration::from_micros(((17 + fine as u64) << magnitude) >> 4);
            }
        }
        Duration::ZERO
    }
}
