//! How long the inputs take to answer, which decides how soon they are asked again.
//!
//! Why: docs/decisions/0054-repeating-follows-the-answers.md

use std::time::Duration;

/// The time that each message of a burst is given: at 25 µs a message, a burst is carried at 40,000
/// messages a second. A neuron that asks thousands of inputs in one turn must not take their queue
/// for a loss.
const BURST_SHARE: Duration = Duration::from_micros(25);

/// The weight of the latest answer in the average is one in so many, as in TCP (RFC 6298).
const SMOOTHING: u64 = 8;

/// How long the inputs of a neuron usually take to answer a probe.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AnswerTime {
    /// The smoothed time in microseconds, at most 71 minutes; 0 before the first answer.
    smoothed: u32,
}

impl AnswerTime {
    /// Takes in the time that one answer took. Only probes that were sent once may be timed: else
    /// it is not known which of them was answered.
    pub(super) fn note(&mut self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(u32::MAX.into());
        let smoothed = match self.smoothed {
            0 => took,
            before => (u64::from(before) * (SMOOTHING - 1) + took) / SMOOTHING,
        };
        self.smoothed = u32::try_from(smoothed).unwrap_or(u32::MAX);
    }

    /// Returns how long to wait for an answer before asking again: twice the usual time, at least
    /// `retry` and what a burst to `inputs` takes, at most `longest`.
    pub(super) fn pause(self, retry: Duration, inputs: usize, longest: Duration) -> Duration {
        let inputs = u32::try_from(inputs).unwrap_or(u32::MAX);
        let usual = Duration::from_micros(u64::from(self.smoothed) * 2);
        let burst = BURST_SHARE.saturating_mul(inputs);
        retry.max(usual).max(burst).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Duration = Duration::from_millis(25);

    fn after(answers: &[u64], inputs: usize) -> Duration {
        let mut time = AnswerTime::default();
        answers.iter().for_each(|millis| time.note(Duration::from_millis(*millis)));
        time.pause(RETRY, inputs, RETRY * 40)
    }

    #[test]
    fn quick_answers_leave_the_pace_of_the_transport() {
        assert_eq!(after(&[], 1), RETRY);
        assert_eq!(after(&[1, 2, 1], 1_000), RETRY);
    }

    #[test]
    fn late_answers_slow_the_questions_down_and_quick_ones_speed_them_up_again() {
        assert_eq!(after(&[40], 1), Duration::from_millis(80));
        assert_eq!(after(&[40, 40, 40], 1), Duration::from_millis(80));
        assert!(after(&[40, 1], 1) < Duration::from_millis(80));
        assert_eq!(after(&[&[40][..], &[1; 40]].concat(), 1), RETRY);
    }

    #[test]
    fn no_pause_is_longer_than_the_longest() {
        assert_eq!(after(&[5_000], 1), RETRY * 40);
        assert_eq!(after(&[], 1_000_000), RETRY * 40);
    }

    #[test]
    fn a_burst_gets_the_time_that_it_takes() {
        assert_eq!(after(&[], 10_000), Duration::from_millis(250));
    }
}
