//! Finds out how many envelopes the broker has refused.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many messages are remembered: more than are published before the broker answers.
const CAPACITY: usize = 4096;

/// The messages that were published last.
///
/// The broker reports a refusal later, and names only the subject. This log tells how many
/// envelopes the refused message held.
#[derive(Debug, Default)]
pub(crate) struct PublishLog {
    /// The hash of each subject, and how many envelopes were published there; the latest at the
    /// end.
    latest: Mutex<VecDeque<(u64, usize)>>,
    hasher: RandomState,
}

impl PublishLog {
    fn latest(&self) -> MutexGuard<'_, VecDeque<(u64, usize)>> {
        // It is consistent at any time.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a message that is about to be published.
    pub(crate) fn record(&self, subject: &str, envelopes: usize) {
        let subject = self.hasher.hash_one(subject);
        let mut latest = self.latest();
        if latest.len() == CAPACITY {
            latest.pop_front();
        }
        latest.push_back((subject, envelopes));
    }

    /// Removes the message that the broker has refused, and returns how many envelopes it held; 1
    /// if it is not in the log.
    ///
    /// It is the latest message with this subject: what the broker refuses now, it refuses from now
    /// on.
    pub(crate) fn take_refused(&self, subject: &str) -> u64 {
        let subject = self.hasher.hash_one(subject);
        let mut latest = self.latest();
        let found = latest.iter().rposition(|(of, _)| *of == subject).and_then(|index| latest.remove(index));
        found.map_or(1, |(_, envelopes)| envelopes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_about_a_message_of_its_own() {
        let log = PublishLog::default();
        for (subject, envelopes) in [("a", 5), ("b", 7), ("a", 1), ("a", 3)] {
            log.record(subject, envelopes);
        }
        assert_eq!(["a", "b", "a"].map(|subject| log.take_refused(subject)), [3, 7, 1]);
        assert_eq!(["a", "a", "c"].map(|subject| log.take_refused(subject)), [5, 1, 1]);
    }

    #[test]
    fn the_log_is_bounded() {
        let log = PublishLog::default();
        (0..3 * CAPACITY).for_each(|_| log.record("a", 2));
        assert_eq!(log.latest().len(), CAPACITY);
    }
}
