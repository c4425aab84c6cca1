//! The tags that wait to be evaluated, each with the neuron's own events at it.

use thin_vec::ThinVec;

use super::few::Few;
use crate::{
    record::Event,
    tag::{Tag, Time},
};

/// The most events of its own that a neuron lets wait for their tag.
const MAX_EVENTS: usize = 4096;

/// A tag to be evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) tag: Tag,
    /// A wave reached the neuron with this tag, so its subscribers are told even if nothing changed.
    pub(crate) wave: bool,
    /// A wave that a controller prepared has this tag; another must not mix with it.
    pub(crate) prepared: bool,
    /// When it may be evaluated, unless something asks for it earlier.
    pub(crate) release: Time,
    /// The neuron's own events, in the order they were stamped. At most tags there are none.
    pub(crate) events: ThinVec<Event>,
}

/// Slots, ordered by tag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    slots: Few<Slot>,
    /// No slot is released later than this.
    all_released: Time,
}

impl Agenda {
    /// The slot of a tag, made if there is none yet.
    pub(crate) fn slot(&mut self, tag: Tag, release: Time) -> &mut Slot {
        let place = self.slots.find(&tag, |slot| slot.tag);
        if let Err(index) = place {
            self.slots.insert(index, Slot { tag, wave: false, prepared: false, release, events: ThinVec::new() });
            self.all_released = self.all_released.max(release);
        }
        let (Ok(index) | Err(index)) = place;
        let slot = self.slots.get_mut(index).expect("it was found, or put there");
        slot.release = slot.release.min(release);
        slot
    }

    /// A wave reached the neuron with this tag.
    pub(crate) fn wave(&mut self, tag: Tag) {
        self.slot(tag, Time::ZERO).wave = true;
    }

    /// Nothing is to be evaluated at this tag after all, unless the neuron has events of its own there.
    pub(crate) fn forget(&mut self, tag: Tag) {
        if let Ok(index) = self.slots.find(&tag, |slot| slot.tag)
            && self.slots.get(index).is_some_and(|slot| slot.events.is_empty() && !slot.prepared)
        {
            self.slots.remove(index);
        }
    }

    pub(crate) fn get(&self, tag: Tag) -> Option<&Slot> {
        self.slots.get(self.slots.find(&tag, |slot| slot.tag).ok()?)
    }

    pub(crate) fn first(&self) -> Option<&Slot> {
        self.slots.front()
    }

    /// The highest tag that may be evaluated at `now`: a released slot releases all before it.
    pub(crate) fn released(&self, now: Time) -> Option<Tag> {
        if self.all_released <= now {
            return self.slots.back().map(|slot| slot.tag);
        }
        self.slots.iter().filter(|slot| slot.release <= now).map(|slot| slot.tag).last()
    }

    /// When the next slot is released that is not released yet.
    pub(crate) fn next_release(&self, now: Time) -> Option<Time> {
        if self.all_released <= now {
            return None;
        }
        self.slots.iter().map(|slot| slot.release).filter(|release| *release > now).min()
    }

    pub(crate) fn pop(&mut self) -> Option<Slot> {
        let slot = self.slots.pop_front_if(|_| true);
        if self.slots.is_empty() {
            self.all_released = Time::ZERO;
        }
        slot
    }

    /// Whether as many events wait as may.
    pub(crate) fn is_full(&self) -> bool {
        self.events().nth(MAX_EVENTS - 1).is_some()
    }

    /// All events that wait, in the order of their tags.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Tag, &Event)> {
        self.slots.iter().flat_map(|slot| slot.events.iter().map(|event| (slot.tag, event)))
    }
}
