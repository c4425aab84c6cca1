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
    /// When the system's timer fires; `None` if it is not set.
    armed: Option<Time>,
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

    /// Returns whether the system's timer has to be set, to fire at this deadline: it fires later,
    /// or is not set.
    pub(super) fn arm(&mut self, deadline: Time) -> bool {
        let is_late = self.armed.is_none_or(|armed| deadline < armed);
        if is_late {
            self.armed = Some(deadline);
        }
        is_late
    }

    /// Notes that the system's timer has fired, or that the clock was set: it has to be set anew.
    pub(super) fn disarm(&mut self) {
        self.armed = None;
    }

    /// Returns the earliest deadline; `None` if no timer is set.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }
}
