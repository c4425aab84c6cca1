//! Levels on their way over an edge whose source is not waited for.
//!
//! Why: docs/decisions/0002-asap-is-reentry-with-delay-zero.md
//! Why: docs/decisions/0004-reentry-lags-at-most-a-second.md

use std::{collections::VecDeque, time::Duration};

use crate::{
    neuron::deadlines::due_after,
    tag::{Tag, Time},
    value::Value,
};

/// The most levels on their way over one edge.
///
/// A loop that flips every 10 ms over an edge of 10 s needs this many.
pub(super) const MAX_REENTERING: usize = 1024;

/// How far behind the local clock a level may re-enter, if its delay is not longer.
///
/// A level from further back, because its source starts or was cut off, re-enters no further back
/// than this: a loop need not replay what it missed.
const MAX_LAG: Duration = Duration::from_secs(1);

/// A level on its way.
#[derive(Clone, Debug)]
pub(crate) struct PendingReentry {
    /// The lowest tag with which it may re-enter.
    pub(crate) at: Tag,
    /// The local time at which it re-enters.
    pub(crate) due: Time,
    pub(crate) value: Value,
}

/// The levels on their way over one edge, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReentryQueue {
    /// The configured delay; `None` if only the mode of the subscriber makes levels re-enter.
    pub(crate) delay: Option<Duration>,
    queue: VecDeque<PendingReentry>,
    /// The value that came last, whether it is on its way or has re-entered.
    pub(crate) last: Value,
}

impl ReentryQueue {
    /// Returns how many levels are on their way.
    #[cfg(feature = "sim")]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn new(delay: Option<Duration>) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Adds a value that the source has from `at` on, unless it equals the last one.
    ///
    /// Returns whether it displaced another one because too many were on their way.
    #[inline]
    pub(crate) fn push(&mut self, at: Tag, value: Value, now: Time) -> bool {
        if value == self.last {
            return false;
        }
        self.last = value.clone();
        let is_full = self.queue.len() >= MAX_REENTERING;
        if is_full {
            self.queue.pop_back();
        }
        let pending = match self.delay {
            None => PendingReentry { at: at.max(Tag::at(now.before(MAX_LAG))), due: now, value },
            Some(delay) => {
                let earliest = Tag::at(now.before(delay.max(MAX_LAG)));
                PendingReentry { at: at.after(delay).max(earliest), due: due_after(at, delay, now), value }
            }
        };
        self.queue.push_back(pending);
        is_full
    }

    /// Returns the level that re-enters next; `None` if nothing is on its way.
    pub(crate) fn first(&self) -> Option<&PendingReentry> {
        self.queue.front()
    }

    /// Takes the level that re-enters next.
    pub(crate) fn pop(&mut self) -> Option<PendingReentry> {
        self.queue.pop_front()
    }
}
