//! Watching a neuron.

use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use crate::{command::Sample, id::NeuronId, tag::Tag, value::Missing};

/// How many changes a watch keeps that nobody has read yet.
const MAX_UNREAD: usize = 256;

/// A change of level.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The level from `tag` on.
    pub level: f64,
    /// When it changed, in tag time.
    pub tag: Tag,
    /// The neurons that were missing and could have changed the level; empty for a plain answer.
    pub missing: Missing,
    /// How many changes before this one were lost: not read in time, or lost by the carrier.
    pub missed: u64,
}

/// Where the reports of one watch come in.
#[derive(Debug)]
pub(super) struct Watched {
    /// Whose changes they are.
    pub(super) neuron: NeuronId,
    changes: broadcast::Sender<Change>,
    /// How many changes the neuron has reported, up to the last that came.
    last: u64,
}

impl Watched {
    pub(super) fn new(neuron: NeuronId) -> (Self, broadcast::Receiver<Change>) {
        let (changes, receiver) = broadcast::channel(MAX_UNREAD);
        (Self { neuron, changes, last: 0 }, receiver)
    }

    /// Passes a report on, unless it has come before, or a newer one has overtaken it.
    pub(super) fn changed(&mut self, number: u64, Sample { level, tag, missing }: Sample) {
        if number <= self.last {
            return;
        }
        let missed = number - self.last - 1;
        self.last = number;
        // Whoever watched may have stopped.
        let _ = self.changes.send(Change { level, tag, missing, missed });
    }
}

/// The changes of a neuron's level, in the order of their tags, beginning with the level it had when the watch began.
///
/// It keeps the last 256 changes. Who reads more slowly than that misses the oldest, and is told how many. Over a carrier
/// that loses or reorders, a change that did not come, or that a newer one has overtaken, is counted as missed.
#[derive(Debug)]
pub struct Watch {
    first: Option<Sample>,
    last: Tag,
    missed: u64,
    changes: broadcast::Receiver<Change>,
    /// Ends the watch at the neuron.
    _guard: Guard,
}

impl Watch {
    pub(super) fn new(first: Sample, changes: broadcast::Receiver<Change>, guard: Guard) -> Self {
        Self { last: first.tag, first: Some(first), missed: 0, changes, _guard: guard }
    }

    /// The next change; none once the host has stopped, or the neuron has been removed.
    pub async fn next(&mut self) -> Option<Change> {
        if let Some(first) = self.begin() {
            return Some(first);
        }
        loop {
            match self.changes.recv().await {
                Ok(change) => {
                    if let Some(change) = self.news(change) {
                        return Some(change);
                    }
                }
                Err(RecvError::Lagged(count)) => self.missed += count,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The next change, if one has been reported already.
    pub fn try_next(&mut self) -> Option<Change> {
        if let Some(first) = self.begin() {
            return Some(first);
        }
        loop {
            match self.changes.try_recv() {
                Ok(change) => {
                    if let Some(change) = self.news(change) {
                        return Some(change);
                    }
                }
                Err(TryRecvError::Lagged(count)) => self.missed += count,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    fn begin(&mut self) -> Option<Change> {
        self.first.take().map(|Sample { level, tag, missing }| Change { level, tag, missing, missed: 0 })
    }

    /// A change that the level to start from does not include already.
    fn news(&mut self, change: Change) -> Option<Change> {
        let missed = change.missed + std::mem::take(&mut self.missed);
        if change.tag <= self.last {
            return None;
        }
        self.last = change.tag;
        Some(Change { missed, ..change })
    }
}

/// Runs something when it is dropped.
pub(super) struct Guard(pub(super) Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}
