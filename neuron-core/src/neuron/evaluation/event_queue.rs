//! The tags that wait to be evaluated: those of waves, and those of own events.

use thin_vec::ThinVec;

use crate::{
    collections::{SmallQueue, insert_tightly},
    record::Event,
    tag::{Tag, Time},
};

/// The most own events that wait for their tag: a bound on what controllers can make a neuron
/// store.
pub(super) const MAX_EVENTS: usize = 4096;

/// A tag with own events.
#[derive(Clone, Debug)]
pub(crate) struct TaggedEvents {
    tag: Tag,
    /// A wave that a controller prepared has this tag. Another one must not mix with it.
    is_prepared: bool,
    /// When it may be evaluated, unless something asks for it earlier.
    release: Time,
    /// The events in the order in which they were stamped.
    events: ThinVec<Event>,
}

impl TaggedEvents {
    /// Returns whether a prepared wave has the tag.
    pub(crate) fn is_prepared(&self) -> bool {
        self.is_prepared
    }

    /// Returns whether an event of the tag is `wanted`.
    pub(crate) fn has_event(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(wanted)
    }
}

/// A tag that is being evaluated.
#[derive(Clone, Debug)]
pub(super) struct ReadyTag {
    pub(super) tag: Tag,
    /// A wave has reached the neuron with this tag: its subscribers are told even if nothing
    /// changes.
    pub(super) wave: bool,
    /// The own events in the order in which they are applied.
    pub(super) events: ThinVec<Event>,
}

/// The tags that wait to be evaluated, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct EventQueue {
    /// The tags of waves that have reached the neuron. Most have no own events.
    waves: SmallQueue<Tag>,
    own: SmallQueue<TaggedEvents>,
    /// The number of own events.
    waiting: u32,
    /// No own tag is released later than this.
    all_released: Time,
}

impl EventQueue {
    /// Queues an own event. Its tag is released at `release` or earlier.
    pub(super) fn push(&mut self, tag: Tag, event: Event, release: Time) {
        let events = &mut self.own_at(tag, release).events;
        insert_tightly(events, events.len(), event);
        self.waiting += 1;
    }

    /// Queues a tag, to be evaluated even if no wave reaches it. It is released at `release` or
    /// earlier.
    pub(super) fn add_own(&mut self, tag: Tag, release: Time) {
        self.own_at(tag, release);
    }

    /// Queues a tag as that of a prepared wave.
    pub(super) fn mark_prepared(&mut self, tag: Tag, release: Time) {
        self.own_at(tag, release).is_prepared = true;
    }

    /// Returns the own events of a tag, which is released at `release` or earlier.
    fn own_at(&mut self, tag: Tag, release: Time) -> &mut TaggedEvents {
        let found = self.own.find(&tag, |own| own.tag);
        if let Err(index) = found {
            let own = TaggedEvents { tag, is_prepared: false, release, events: ThinVec::new() };
            self.own.insert(index, own);
            self.all_released = self.all_released.max(release);
        }
        let (Ok(index) | Err(index)) = found;
        let own = self.own.get_mut(index).expect("it was found or inserted");
        own.release = own.release.min(release);
        own
    }

    /// Adds the tag of a wave that has reached the neuron.
    #[inline]
    pub(super) fn add_wave(&mut self, tag: Tag) {
        if let Err(index) = self.waves.find(&tag, |tag| *tag) {
            self.waves.insert(index, tag);
        }
    }

    /// Removes the tag of a wave, unless it has own events.
    pub(super) fn remove_wave(&mut self, tag: Tag) {
        if self.get(tag).is_none()
            && let Ok(index) = self.waves.find(&tag, |tag| *tag)
        {
            self.waves.remove(index);
        }
    }

    /// Returns the own events of a tag; `None` if there are none.
    fn get(&self, tag: Tag) -> Option<&TaggedEvents> {
        self.own.get(self.own.find(&tag, |own| own.tag).ok()?)
    }

    /// Returns whether nothing is to be evaluated.
    pub(super) fn is_empty(&self) -> bool {
        self.waves.is_empty() && self.own.is_empty()
    }

