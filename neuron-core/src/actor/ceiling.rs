//! The ceiling of a host: up to which tag its neurons may speak without a save of each.
//!
//! Why: docs/decisions/0045-one-ceiling-for-a-host.md

use std::{cell::Cell, sync::Arc, time::Duration};

use super::store_thread::{StoreThread, guarded};
use crate::{
    store::StoreError,
    tag::{Tag, Time},
};

/// How far ahead of the tags that neurons use the ceiling is noted: it is noted once a second.
const NOTE_STEP: Duration = Duration::from_secs(1);

/// How far ahead it is saved, at most. After a crash of the machine neurons leave out as many tags.
const MAX_SPAN: Duration = Duration::from_secs(90);

/// How far ahead it is saved at the start of the host. A process that crashes again and again, on a
/// machine where nothing can be noted, must not run ahead of the clock.
const MIN_SPAN: Duration = Duration::from_secs(2);

/// The part of a span that is left when the next one is saved: that long the disk may take.
const RESERVE: u32 = 8;

/// What is to be done before a neuron may speak.
#[derive(Debug, Default, PartialEq)]
struct Steps {
    /// The ceiling to note first.
    note: Option<Tag>,
    /// The ceiling to save in the background.
    save: Option<Tag>,
}

/// Which ceilings to note and to save, and when.
#[derive(Clone, Copy, Debug)]
struct Plan {
    began: Time,
    noted: Tag,
    /// The ceiling that was saved last, or will be.
    requested: Tag,
}

impl Plan {
    /// Returns the plan of a host that starts now, whose neurons have spoken up to `found`, and the
    /// first ceiling to save.
    fn new(found: Tag, now: Time) -> (Self, Tag) {
        let requested = Tag::at(now).max(found).after(MIN_SPAN);
        (Self { began: now, noted: Tag::ORIGIN, requested }, requested)
    }

    /// Returns what is to be done before a neuron speaks about `bound` and all tags before.
    fn cover(&mut self, bound: Tag, now: Time) -> Steps {
        if bound <= self.noted {
            return Steps::default();
        }
        self.noted = bound.after(NOTE_STEP);
        let span = (now.since(self.began) / 2).clamp(MIN_SPAN, MAX_SPAN);
        let is_scarce = self.noted.after(span / RESERVE) >= self.requested;
        if is_scarce {
            self.requested = bound.max(Tag::at(now)).after(span);
        }
        Steps { note: Some(self.noted), save: is_scarce.then_some(self.requested) }
    }
}

/// The ceiling of a host. It is used by the host's thread, and saved by that of the store.
#[derive(Debug)]
pub(in crate::actor) struct HostCeiling {
    thread: Arc<StoreThread>,
    plan: Cell<Plan>,
}

impl HostCeiling {
    /// Saves the first ceiling. Neurons may have spoken about tags up to `found` before.
    ///
    /// # Errors
    /// If the ceiling cannot be saved.
    pub(in crate::actor) fn start(thread: Arc<StoreThread>, found: Tag, now: Time) -> Result<Self, StoreError> {
        let (plan, first) = Plan::new(found, now);
        thread.save_ceiling_now(first)?;
        Ok(Self { thread, plan: Cell::new(plan) })
    }

    /// Returns the ceiling saved last.
    #[inline]
    pub(in crate::actor) fn saved(&self) -> Tag {
        self.thread.ceiling()
    }

    /// Prepares for a neuron to speak about `bound` and all tags before. Takes no longer than
    /// writing to memory.
    ///
    /// # Errors
    /// If the ceiling cannot be noted: the neuron must not speak.
    #[inline]
    pub(in crate::actor) fn cover(&self, bound: Tag, now: Time) -> Result<(), StoreError> {
        if bound <= self.plan.get().noted { Ok(()) } else { self.raise(bound, now) }
    }

    #[cold]
    fn raise(&self, bound: Tag, now: Time) -> Result<(), StoreError> {
        let mut plan = self.plan.get();
        let Steps { note, save } = plan.cover(bound, now);
        if let Some(ceiling) = save {
            self.thread.save_ceiling(ceiling);
        }
        if let Some(ceiling) = note {
            guarded(|| self.thread.store().note_ceiling(ceiling))?;
        }
        self.plan.set(plan);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: u64) -> Time {
        Time::from_micros(second * 1_000_000)
    }

    #[test]
    fn a_ceiling_is_noted_once_a_second_and_saved_every_78_seconds() {
        let (mut plan, mut saved) = Plan::new(Tag::ORIGIN, second(1_000));
        let (mut notes, mut saves) = (0, 0);
        for millis in 0..3_600_000_u64 / 10 {
            let now = Time::from_micros(1_000_000_000 + millis * 10_000);
            let Steps { note, save } = plan.cover(Tag::at(now), now);
            assert!(Tag::at(now) < saved, "what is saved in time is enough");
            notes += u32::from(note.is_some());
            saves += u32::from(save.is_some());
            saved = saved.max(save.unwrap_or_default());
            assert!(plan.noted >= Tag::at(now) && saved <= Tag::at(now.after(MAX_SPAN)));
        }
        assert!((3_500..3_610).contains(&notes), "{notes} notes in an hour");
        assert!((46..70).contains(&saves), "{saves} saves in an hour");
    }

    #[test]
    fn at_rest_nothing_is_noted_or_saved() {
        let (mut plan, _) = Plan::new(Tag::ORIGIN, second(1_000));
        let bound = Tag::at(second(1_001));
        assert!(plan.cover(bound, second(1_001)).note.is_some());
        for now in 1_002..5_000 {
            assert_eq!(plan.cover(bound, second(now)), Steps::default());
        }
    }

    #[test]
    fn a_process_that_crashes_again_and_again_stays_near_the_clock() {
        let mut now = second(1_000);
        let mut found = Tag::ORIGIN;
        for _ in 0..1_000 {
            let (mut plan, first) = Plan::new(found, now);
            found = first;
            for _ in 0..30 {
                now = now.after(Duration::from_millis(500));
                found = found.max(plan.cover(Tag::at(now), now).save.unwrap_or_default());
            }
        }
        // Half of the 15 seconds that each process lives.
        assert!(found <= Tag::at(now.after(Duration::from_millis(7_500))), "{found} at {now:?}");
    }
}
