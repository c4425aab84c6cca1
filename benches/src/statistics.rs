//! What is said about many samples.

use std::time::Duration;

/// The sample that half of all do not exceed; zero if there are none.
pub fn median(samples: &mut [Duration]) -> Duration {
    percentile(samples, 50)
}

/// The sample that so many of a hundred do not exceed; zero if there are none.
pub fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    let index = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples.get(index).copied().unwrap_or_default()
}

/// In microseconds.
pub fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