    /// Returns the tag of a wave if nothing else is queued.
    #[inline]
    pub(super) fn sole_wave(&self) -> Option<Tag> {
        if self.own.is_empty() { self.waves.only().copied() } else { None }
    }

    /// Removes the sole wave.
    #[inline]
    pub(super) fn take_sole_wave(&mut self) {
        self.waves = SmallQueue::new();
    }

    /// Returns the first tag.
    pub(super) fn first(&self) -> Option<Tag> {
        let own = self.own.front().map(|own| own.tag);
        match (self.waves.front().copied(), own) {
            (Some(wave), Some(own)) => Some(wave.min(own)),
            (wave, own) => wave.or(own),
        }
    }

    /// Returns the last tag; `None` if there is none.
    pub(super) fn last(&self) -> Option<Tag> {
        self.waves.back().copied().max(self.own.back().map(|own| own.tag))
    }

    /// Returns the highest tag that may be evaluated at `now`; a released tag releases all before
    /// it.
    #[inline]
    pub(super) fn released(&self, now: Time) -> Option<Tag> {
        let wave = self.waves.back().copied();
        if self.own.is_empty() { wave } else { wave.max(self.released_own(now)) }
    }

    /// Returns the highest tag that may be evaluated at `now` and has an own event; `None` if there
    /// is none. A tag that is queued only because a question waits for it has no event.
    #[inline]
    pub(super) fn last_released_event(&self, now: Time) -> Option<Tag> {
        // Usual, and cheaper than an empty search.
        if self.own.is_empty() {
            return None;
        }
        let released = self.own.iter().filter(|own| own.release <= now && !own.events.is_empty());
        released.last().map(|own| own.tag)
    }

    /// Returns the highest own tag that may be evaluated at `now`; `None` if there is none.
    #[inline(never)]
    fn released_own(&self, now: Time) -> Option<Tag> {
        let own = if self.all_released <= now {
            self.own.back()
        } else {
            self.own.iter().filter(|own| own.release <= now).last()
        };
        own.map(|own| own.tag)
    }

    /// Returns the highest tag with an own event that is `wanted`; `None` if there is none.
    pub(super) fn last_with(&self, wanted: impl Fn(&Event) -> bool) -> Option<Tag> {
        self.own.iter().filter(|own| own.has_event(&wanted)).last().map(|own| own.tag)
    }

    /// Returns when the next tag is released; `None` if all are.
    pub(super) fn next_release(&self, now: Time) -> Option<Time> {
        if self.all_released <= now {
            return None;
        }
        self.own.iter().map(|own| own.release).filter(|release| *release > now).min()
    }

