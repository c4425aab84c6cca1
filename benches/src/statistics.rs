//! Percentiles of samples.

use std::time::Duration;

/// Sorts the samples and returns their median; zero if there are none.
pub fn median(samples: &mut [Duration]) -> Duration {
    percentile(samples, 50)
}

/// Sorts the samples and returns the one that `percent` of a hundred do not exceed; zero if there
/// are none.
pub fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    let index = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples.get(index).copied().unwrap_or_default()
}

/// Returns a duration in microseconds.
pub fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
