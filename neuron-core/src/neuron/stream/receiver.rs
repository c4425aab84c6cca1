//! The receiving end of an edge.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{NullMessage, Ready, Statement};
use crate::signal::StreamId;

/// The most statements that one edge buffers because an earlier one has not arrived.
///
/// Far above what a transport reorders in practice; it bounds the memory that a peer can use.
pub(crate) const MAX_EARLY: usize = 4096;

/// The receiving end of one edge.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    /// The stream that was subscribed to last. Messages of other streams are outdated.
    stream: StreamId,
    /// How many statements have been handed over.
    applied: u64,
    /// How many of them have not been acknowledged.
    unacked: u16,
    /// The last statement that arrived was missing while later ones had arrived.
    filled_gap: bool,
    /// What arrived before its turn; `None` if there is nothing.
    early: Option<Box<ReorderBuffer>>,
}

/// Messages that arrived before their turn.
#[derive(Clone, Debug, Default)]
struct ReorderBuffer {
    statements: BTreeMap<u64, Statement>,
    /// The null message with the highest tag: it implies all others.
    null: Option<NullMessage>,
}

/// What became of a numbered statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Accept {
    /// It is its turn, and it is handed back. Others may follow it.
    Now(Statement),
    /// It is buffered until those before it arrive.
    Early,
    /// It arrived before.
    Duplicate,
    /// The buffer is full, and it is dropped.
    NoRoom,
}

impl Receiver {
    /// Makes the receiver of a new stream.
    pub(crate) fn new(stream: StreamId) -> Self {
        Self { stream, applied: 0, unacked: 0, filled_gap: false, early: None }
    }

    /// Returns the stream that was subscribed to last.
    #[inline]
    pub(crate) fn stream(&self) -> StreamId {
        self.stream
    }

    /// Returns whether the source has answered the subscription.
    #[inline]
    pub(crate) fn is_subscribed(&self) -> bool {
        self.applied > 0
    }

    /// Accepts a numbered statement.
    ///
    /// After [`Accept::Now`], call [`take_ready`](Self::take_ready) until it returns `None`.
    #[inline]
    pub(crate) fn accept(&mut self, seq: u64, statement: Statement) -> Accept {
        if seq == self.applied + 1 {
            self.applied = seq;
            self.unacked = self.unacked.saturating_add(1);
            self.filled_gap = self.early.as_ref().is_some_and(|early| !early.statements.is_empty());
            return Accept::Now(statement);
        }
        if seq <= self.applied {
            return Accept::Duplicate;
        }
        self.buffer(seq, statement)
    }

    #[cold]
    fn buffer(&mut self, seq: u64, statement: Statement) -> Accept {
        let statements = &mut self.early.get_or_insert_default().statements;
        let is_full = statements.len() >= MAX_EARLY;
        match statements.entry(seq) {
            Entry::Occupied(_) => Accept::Duplicate,
            Entry::Vacant(_) if is_full => Accept::NoRoom,
            Entry::Vacant(entry) => {
                entry.insert(statement);
                Accept::Early
            }
        }
    }

    /// Accepts a null message and hands it back if it is its turn; else buffers it.
    pub(crate) fn accept_null(&mut self, null: NullMessage) -> Option<NullMessage> {
        if null.after <= self.applied {
            return Some(null);
        }
        let buffered = &mut self.early.get_or_insert_default().null;
        if buffered.is_none_or(|buffered| null.upto > buffered.upto) {
            *buffered = Some(null);
        }
        None
    }

    /// Returns whether something may have arrived before its turn.
    pub(crate) fn has_early(&self) -> bool {
        self.early.is_some()
    }

    /// Returns how many statements are buffered.
    #[cfg(feature = "sim")]
    pub(crate) fn early(&self) -> usize {
        self.early.as_ref().map_or(0, |early| early.statements.len())
    }

    /// Takes the next buffered message whose turn it is; `None` if there is none.
    pub(crate) fn take_ready(&mut self) -> Option<Ready> {
        let early = self.early.as_mut()?;
        if let Some(null) = early.null.take_if(|null| null.after <= self.applied) {
            return Some(Ready::Nothing(null));
        }
        if let Some(statement) = early.statements.remove(&(self.applied + 1)) {
            self.applied += 1;
            self.unacked = self.unacked.saturating_add(1);
            return Some(Ready::Changed(statement));
        }
        if early.null.is_none() && early.statements.is_empty() {
            self.early = None;
        }
        None
    }

    /// Returns how many statements the source does not know to have arrived.
    pub(crate) fn unacked(&self) -> u16 {
        self.unacked
    }

    /// Returns whether the last statement arrived after later ones.
    ///
    /// The source retransmits those unless it is told.
    pub(crate) fn filled_gap(&self) -> bool {
        self.filled_gap
    }

    /// Notes that all statements are being acknowledged; returns the stream and their count.
    pub(crate) fn acknowledge(&mut self) -> (StreamId, u64) {
        self.unacked = 0;
        (self.stream, self.applied)
    }
}
