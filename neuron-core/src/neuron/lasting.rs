//! What ends, or comes back, when its time has come.

use std::{collections::VecDeque, time::Duration};

use crate::{
    record::TimedState,
    tag::{Tag, Time},
    value::Value,
};

/// Something that ends by itself.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) what: TimedState,
    /// The tag at which it began.
    pub(crate) of: Tag,
    /// The tag at which it should end.
    pub(crate) at: Tag,
    /// When, by the local clock, it ends at the latest.
    pub(crate) due: Time,
}

/// A level on its way over an edge that nobody waits for.
#[derive(Clone, Debug)]
pub(crate) struct Returning {
    /// The lowest tag it may re-enter with.
    pub(crate) at: Tag,
    /// When, by the local clock, it re-enters.
    pub(crate) due: Time,
    pub(crate) value: Value,
}

/// The local time at which something that began with tag `began`, and takes `span`, is over.
///
/// When the clock shows the tag; but after `span` of local time at the latest, because the tag may come from a clock
/// that is ahead.
pub(crate) fn due(began: Tag, span: Duration, now: Time) -> Time {
    began.after(span).time().min(now.after(span)).max(now)
}

/// The levels on their way over one edge, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loop {
    /// How much later they return at least, as configured; nothing where the receiver only waits for nobody.
    pub(crate) delay: Option<Duration>,
    queue: VecDeque<Returning>,
    /// The value that came last, on its way or returned.
    pub(crate) last: Value,
}

/// The most levels on their way over one edge.
///
/// A loop that flips every 10 ms over an edge of 10 s needs this many.
const MAX_RETURNING: usize = 1024;

impl Loop {
    pub(crate) fn over(delay: Option<Duration>) -> Self {
        Self { delay, ..Self::default() }
    }

    /// A level sets out. Tells whether it took the place of another one, because too many were on their way.
    pub(crate) fn push(&mut self, returning: Returning) -> bool {
        if returning.value == self.last {
            return false;
        }
        self.last = returning.value.clone();
        let full = self.queue.len() >= MAX_RETURNING;
        if full {
            self.queue.pop_back();
        }
        self.queue.push_back(returning);
        full
    }

    pub(crate) fn first(&self) -> Option<&Returning> {
        self.queue.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Returning> {
        self.queue.pop_front()
    }
}
