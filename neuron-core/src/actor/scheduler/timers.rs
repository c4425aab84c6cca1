//! When each neuron of a host wants to be woken.

use std::collections::BTreeSet;

use crate::tag::Time;

/// The timers of a host, ordered by deadline: at most one for each slot.
///
/// A cell remembers its own deadline and passes it in, so that finding its timer needs no second
/// index.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Time, u32)>,
}

impl Timers {
    /// Sets the timer of a slot, in place of the one whose deadline is `before`, if there is one.
    pub(super) fn set(&mut self, slot: u32, before: Option<Time>, deadline: Time) {
        self.clear(slot, before);
        self.queue.insert((deadline, slot));
    }

    /// Removes the timer of a slot; `None` means that it has none.
    pub(super) fn clear(&mut self, slot: u32, deadline: Option<Time>) {
        if let Some(deadline) = deadline {
            self.queue.remove(&(deadline, slot));
        }
    }

    /// Removes the earliest timer that is due at `now` and returns its slot; `None` if none is due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<u32> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.queue.pop_first().map(|(_, slot)| slot)
    }

    /// Returns the earliest deadline; `None` if no timer is set.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }
}
