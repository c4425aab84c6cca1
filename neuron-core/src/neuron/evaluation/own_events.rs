//! Own events: giving tags to what happens at this neuron.
//!
//! Why: docs/decisions/0003-linger-and-pulse-ends-are-events.md,
//! docs/decisions/0040-what-is-due-at-one-tag-shares-it.md

use std::time::Duration;

use super::{Evaluation, Expiry, TaggedEvents};
use crate::{
    neuron::{
        Ctx, Mode,
        deadlines::due_after,
        inputs::{Inputs, PendingReentry, ReentrySources},
    },
    record::{Event, TimedState, end_of},
    tag::{Tag, Time},
};

impl Evaluation {
    /// Returns the tag for an own event that happens now, at least `at_least`; `None` when tags
    /// have run out.
    ///
    /// It comes after all own events that may be evaluated by now, so commands take effect in the
    /// order in which they came. It comes before readings that wait for the end of their window:
    /// they stay open for the other readings of the window.
    pub(crate) fn next_stamp(&self, at_least: Tag, now: Time) -> Option<Tag> {
        let after = self.events.last_released_event(now).map_or(Tag::ORIGIN, Tag::next);
        self.progress.first_open(at_least.max(after))
    }

    /// Queues an own event.
    pub(crate) fn own_event(&mut self, tag: Tag, event: Event, release: Time, cx: &mut Ctx<'_>) {
        cx.record_event(tag, &event);
        if event.config_change().is_some() {
            cx.save();
        }
        self.note_stamped(tag, cx);
        self.events.push(tag, event, release);
    }

    fn note_stamped(&mut self, tag: Tag, cx: &mut Ctx<'_>) {
        if self.progress.on_stamped(tag) {
            cx.save();
        }
    }

    /// Returns the own events that wait for their tag, in order.
    pub(crate) fn waiting_events(&self) -> impl Iterator<Item = (Tag, &Event)> {
        self.events.events()
    }

