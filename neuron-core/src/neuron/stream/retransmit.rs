//! Statements that wait for their acknowledgement.
//!
//! Why: docs/decisions/0010-acknowledgements-are-timed.md

use std::{collections::VecDeque, time::Duration};

use super::{Backoff, Statement};
use crate::tag::Time;

/// The most statements that wait for their acknowledgement.
///
/// A subscriber that falls further behind is given up; when it subscribes again it gets the newest
/// level at once. Enough for a thousand changes a second over a transport that takes half a second
/// to bring an acknowledgement.
pub(crate) const MAX_UNACKNOWLEDGED: usize = 1024;
/// The most statements that are retransmitted at a time: what a slow transport can take.
const MAX_BURST: usize = 64;
/// After how many acknowledgements without anything new the first statement is retransmitted at
/// once, as TCP does.
const MAX_REPEATED: u8 = 3;
/// The longest pause between two attempts, as a multiple of the usual time for an answer.
pub(crate) const LONGEST_RETRY: u32 = 40;
/// The first pause while no round trip has been measured, as a multiple of the usual time for an
/// answer. The first statement answers a subscription, which is repeated if it is lost.
const UNMEASURED: u32 = 4;
/// How often a statement is retransmitted before its subscriber is given up.
const MAX_ATTEMPTS: u8 = 8;

/// The sent statements of one edge that have not been acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetransmitQueue {
    unacknowledged: VecDeque<(u64, Statement)>,
    /// When they are sent again.
    timer: Backoff,
    attempts: u8,
    /// The first pause before a retransmission: twice the last measured round trip, or the pause
    /// after which an acknowledgement came at all; 0 before the first one.
    first_pause: Duration,
    /// The number of a statement whose round trip is measured, and when it was sent.
    ///
    /// A retransmitted one is not measured: an acknowledgement does not tell which copy arrived.
    measured: Option<(u64, Time)>,
    /// Acknowledgements since the last one with anything new. They mean that later statements
    /// arrive and the first one is missing.
    repeated: u8,
}

/// What is to be done about statements that are not acknowledged.
pub(crate) enum Retransmit {
    /// Nothing before this time; `None` if nothing waits.
    At(Option<Time>),
    /// Send these statements again, and come back at `again`.
    Now {
        /// The statements with their numbers.
        statements: Vec<(u64, Statement)>,
        /// When to ask again.
        again: Time,
    },
    /// The subscriber does not answer: give it up.
    GiveUp,
}

impl RetransmitQueue {
    /// Keeps a sent statement until it is acknowledged.
    pub(crate) fn on_sent(&mut self, seq: u64, statement: Statement, retry: Duration, now: Time) {
        if self.unacknowledged.is_empty() {
            self.timer = Backoff::after(self.first_pause(retry), now);
            self.attempts = 0;
        }
        self.measured.get_or_insert((seq, now));
        self.unacknowledged.push_back((seq, statement));
    }

    /// Notes that the subscriber still asks for the first statement, and returns whether that is
    /// sent again with the next [`poll`](Self::poll): once, if it is not acknowledged.
    pub(crate) fn on_repeated_subscription(&mut self) -> bool {
        let is_sent_again =
            self.repeated <= MAX_REPEATED && self.unacknowledged.front().is_some_and(|(seq, _)| *seq == 1);
        if is_sent_again {
            self.repeated = MAX_REPEATED;
        }
        is_sent_again
    }

    /// Drops the statements up to this number: they have arrived.
    pub(crate) fn on_ack(&mut self, upto: u64, retry: Duration, now: Time) {
        let before = self.unacknowledged.len();
        while self.unacknowledged.front().is_some_and(|(seq, _)| *seq <= upto) {
            self.unacknowledged.pop_front();
        }
        if self.unacknowledged.len() == before {
            self.repeated = self.repeated.saturating_add(u8::from(before > 0));
            return;
        }
        self.repeated = 0;
        if let Some((_, sent)) = self.measured.take_if(|(seq, _)| *seq <= upto) {
            self.first_pause = (now.since(sent) * 2).clamp(retry, retry * LONGEST_RETRY);
        } else if self.attempts > 0 {
            self.first_pause = self.timer.pause();
        }
        self.timer = Backoff::after(self.first_pause(retry), now);
        self.attempts = 0;
    }

    /// Returns how long to wait for the acknowledgement of a statement that is sent now.
    fn first_pause(&self, retry: Duration) -> Duration {
        if self.first_pause.is_zero() { retry * UNMEASURED } else { self.first_pause.max(retry) }
    }

    /// Returns what is to be done now, and counts the attempt if statements are to be sent.
    pub(crate) fn poll(&mut self, retry: Duration, now: Time) -> Retransmit {
        if self.unacknowledged.is_empty() {
            return Retransmit::At(None);
        }
        if self.unacknowledged.len() > MAX_UNACKNOWLEDGED {
            return Retransmit::GiveUp;
        }
        if self.repeated == MAX_REPEATED {
            // Only once: if this copy is lost as well, the next one waits for the timer.
            self.repeated += 1;
            self.measured.take_if(|(seq, _)| self.unacknowledged.front().is_some_and(|(first, _)| first == seq));
            let statements = self.unacknowledged.front().cloned().into_iter().collect();
            return Retransmit::Now { statements, again: self.timer.due };
        }
        if self.timer.due > now {
            return Retransmit::At(Some(self.timer.due));
        }
        if self.attempts == MAX_ATTEMPTS {
            return Retransmit::GiveUp;
        }
        self.attempts += 1;
        self.measured = None;
        self.repeated = 0;
        self.timer.grow(retry * LONGEST_RETRY, now);
        let statements = self.unacknowledged.iter().take(MAX_BURST).cloned().collect();
        Retransmit::Now { statements, again: self.timer.due }
    }

    /// Does not measure the round trip that is under way: the clock was set.
    pub(crate) fn forget_round_trip(&mut self) {
        self.measured = None;
    }

    /// Returns how many statements wait for their acknowledgement.
    #[cfg(feature = "sim")]
    pub(crate) fn len(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Returns whether nothing waits for an acknowledgement.
    #[cfg(debug_assertions)]
    pub(crate) fn is_empty(&self) -> bool {
        self.unacknowledged.is_empty()
    }
}
