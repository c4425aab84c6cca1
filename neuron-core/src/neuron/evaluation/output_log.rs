//! The last changes of the output.

use std::collections::VecDeque;

use crate::{command::Firing, record::Claim, tag::Tag, value::Value};

/// How many changes of its level a neuron remembers.
pub const MAX_REMEMBERED: usize = 256;

/// The last changes of level.
#[derive(Clone, Debug, Default)]
pub(super) struct OutputLog {
    last: Option<Claim>,
    /// The claims before it, oldest first; `None` if there are none.
    #[expect(clippy::box_collection, reason = "a neuron that has never changed must stay small")]
    earlier: Option<Box<VecDeque<Claim>>>,
    /// Firings up to this tag are not shown any more.
    hidden_through: Tag,
}

impl OutputLog {
    /// Adds a claim, and drops the oldest one if there are too many.
    #[inline]
    pub(super) fn push(&mut self, claim: Claim) {
        let Some(before) = self.last.replace(claim) else { return };
        let earlier = self.earlier.get_or_insert_default();
        if earlier.len() == MAX_REMEMBERED - 1 {
            earlier.pop_front();
        }
        earlier.push_back(before);
    }

    /// Returns the claim added last.
    pub(super) fn last(&self) -> Option<&Claim> {
        self.last.as_ref()
    }

    /// Returns the value at `tag`, which must have been promised; `None` if it is not known.
    pub(super) fn value_at(&self, tag: Tag) -> Option<&Value> {
        let last = self.last.as_ref()?;
        if last.at <= tag {
            return Some(&last.value);
        }
        let earlier = self.earlier.as_ref()?;
        let next = earlier.partition_point(|claim| claim.at <= tag);
        if earlier.get(next).unwrap_or(last).known < tag {
            return None;
        }
        next.checked_sub(1).map(|index| &earlier[index].value)
    }

    /// Returns the firings that are not hidden, oldest first.
    pub(super) fn firings(&self) -> Vec<Firing> {
        let mut before = 0.0;
        let mut firings = Vec::new();
        for claim in self.earlier.iter().flat_map(|earlier| earlier.iter()).chain(&self.last) {
            if before == 0.0 && claim.value.level != 0.0 && claim.at > self.hidden_through {
                firings.push(Firing { tag: claim.at });
            }
            before = claim.value.level;
        }
        firings
    }

    /// Hides all firings so far.
    pub(super) fn hide_all(&mut self) {
        self.hidden_through = self.last.as_ref().map_or(Tag::ORIGIN, |claim| claim.at);
    }
}
