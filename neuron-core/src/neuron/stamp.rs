//! Giving tags to what happens at this neuron.

use std::time::Duration;

use super::{
    Neuron, Output,
    cares::Returns,
    insert_tightly,
    lasting::{Ending, Returning, due},
};
use crate::{
    record::{Event, Lasting, Record},
    tag::{Tag, Time},
};

impl Neuron {
    pub(super) fn record(&mut self, tag: Tag, event: &Event) {
        if self.keeps_record {
            self.outputs.get_or_insert_default().push(Output::Record(Record::Stamped { tag, event: event.clone() }));
        }
    }

    /// Puts an event of its own on the agenda.
    pub(super) fn own_event(&mut self, tag: Tag, event: Event, release: Time) {
        self.record(tag, &event);
        self.spoken.bound = self.spoken.bound.max(tag);
        if event.config_change().is_some() {
            self.outputs.get_or_insert_default().push(Output::Save);
        }
        self.respect_ceiling();
        let events = &mut self.agenda.slot(tag, release).events;
        insert_tightly(events, events.len(), event);
    }

    /// The tag for an event of its own that happens now; none when tags have run out.
    pub(super) fn stamp(&self, at_least: Tag) -> Option<Tag> {
        let tag = at_least.max(self.spoken.bound.next());
        (tag < Tag::MAX).then_some(tag)
    }

    /// Something began with tag `of` and ends by itself after `span`.
    pub(super) fn ends(&mut self, what: Lasting, of: Tag, span: Duration, now: Time) {
        self.endings.retain(|ending| ending.what != what || ending.of > of);
        self.endings.push(Ending { what, of, at: of.after(span), due: due(of, span, now) });
    }

    /// Stamps what ends, and what re-enters, by now; in the order of the tags it should have.
    #[inline]
    pub(super) fn stamp_what_is_due(&mut self, now: Time) {
        if self.endings.is_empty() {
            match self.cares.returns {
                Returns::Nowhere => return,
                // They are in order.
                Returns::From(index) => return self.reenter_what_is_due(index as usize, now),
                Returns::Anywhere => {}
            }
        }
        self.stamp_all_that_is_due(now);
    }

    #[inline(never)]
    fn stamp_all_that_is_due(&mut self, now: Time) {
        loop {
            let ending = self.endings.iter().enumerate().filter(|(_, ending)| ending.due <= now);
            let ending = ending.map(|(index, ending)| (ending.at, index)).min();
            let due = |(first, index): (&Returning, usize)| (first.due <= now).then_some((first.at, index));
            let reentry = self.returning().filter_map(due);
            // As long as too much waits for its tag they stay where they are, and the newest takes the place of another.
            let reentry = reentry.min().filter(|_| !self.agenda.is_full());
            match (ending, reentry) {
                (None, None) => break,
                (Some((at, index)), reentry) if reentry.is_none_or(|(other, _)| at <= other) => self.end(index, now),
                (_, Some((_, index))) => self.reenter(index),
                (Some(_), None) => unreachable!("an ending comes first when nothing re-enters"),
            }
        }
    }

    /// Stamps what re-enters by now from one input, when nothing comes from any other.
    #[inline(never)]
    fn reenter_what_is_due(&mut self, index: usize, now: Time) {
        loop {
            let link = self.sources.get(index).and_then(|source| source.link.as_ref());
            match link.and_then(|link| link.returning()) {
                None => return self.cares.returns = Returns::Nowhere,
                Some(first) if first.due > now || self.agenda.is_full() => return,
                Some(_) => self.reenter(index),
            }
        }
    }

    /// The first level of each input that is on its way over an edge that nobody waits for, and the number of the input.
    pub(super) fn returning(&self) -> impl Iterator<Item = (&Returning, usize)> {
        let places = match self.cares.returns {
            Returns::Nowhere => 0..0,
            Returns::From(index) => index as usize..index as usize + 1,
            Returns::Anywhere => 0..self.sources.len(),
        };
        let sources = places.filter_map(|index| Some((self.sources.get(index)?, index)));
        sources.filter_map(|(source, index)| Some((source.link.as_ref()?.returning()?, index)))
    }

    fn end(&mut self, index: usize, now: Time) {
        let ending = self.endings.swap_remove(index);
        if let Some(tag) = self.stamp(ending.at) {
            self.own_event(tag, Event::End { what: ending.what, of: ending.of }, now);
        }
    }

    fn reenter(&mut self, index: usize) {
        let source = &mut self.sources[index];
        let id = source.id.clone();
        let returning = source.link.as_mut().and_then(|link| link.reentry.as_mut()?.pop());
        let Some(returning) = returning else { return };
        if let Some(tag) = self.stamp(returning.at) {
            self.own_event(tag, Event::Reentry { source: id, value: returning.value }, Time::ZERO);
        }
    }

    /// Takes in the next level that re-enters from an input, if it is due, where its tag comes before everything else: it does not
    /// have to wait on the agenda. Tells its tag.
    #[inline]
    pub(super) fn reenter_at_once(&mut self, index: usize, now: Time) -> Option<Tag> {
        let first = self.sources.get(index)?.link.as_ref()?.returning().filter(|first| first.due <= now)?;
        let tag = self.stamp(first.at)?;
        let source = &mut self.sources[index];
        let reentry = source.link.as_mut()?.reentry.as_mut()?;
        let value = reentry.pop()?.value;
        if reentry.first().is_none() {
            self.cares.returns = Returns::Nowhere;
        }
        if self.keeps_record {
            let event = Event::Reentry { source: source.id.clone(), value: value.clone() };
            self.record(tag, &event);
        }
        self.spoken.bound = tag;
        self.respect_ceiling();
        self.take_reentry_in(index, &value, tag);
        Some(tag)
    }

    /// Ends early, at their own tag, what ends at or before `tag` and has little time left, so that what began with one
    /// tag at several neurons also ends with one, even if their clocks differ a little. Tells whether there was any.
    #[inline]
    pub(super) fn settle(&mut self, tag: Tag, now: Time) -> bool {
        !self.endings.is_empty() && self.end_early(tag, now)
    }

    #[inline(never)]
    fn end_early(&mut self, tag: Tag, now: Time) -> bool {
        let soon = now.after(self.settings.patience);
        let mut found = false;
        while let Some(index) = self.endings.iter().position(|ending| ending.at <= tag && ending.due < soon) {
            self.end(index, now);
            found = true;
        }
        found
    }
}
