//! What is known of the broker's refusals, and what the log says of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::MessageKind;

/// For how long messages must pass again before refusals of a kind are over.
pub const QUIET: Duration = Duration::from_secs(2);

/// For how long everything must have been refused before the connection is shown as refusing.
pub const TOTAL: Duration = Duration::from_secs(1);

/// How many kinds of refusals are told apart. Further ones count as one kind.
const MAX_KINDS: usize = 32;

/// The kind of what is beyond [`MAX_KINDS`].
const OTHER: &str = "other";

/// Decides when refusals begin and when they are over, so that the log has two lines for each kind,
/// and not one for each message.
///
/// Refusals of a kind begin with the first one. They are over once messages of the same
/// [`MessageKind`] have passed for [`QUIET`] without another refusal of that kind. If no such
/// message is sent, they go on: it is not known whether they are over.
///
/// Time is passed in, and never goes backwards.
#[derive(Debug, Default)]
pub struct RefusalLog {
    episodes: BTreeMap<String, Episode>,
    /// What has been refused since the last message that was accepted. Signs of life of hosts do
    /// not count: some brokers take them without room for anything else. `None` if the last message
    /// was accepted.
    total: Option<TotalRefusal>,
}

/// Refusals without a message that was accepted in between.
#[derive(Debug)]
struct TotalRefusal {
    first: Instant,
    last: Instant,
    /// What the broker said last.
    reason: String,
}

/// Refusals of one kind, from the first one on.
#[derive(Debug)]
struct Episode {
    began: Instant,
    count: u64,
    /// The kinds of the messages that were refused.
    of: BTreeSet<MessageKind>,
    /// When the first message of these kinds was accepted since the last refusal; `None` if none
    /// was.
    accepted: Option<Instant>,
}

/// Refusals of one kind that are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRefusals {
    /// The kind, as it was given to [`RefusalLog::refused`].
    pub kind: String,
    /// How many envelopes were refused.
    pub count: u64,
    /// From the first refusal to the first message that passed again.
    pub lasted: Duration,
}

impl RefusalLog {
    /// Notes that a message was refused, and returns whether refusals of its kind begin with it.
    ///
    /// `kind` tells kinds of refusals apart, such as `OOM`; `reason` is what the broker said;
    /// `envelopes` is how many envelopes the message held.
    pub fn refused(&mut self, kind: &str, reason: &str, of: MessageKind, envelopes: u64, now: Instant) -> bool {
        if of != MessageKind::Host {
            let first = self.total.as_ref().map_or(now, |total| total.first);
            self.total = Some(TotalRefusal { first, last: now, reason: reason.to_owned() });
        }
        let is_known = self.episodes.contains_key(kind) || self.episodes.len() < MAX_KINDS;
        let kind = if is_known { kind } else { OTHER };
        let begins = !self.episodes.contains_key(kind);
        let episode = self.episodes.entry(kind.to_owned()).or_insert_with(|| Episode {
            began: now,
            count: 0,
            of: BTreeSet::new(),
            accepted: None,
        });
        episode.count += envelopes;
        episode.of.insert(of);
        episode.accepted = None;
        begins
    }

    /// Notes that the broker has accepted a message.
    pub fn accepted(&mut self, of: MessageKind, now: Instant) {
        if of != MessageKind::Host {
            self.total = None;
        }
        for episode in self.episodes.values_mut().filter(|episode| episode.of.contains(&of)) {
            episode.accepted.get_or_insert(now);
        }
    }

    /// Removes and returns what is over by now.
    pub fn take_ended(&mut self, now: Instant) -> Vec<EndedRefusals> {
        let is_over = |episode: &Episode| episode.accepted.is_some_and(|at| now.duration_since(at) >= QUIET);
        let over: Vec<String> =
            self.episodes.iter().filter(|(_, episode)| is_over(episode)).map(|(kind, _)| kind.clone()).collect();
        over.into_iter()
            .filter_map(|kind| {
                let episode = self.episodes.remove(&kind)?;
                let lasted = episode.accepted?.duration_since(episode.began);
                Some(EndedRefusals { kind, count: episode.count, lasted })
            })
            .collect()
    }

