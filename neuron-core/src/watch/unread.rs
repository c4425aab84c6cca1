//! What the reader of a watch of all neurons has not read yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::WatchEvent;
use crate::id::NeuronId;

/// How many events are kept beside the last one of each neuron.
pub(super) const MAX_UNREAD: usize = 4096;

/// Events in the order in which they came, with a limit.
///
/// The last event of each neuron is always kept. Of the others, the oldest ones are lost if there
/// are too many, and counted in the next change of their neuron.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    events: BTreeMap<u64, WatchEvent>,
    /// The numbers of the events of each neuron that has any, oldest first.
    of: HashMap<NeuronId, VecDeque<u64>>,
    /// The events that are not the last one of their neuron.
    superseded: BTreeSet<u64>,
    last_number: u64,
}

impl Unread {
    /// Adds an event.
    pub(crate) fn push(&mut self, event: WatchEvent) {
        self.last_number += 1;
        let number = self.last_number;
        let numbers = self.of.entry(event.neuron().clone()).or_default();
        self.superseded.extend(numbers.back());
        numbers.push_back(number);
        self.events.insert(number, event);
        if self.superseded.len() > MAX_UNREAD {
            self.lose_oldest();
        }
    }

    /// Takes the oldest event; `None` if there is none.
    pub(crate) fn pop(&mut self) -> Option<WatchEvent> {
        let number = *self.events.first_key_value()?.0;
        self.remove(number)
    }

    /// Loses the oldest event that is followed by another one of the same neuron, and counts it in
    /// the next change of that.
    fn lose_oldest(&mut self) {
        let Some(lost) = self.superseded.first().copied().and_then(|oldest| self.remove(oldest)) else { return };
        let count = match &lost {
            WatchEvent::Changed { change, .. } => change.missed.saturating_add(1),
            WatchEvent::Removed { .. } => 1,
        };
        for number in self.of.get(lost.neuron()).into_iter().flatten() {
            if let Some(WatchEvent::Changed { change, .. }) = self.events.get_mut(number) {
                change.missed = change.missed.saturating_add(count);
                return;
            }
        }
    }

    /// Removes the oldest event of a neuron.
    fn remove(&mut self, number: u64) -> Option<WatchEvent> {
        let event = self.events.remove(&number)?;
        self.superseded.remove(&number);
        let numbers = self.of.get_mut(event.neuron())?;
        numbers.pop_front();
        if numbers.is_empty() {
            self.of.remove(event.neuron());
        }
        Some(event)
    }
}
