//! How many envelopes a refusal is about.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many messages are remembered: more than are published before the broker has answered.
const REMEMBERED: usize = 4096;

/// What has been published last. The broker only names the subject of what it refuses, and does so later; here is found how many
/// envelopes that was.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The hash of each subject, and how many envelopes went there.
    latest: Mutex<VecDeque<(u64, usize)>>,
    hasher: RandomState,
}

impl Published {
    fn latest(&self) -> MutexGuard<'_, VecDeque<(u64, usize)>> {
        // It is whole at any time.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message is about to be published.
    pub(crate) fn note(&self, subject: &str, envelopes: usize) {
        let subject = self.hasher.hash_one(subject);
        let mut latest = self.latest();
        if latest.len() == REMEMBERED {
            latest.pop_front();
        }
        latest.push_back((subject, envelopes));
    }

    /// The broker has refused a message. What it refuses now it refuses from then on, so it is one of the latest.
    pub(crate) fn refused(&self, subject: &str) -> u64 {
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
        let published = Published::default();
        for (subject, envelopes) in [("a", 5), ("b", 7), ("a", 1), ("a", 3)] {
            published.note(subject, envelopes);
        }
        assert_eq!(["a", "b", "a"].map(|subject| published.refused(subject)), [3, 7, 1]);
        assert_eq!(["a", "a", "c"].map(|subject| published.refused(subject)), [5, 1, 1]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let published = Published::default();
        (0..3 * REMEMBERED).for_each(|_| published.note("a", 2));
        assert_eq!(published.latest().len(), REMEMBERED);
    }
}