    /// Takes the first tag.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<ReadyTag> {
        let tag = self.first()?;
        let wave = self.waves.pop_front_if(|wave| *wave == tag).is_some();
        let Some(mut own) = self.own.pop_front_if(|own| own.tag == tag) else {
            return Some(ReadyTag { tag, wave, events: ThinVec::new() });
        };
        self.waiting -= own.events.len() as u32;
        if self.own.is_empty() {
            self.all_released = Time::ZERO;
        }
        if own.events.len() > 1 {
            own.events.sort_by(Event::cmp_within_tag);
        }
        Some(ReadyTag { tag, wave: wave || own.is_prepared, events: own.events })
    }

    /// Returns how many tags of waves and how many own events wait.
    #[cfg(feature = "sim")]
    pub(super) fn lens(&self) -> (usize, usize) {
        (self.waves.len(), self.own.iter().map(|own| own.events.len()).sum())
    }

    /// Returns whether no further event may wait.
    pub(super) fn is_full(&self) -> bool {
        !self.has_room_for(1)
    }

    /// Returns whether so many further events may wait.
    pub(super) fn has_room_for(&self, events: usize) -> bool {
        (self.waiting as usize).saturating_add(events) <= MAX_EVENTS
    }

    /// Returns the first tag from `from` on with which a row of `length` tags begins that are not
    /// taken; `None` if tags have run out.
    ///
    /// It looks for `from` once and then reads the queue in order, as far as tags are taken.
    pub(super) fn first_free_row(
        &self,
        from: Tag,
        length: usize,
        is_taken: impl Fn(&TaggedEvents) -> bool,
    ) -> Option<Tag> {
        let length = length as u64;
        let (Ok(index) | Err(index)) = self.own.find(&from, |own| own.tag);
        let mut first = from;
        for own in self.own.iter_from(index) {
            if own.tag.to_bits() - first.to_bits() >= length {
                break;
            }
            if is_taken(own) {
                first = own.tag.next();
            }
        }
        (Tag::MAX.to_bits() - first.to_bits() >= length).then_some(first)
    }

    /// Returns whether a further event may wait until after a time. Half of the room is kept for
    /// those that are due before.
    pub(super) fn has_room_beyond(&self, time: Time) -> bool {
        let beyond = self.own.iter().filter(|own| own.release > time);
        beyond.map(|own| own.events.len()).sum::<usize>() < MAX_EVENTS / 2
    }

    /// Returns all own events in the order of their tags.
    pub(super) fn events(&self) -> impl Iterator<Item = (Tag, &Event)> {
        self.own.iter().flat_map(|own| own.events.iter().map(|event| (own.tag, event)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first tag of all tests.
    const BASE: u64 = 1 << 40;

    fn event(is_taking: bool) -> Event {
        if is_taking { Event::Stimulus { level: 1.0, hold: std::time::Duration::ZERO } } else { Event::Recheck }
    }

    fn is_taken(own: &TaggedEvents) -> bool {
        own.is_prepared() || own.has_event(|event| matches!(event, Event::Stimulus { .. }))
    }

    /// Looks for each tag of a row, and begins anew after each that is taken.
    fn walk(queue: &EventQueue, from: Tag, length: usize) -> Option<Tag> {
        let row = |first: Tag| std::iter::successors(Some(first), |tag| Some(tag.next())).take(length);
        let mut first = from;
        while let Some(taken) = row(first).find(|tag| queue.get(*tag).is_some_and(is_taken)) {
            first = taken.next();
        }
        (row(first).last()? < Tag::MAX).then_some(first)
    }

    fn count(queue: &EventQueue) -> usize {
        queue.own.iter().map(|own| own.events.len()).sum()
    }

    proptest! {
        #[test]
        fn the_first_free_row_is_that_of_a_plain_walk(
            own in prop::collection::vec((0..80_u64, 0..4), 0..80),
            from in 0..90_u64,
            length in 1..12_usize,
            at_the_end in any::<bool>(),
        ) {
            let base = if at_the_end { Tag::MAX.to_bits() - 80 } else { BASE };
            let tag = |offset: u64| Tag::from_bits(base + offset.min(Tag::MAX.to_bits() - base));
            let mut queue = EventQueue::default();
            for (offset, kind) in own {
                match kind {
                    0 => queue.add_own(tag(offset), Time::ZERO),
                    1 => queue.mark_prepared(tag(offset), Time::ZERO),
                    kind => queue.push(tag(offset), event(kind == 2), Time::ZERO),
                }
            }
            let from = tag(from);
            prop_assert_eq!(queue.first_free_row(from, length, is_taken), walk(&queue, from, length));
        }

        #[test]
        fn it_counts_the_events_that_wait(steps in prop::collection::vec((0..20_u64, 0..5), 0..200)) {
            let mut queue = EventQueue::default();
            for (offset, kind) in steps {
                let tag = Tag::from_bits(BASE + offset);
                match kind {
                    0 => drop(queue.pop()),
                    1 => queue.add_wave(tag),
                    2 => queue.add_own(tag, Time::ZERO),
                    kind => queue.push(tag, event(kind == 3), Time::ZERO),
                }
                let room = MAX_EVENTS - count(&queue);
                prop_assert!(queue.has_room_for(room));
                prop_assert!(!queue.has_room_for(room + 1));
            }
        }
    }
}
