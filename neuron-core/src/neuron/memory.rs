//! What a neuron remembers of its own past.

use std::collections::VecDeque;

use super::rare::Rare;
use crate::{command::Firing, record::Claim, tag::Tag, value::Value};

/// How many changes of its level a neuron remembers.
pub const MAX_REMEMBERED: usize = 256;

/// The last changes of level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    last: Option<Claim>,
    /// Those before it, oldest first.
    earlier: Rare<VecDeque<Claim>>,
    /// Firings up to here are not shown any more.
    emptied: Tag,
}

impl Memory {
    pub(crate) fn push(&mut self, claim: Claim) {
        let Some(before) = self.last.replace(claim) else { return };
        let earlier = self.earlier.make();
        if earlier.len() == MAX_REMEMBERED - 1 {
            earlier.pop_front();
        }
        earlier.push_back(before);
    }

    /// The value at `tag`, which lies at or before everything that has been said; nothing if it is not known.
    pub(crate) fn value_at(&self, tag: Tag) -> Option<&Value> {
        let last = self.last.as_ref()?;
        if last.at <= tag {
            return Some(&last.value);
        }
        let earlier = self.earlier.get()?;
        let next = earlier.partition_point(|claim| claim.at <= tag);
        if earlier.get(next).unwrap_or(last).known < tag {
            return None;
        }
        next.checked_sub(1).map(|index| &earlier[index].value)
    }

    /// Since when the present value holds.
    pub(crate) fn since(&self) -> Tag {
        self.last.as_ref().map_or(Tag::ORIGIN, |claim| claim.at)
    }

    pub(crate) fn firings(&self) -> Vec<Firing> {
        let mut before = 0.0;
        let mut firings = Vec::new();
        for claim in self.earlier.get().into_iter().flatten().chain(&self.last) {
            if before == 0.0 && claim.value.level != 0.0 && claim.at > self.emptied {
                firings.push(Firing { tag: claim.at });
            }
            before = claim.value.level;
        }
        firings
    }

    pub(crate) fn empty_log(&mut self) {
        self.emptied = self.since();
    }
}