    /// Forgets whether everything was refused, because the connection is lost: the next broker may
    /// take what this one has refused.
    pub fn clear_total(&mut self) {
        self.total = None;
    }

    /// Returns whether no refusals go on, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.episodes.is_empty()
    }

    /// Returns what the broker said last, if it has refused every signal, request and report for at
    /// least [`TOTAL`]; `None` otherwise.
    pub fn total(&self) -> Option<&str> {
        let total = self.total.as_ref()?;
        (total.last.duration_since(total.first) >= TOTAL).then_some(&total.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn refusals_begin_once_and_end_once() {
        let start = Instant::now();
        let mut log = RefusalLog::default();
        assert!(log.refused("OOM", "no memory", MessageKind::Signal, 3, start));
        for number in 1..100 {
            let at = start + SECOND * number / 10;
            assert!(!log.refused("OOM", "no memory", MessageKind::Signal, 1, at), "{number}");
            assert_eq!(log.take_ended(at), []);
        }
        let passes = start + SECOND * 20;
        log.accepted(MessageKind::Signal, passes);
        assert_eq!(log.take_ended(passes + QUIET / 2), []);
        let ended = EndedRefusals { kind: "OOM".to_owned(), count: 102, lasted: SECOND * 20 };
        assert_eq!(log.take_ended(passes + QUIET), [ended]);
        assert!(log.is_empty() && log.take_ended(passes + QUIET * 2).is_empty());
        assert!(log.refused("OOM", "no memory", MessageKind::Signal, 1, passes + QUIET * 3), "they begin anew");
    }

    #[test]
    fn one_that_passes_between_others_ends_nothing() {
        let start = Instant::now();
        let mut log = RefusalLog::default();
        assert!(log.refused("NOPERM", "no", MessageKind::Request, 1, start));
        for number in 1..20 {
            let at = start + SECOND * number;
            log.accepted(MessageKind::Request, at);
            assert_eq!(log.take_ended(at + SECOND / 2), [], "{number}");
            assert!(!log.refused("NOPERM", "no", MessageKind::Request, 1, at + SECOND / 2));
        }
    }

    #[test]
    fn what_was_not_refused_does_not_end_it_by_passing() {
        let start = Instant::now();
        let mut log = RefusalLog::default();
        assert!(log.refused("OOM", "no memory", MessageKind::Signal, 1, start));
        assert!(log.refused("NOPERM", "no", MessageKind::Report, 1, start), "another kind begins by itself");
        log.accepted(MessageKind::Host, start + SECOND);
        log.accepted(MessageKind::Report, start + SECOND);
        let ended = EndedRefusals { kind: "NOPERM".to_owned(), count: 1, lasted: SECOND };
        assert_eq!(log.take_ended(start + SECOND * 10), [ended]);
        assert!(!log.is_empty(), "no signal has passed");
    }

    #[test]
    fn everything_is_refused_if_nothing_has_passed_for_a_second() {
        let start = Instant::now();
        let mut log = RefusalLog::default();
        let refuse = |log: &mut RefusalLog, at| log.refused("OOM", "no memory", MessageKind::Signal, 1, at);
        refuse(&mut log, start);
        assert_eq!(log.total(), None, "one is not everything");
        log.accepted(MessageKind::Host, start + TOTAL / 2);
        refuse(&mut log, start + TOTAL);
        assert_eq!(log.total(), Some("no memory"));
        log.accepted(MessageKind::Request, start + TOTAL);
        assert_eq!(log.total(), None, "one has passed");
        refuse(&mut log, start + TOTAL * 2);
        assert_eq!(log.total(), None, "it is counted from the first refusal after that");
        refuse(&mut log, start + TOTAL * 4);
        assert!(log.total().is_some());
        log.clear_total();
        assert!(log.total().is_none() && !log.is_empty(), "what is refused is not over");
    }

    #[test]
    fn many_kinds_share_one_record() {
        let start = Instant::now();
        let mut log = RefusalLog::default();
        let begun = (0..1000).filter(|kind| log.refused(&format!("E{kind}"), "no", MessageKind::Signal, 1, start));
        assert_eq!(begun.count(), MAX_KINDS + 1);
    }
}
