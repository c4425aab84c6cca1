//! The pass over the record that computes all levels.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::cell::Cell;
use crate::{
    id::NeuronId,
    neuron::Config,
    record::{Event, TimedState},
    tag::Tag,
};

/// Where what ends by itself ends.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    ByRule,
    Recorded,
}

/// The levels of all neurons of a network, for every tag.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Oracle {
    /// The changes of each neuron's level, in the order of their tags. Before the first one the
    /// level is 0.
    changes: BTreeMap<NeuronId, Vec<(Tag, f64)>>,
    /// From which tags on the level of each neuron depends on an unknown sensor of its own, or does
    /// not any more, in order. Before the first one it does not.
    unknown: BTreeMap<NeuronId, Vec<(Tag, bool)>>,
}

impl Oracle {
    /// Computes the levels from the first configurations of the neurons and the events they
    /// stamped.
    ///
    /// Everything that ends by itself ends here by the rules: at the tag at which it began plus its
    /// span, or at the tag to which the record says it was extended. [`Event::Expired`] is ignored,
    /// so a neuron that ends something at another tag contradicts the oracle.
    pub fn run<'a>(
        setup: &BTreeMap<NeuronId, Config>,
        record: impl IntoIterator<Item = (&'a NeuronId, Tag, &'a Event)>,
    ) -> Self {
        Self::play(setup, record, Ends::ByRule)
    }

    /// Computes the levels as [`run`](Self::run) does, except that what ends by itself ends where
    /// the record says so, and not at all if it does not say so.
    ///
    /// So at [`Tag::MAX`] the levels are those of now: nothing that is still to come has ended.
    pub fn run_recorded<'a>(
        setup: &BTreeMap<NeuronId, Config>,
        record: impl IntoIterator<Item = (&'a NeuronId, Tag, &'a Event)>,
    ) -> Self {
        Self::play(setup, record, Ends::Recorded)
    }

    fn play<'a>(
        setup: &BTreeMap<NeuronId, Config>,
        record: impl IntoIterator<Item = (&'a NeuronId, Tag, &'a Event)>,
        ends: Ends,
    ) -> Self {
        let mut by_tag: BTreeMap<Tag, Vec<(&NeuronId, Cow<'_, Event>)>> = BTreeMap::new();
        // The extended ends, by the neuron and the tag at which the state began.
        let mut extended: BTreeMap<(&NeuronId, Tag), Vec<(&TimedState, Tag)>> = BTreeMap::new();
        for (neuron, tag, event) in record {
            match event {
                Event::Expired { .. } if ends == Ends::ByRule => {}
                Event::Extended { what, began, until } => {
                    extended.entry((neuron, *began)).or_default().push((what, *until));
                }
                _ => by_tag.entry(tag).or_default().push((neuron, Cow::Borrowed(event))),
            }
        }
        let mut cells: BTreeMap<&NeuronId, Cell> =
            setup.iter().map(|(id, config)| (id, Cell::new(config.clone()))).collect();
        let mut oracle = Self::default();
        while let Some((tag, mut events)) = by_tag.pop_first() {
            events.sort_by(|(_, one), (_, other)| one.cmp_within_tag(other));
            for cell in cells.values_mut() {
                cell.begin();
            }
            for (neuron, event) in events {
                if let Some(cell) = cells.get_mut(neuron) {
                    cell.apply(&event, tag);
                }
            }
            for id in setup.keys() {
                evaluate(&mut cells, id, tag);
            }
            for (id, cell) in &mut cells {
                let unknown = oracle.unknown.entry((*id).clone()).or_default();
                if unknown.last().is_some_and(|(_, is_unknown)| *is_unknown) != cell.depends_on_unknown() {
                    unknown.push((tag, cell.depends_on_unknown()));
                }
                if cell.has_changed() {
                    oracle.changes.entry((*id).clone()).or_default().push((tag, cell.level));
                }
                for (end, what) in cell.take_ends() {
                    let moved = extended.get(&(*id, tag)).into_iter().flatten().filter(|(of, _)| **of == what);
                    let end = moved.map(|(_, until)| *until).fold(end, Tag::max);
                    if ends == Ends::ByRule && end < Tag::MAX {
                        let event = Event::Expired { what, began: tag };
                        by_tag.entry(end).or_default().push((id, Cow::Owned(event)));
                    }
                }
            }
        }
        oracle
    }

    /// Returns the level of a neuron at a tag, with unknown sensors as 0; 0 for a neuron that does
    /// not exist.
    pub fn level_at(&self, neuron: &NeuronId, tag: Tag) -> f64 {
        let changes = self.changes(neuron);
        let next = changes.partition_point(|(at, _)| *at <= tag);
        next.checked_sub(1).map_or(0.0, |index| changes[index].1)
    }

    /// Returns the level of a neuron at a tag; `None` if it depends on an unknown sensor of its
    /// own.
    pub fn known_level_at(&self, neuron: &NeuronId, tag: Tag) -> Option<f64> {
        self.first_unknown(neuron, tag, tag).is_none().then(|| self.level_at(neuron, tag))
    }

    /// Returns the first tag from `first` to `last` at which the level of a neuron depends on an
    /// unknown sensor of its own; `None` if there is none.
    pub(super) fn first_unknown(&self, neuron: &NeuronId, first: Tag, last: Tag) -> Option<Tag> {
        let changes = self.unknown.get(neuron).map_or(&[][..], Vec::as_slice);
        let next = changes.partition_point(|(at, _)| *at <= first);
        if next.checked_sub(1).is_some_and(|index| changes[index].1) {
            return Some(first);
        }
        let mut later = changes[next..].iter().take_while(|(at, _)| *at <= last);
        later.find(|(_, is_unknown)| *is_unknown).map(|(at, _)| *at)
    }

    /// Returns the changes of a neuron's level, in the order of their tags; empty for a neuron that
    /// does not exist.
    pub fn changes(&self, neuron: &NeuronId) -> &[(Tag, f64)] {
        self.changes.get(neuron).map_or(&[], Vec::as_slice)
    }
}

/// Evaluates a neuron at a tag, after the inputs that count at that tag.
fn evaluate(cells: &mut BTreeMap<&NeuronId, Cell>, id: &NeuronId, tag: Tag) {
    let Some(cell) = cells.get(id).filter(|cell| !cell.is_evaluated()) else { return };
    let awaited: Vec<NeuronId> = cell.awaited().cloned().collect();
    let mut levels = cell.reentered.clone();
    levels.retain(|source, _| cell.config.inputs.contains_key(source));
    let mut rises = BTreeSet::new();
    for source in awaited {
        evaluate(cells, &source, tag);
        let level = cells.get(&source).map_or(0.0, |cell| cell.level);
        let cell = &cells[id];
        let before = cell.last_levels.get(&source).copied().unwrap_or(0.0);
        if level != before && level != 0.0 && !cell.has_connected(&source) {
            rises.insert(source.clone());
        }
        levels.insert(source, level);
    }
    if let Some(cell) = cells.get_mut(id) {
        cell.evaluate(tag, &levels, &rises);
    }
}
