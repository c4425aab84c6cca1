//! What a neuron remembers of its own past.

use std::collections::VecDeque;

use crate::{command::Firing, record::Claim, tag::Tag, value::Value};

/// How many changes of its level a neuron remembers.
pub const MAX_REMEMBERED: usize = 256;

/// The last changes of level, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    claims: VecDeque<Claim>,
    /// Firings up to here are not shown any more.
    emptied: Tag,
}

impl Memory {
    pub(crate) fn push(&mut self, claim: Claim) {
        if self.claims.len() == MAX_REMEMBERED {
            self.claims.pop_front();
        }
        self.claims.push_back(claim);
    }

    /// The value at `tag`, which lies at or before everything that has been said; nothing if it is not known.
    pub(crate) fn value_at(&self, tag: Tag) -> Option<&Value> {
        let next = self.claims.partition_point(|claim| claim.at <= tag);
        if self.claims.get(next).is_some_and(|next| next.known < tag) {
            return None;
        }
        next.checked_sub(1).map(|index| &self.claims[index].value)
    }

    /// Since when the present value holds.
    pub(crate) fn since(&self) -> Tag {
        self.claims.back().map_or(Tag::ORIGIN, |claim| claim.at)
    }

    pub(crate) fn firings(&self) -> Vec<Firing> {
        let mut before = 0.0;
        let mut firings = Vec::new();
        for claim in &self.claims {
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
