//! The tags that wait to be evaluated: those of waves that come from others, and those of the neuron's own events.

use thin_vec::ThinVec;

use super::few::Few;
use crate::{
    record::Event,
    tag::{Tag, Time},
};

/// The most events of its own that a neuron lets wait for their tag.
const MAX_EVENTS: usize = 4096;

/// A tag at which something of the neuron's own happens.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) tag: Tag,
    /// A wave that a controller prepared has this tag; another must not mix with it.
    pub(crate) prepared: bool,
    /// When it may be evaluated, unless something asks for it earlier.
    pub(crate) release: Time,
    /// The neuron's own events, in the order they were stamped.
    pub(crate) events: ThinVec<Event>,
}

/// A tag that is to be evaluated now.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) tag: Tag,
    /// A wave reached the neuron with this tag, so its subscribers are told even if nothing changed.
    pub(crate) wave: bool,
    /// The neuron's own events, in the order they were stamped.
    pub(crate) events: ThinVec<Event>,
}

/// All of them, ordered by tag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    /// The tags of waves that have reached the neuron. Most have no event of its own, and need no more than this.
    waves: Few<Tag>,
    slots: Few<Slot>,
    /// No slot is released later than this.
    all_released: Time,
}

impl Agenda {
    /// The slot of a tag, made if there is none yet.
    pub(crate) fn slot(&mut self, tag: Tag, release: Time) -> &mut Slot {
        let place = self.slots.find(&tag, |slot| slot.tag);
        if let Err(index) = place {
            self.slots.insert(index, Slot { tag, prepared: false, release, events: ThinVec::new() });
            self.all_released = self.all_released.max(release);
        }
        let (Ok(index) | Err(index)) = place;
        let slot = self.slots.get_mut(index).expect("it was found, or put there");
        slot.release = slot.release.min(release);
        slot
    }

    /// A wave reached the neuron with this tag.
    pub(crate) fn wave(&mut self, tag: Tag) {
        if let Err(index) = self.waves.find(&tag, |tag| *tag) {
            self.waves.insert(index, tag);
        }
    }

    /// Nothing is to be evaluated at this tag after all, unless the neuron has events of its own there.
    pub(crate) fn forget(&mut self, tag: Tag) {
        if self.get(tag).is_none()
            && let Ok(index) = self.waves.find(&tag, |tag| *tag)
        {
            self.waves.remove(index);
        }
    }

    /// What happens at a tag of the neuron's own.
    pub(crate) fn get(&self, tag: Tag) -> Option<&Slot> {
        self.slots.get(self.slots.find(&tag, |slot| slot.tag).ok()?)
    }

    /// Whether nothing is to be evaluated.
    pub(crate) fn is_empty(&self) -> bool {
        self.waves.is_empty() && self.slots.is_empty()
    }

    /// The tag of a wave, if there is nothing else.
    #[inline]
    pub(crate) fn only_wave(&self) -> Option<Tag> {
        if self.slots.is_empty() { self.waves.only().copied() } else { None }
    }

    /// It is being evaluated.
    #[inline]
    pub(crate) fn take_only_wave(&mut self) {
        self.waves = Few::new();
    }

    /// The tag that comes next.
    pub(crate) fn first(&self) -> Option<Tag> {
        let own = self.slots.front().map(|slot| slot.tag);
        match (self.waves.front().copied(), own) {
            (Some(wave), Some(own)) => Some(wave.min(own)),
            (wave, own) => wave.or(own),
        }
    }

    /// The highest tag that may be evaluated at `now`: a released slot releases all before it.
    pub(crate) fn released(&self, now: Time) -> Option<Tag> {
        let wave = self.waves.back().copied();
        if self.slots.is_empty() {
            return wave;
        }
        let own = if self.all_released <= now {
            self.slots.back()
        } else {
            self.slots.iter().filter(|slot| slot.release <= now).last()
        };
        wave.max(own.map(|slot| slot.tag))
    }

    /// When the next slot is released that is not released yet.
    pub(crate) fn next_release(&self, now: Time) -> Option<Time> {
        if self.all_released <= now {
            return None;
        }
        self.slots.iter().map(|slot| slot.release).filter(|release| *release > now).min()
    }

    pub(crate) fn pop(&mut self) -> Option<Due> {
        let tag = self.first()?;
        let wave = self.waves.pop_front_if(|wave| *wave == tag).is_some();
        let Some(slot) = self.slots.pop_front_if(|slot| slot.tag == tag) else {
            return Some(Due { tag, wave, events: ThinVec::new() });
        };
        if self.slots.is_empty() {
            self.all_released = Time::ZERO;
        }
        Some(Due { tag, wave: wave || slot.prepared, events: slot.events })
    }

    /// Whether as many events wait as may.
    pub(crate) fn is_full(&self) -> bool {
        !self.has_room_for(1)
    }

    /// Whether so many more events may wait.
    pub(crate) fn has_room_for(&self, events: usize) -> bool {
        MAX_EVENTS.checked_sub(events).is_some_and(|most| self.events().nth(most).is_none())
    }

    /// All events that wait, in the order of their tags.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Tag, &Event)> {
        self.slots.iter().flat_map(|slot| slot.events.iter().map(|event| (slot.tag, event)))
    }
}