    /// Takes all own events that wait for their tag, in order.
    pub(crate) fn take_waiting_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events).events().map(|(_, event)| event.clone()).collect()
    }

    /// Returns the first tag from `from` on that is not taken; `None` if tags have run out.
    pub(crate) fn first_free(&self, from: Tag, is_taken: impl Fn(&TaggedEvents) -> bool) -> Option<Tag> {
        self.first_free_row(from, 1, is_taken)
    }

    /// Returns the first tag from `from` on with which a row of `length` tags begins that are not
    /// taken; `None` if tags have run out.
    pub(crate) fn first_free_row(
        &self,
        from: Tag,
        length: usize,
        is_taken: impl Fn(&TaggedEvents) -> bool,
    ) -> Option<Tag> {
        self.events.first_free_row(from, length, is_taken)
    }

    /// Returns whether so many further own events may wait for their tag.
    pub(crate) fn has_room_for(&self, events: usize) -> bool {
        self.events.has_room_for(events)
    }

    /// Returns whether a further own event may wait until after a time.
    pub(crate) fn has_room_beyond(&self, time: Time) -> bool {
        self.events.has_room_beyond(time)
    }

    /// Keeps other prepared waves from a tag.
    pub(crate) fn mark_prepared(&mut self, tag: Tag, now: Time) {
        self.events.mark_prepared(tag, now);
    }

    /// Schedules the end of something that began with a tag and ends by itself after `span`.
    pub(crate) fn schedule_expiry(&mut self, what: TimedState, began: Tag, span: Duration, now: Time) {
        self.cancel_expiry(&what, began);
        let at = end_of(began, span);
        if at < Tag::MAX {
            self.expiries.push(Expiry { what, began, at, due: due_after(began, span, now) });
        }
    }

    /// Cancels the ends of something that lasts beyond `began`, where it begins anew or is ended.
    pub(crate) fn cancel_expiry(&mut self, what: &TimedState, began: Tag) {
        self.expiries.retain(|expiry| expiry.what != *what || expiry.began > began || expiry.at <= began);
    }

    /// Stamps what expires and what re-enters by now, in the order of the tags it should have.
    #[inline]
    pub(crate) fn stamp_due(&mut self, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        if self.expiries.is_empty() {
            match inputs.reentries() {
                ReentrySources::None => return,
                // The levels of one input are in order.
                ReentrySources::One(index) => return self.reenter_due(index as usize, inputs, cx),
                ReentrySources::Any => {}
            }
        }
        self.stamp_all_due(inputs, cx);
    }

    #[inline(never)]
    fn stamp_all_due(&mut self, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        loop {
            let expiries = self.expiries.iter().enumerate().filter(|(_, expiry)| expiry.due <= cx.now);
            let expiry = expiries.map(|(index, expiry)| (expiry.at, index)).min();
            let due = |(first, index): (&PendingReentry, usize)| (first.due <= cx.now).then_some((first.at, index));
            // While too many events wait for their tag, levels stay where they are, and the newest
            // displaces another.
            let reentry = inputs.pending_reentries().filter_map(due).min().filter(|_| !self.events.is_full());
            match (expiry, reentry) {
                (None, None) => break,
                (Some((at, index)), reentry) if reentry.is_none_or(|(other, _)| at <= other) => {
                    self.stamp_expiry(index, cx);
                }
                (_, Some((_, index))) => self.reenter(index, inputs, cx),
                (Some(_), None) => unreachable!("an expiry comes first when nothing re-enters"),
            }
        }
    }

    /// Stamps what re-enters by now from the only input from which anything re-enters.
    #[inline(never)]
    fn reenter_due(&mut self, index: usize, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        loop {
            match inputs.next_reentry_from(index) {
                None => return inputs.clear_reentries(),
                Some(first) if first.due > cx.now || self.events.is_full() => return,
                Some(_) => self.reenter(index, inputs, cx),
            }
        }
    }

    fn reenter(&mut self, index: usize, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        let Some((source, pending)) = inputs.take_reentry(index) else { return };
        let tag = match cx.params().mode {
            Mode::Asap => self.next_stamp(pending.at, cx.now),
            Mode::Coherent => {
                let is_of_source = |event: &Event| matches!(event, Event::Reentry { source: of, .. } if of == source);
                let after = self.events.last_with(is_of_source).map_or(Tag::ORIGIN, Tag::next);
                self.progress.first_open(pending.at.max(after))
            }
        };
        if let Some(tag) = tag {
            let event = Event::Reentry { source: source.clone(), value: pending.value };
            self.own_event(tag, event, Time::ZERO, cx);
        }
    }

    /// Takes the next level that re-enters from an input, if it is due, without queueing it, and
    /// returns its tag. Nothing else may be queued.
    #[inline]
    pub(super) fn reenter_at_once(&mut self, index: usize, inputs: &mut Inputs, cx: &mut Ctx<'_>) -> Option<Tag> {
        let first = inputs.next_reentry_from(index).filter(|first| first.due <= cx.now)?;
        let tag = self.progress.first_open(first.at)?;
        let (source, pending) = inputs.take_reentry(index)?;
        if cx.common.keeps_record {
            cx.record_event(tag, &Event::Reentry { source: source.clone(), value: pending.value.clone() });
        }
        if !inputs.is_reentering_from(index) {
            inputs.clear_reentries();
        }
        self.note_stamped(tag, cx);
        self.apply_reentry(index, &pending.value, tag, inputs, cx);
        Some(tag)
    }

    /// Stamps an end with its own tag. That is open: before a tag at or beyond it is evaluated or
    /// promised, it is stamped or extended.
    fn stamp_expiry(&mut self, index: usize, cx: &mut Ctx<'_>) {
        let Expiry { what, began, at, .. } = self.expiries.swap_remove(index);
        debug_assert!(self.progress.is_open(at) || at == Tag::MAX, "{}: {what:?} ends too late", cx.common.id);
        if at < Tag::MAX {
            self.own_event(at, Event::Expired { what, began }, cx.now, cx);
        }
    }

    /// Stamps what ends at or before `tag` and has less than a patience left, because `tag` is
    /// evaluated or asked for now. Returns whether there was any.
    ///
    /// So what began with one tag at several neurons ends with one tag, even if their clocks differ
    /// a little.
    #[inline]
    pub(crate) fn expire_through(&mut self, tag: Tag, cx: &mut Ctx<'_>) -> bool {
        !self.expiries.is_empty() && self.stamp_expiries_through(tag, cx)
    }

    #[inline(never)]
    fn stamp_expiries_through(&mut self, tag: Tag, cx: &mut Ctx<'_>) -> bool {
        let soon = cx.now.after(cx.params().patience);
        let mut found = false;
        while let Some(index) = self.expiries.iter().position(|expiry| expiry.at <= tag && expiry.due < soon) {
            self.stamp_expiry(index, cx);
            found = true;
        }
        found
    }

    /// Moves ends at or before `tag`, which is evaluated or promised now, to tags beyond it: by as
    /// much as they have left by the local clock. Counts and records each.
    ///
    /// The tag comes from a clock that is ahead by a patience or more. If it ended what holds here,
    /// a wrong time zone at one device would keep all others from holding anything.
    #[inline]
    pub(super) fn extend_expiries(&mut self, tag: Tag, cx: &mut Ctx<'_>) {
        if !self.expiries.is_empty() {
            self.extend_all(tag, cx);
        }
    }

    #[inline(never)]
    fn extend_all(&mut self, tag: Tag, cx: &mut Ctx<'_>) {
        for expiry in self.expiries.iter_mut().filter(|expiry| expiry.at <= tag) {
            let until = end_of(tag, expiry.due.since(cx.now));
            expiry.at = until;
            cx.rare_counters().extended += 1;
            cx.record_event(tag, &Event::Extended { what: expiry.what.clone(), began: expiry.began, until });
        }
    }
}
