//! Watching a neuron.

use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use crate::{command::Sample, tag::Tag};

/// How many changes a watch keeps that nobody has read yet.
pub(super) const MAX_UNREAD: usize = 256;

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The level from `tag` on.
    pub level: f64,
    /// When it changed, in tag time.
    pub tag: Tag,
    /// How many changes before this one were lost because they were not read in time.
    pub missed: u64,
}

/// The changes of a neuron's level, beginning with the level it had when the watch began.
///
/// It keeps the last 256 changes. Who reads more slowly than that misses the oldest, and is told how many.
#[derive(Debug)]
pub struct Watch {
    pub(super) first: Option<Sample>,
    pub(super) changes: broadcast::Receiver<Sample>,
    /// Ends the watch at the neuron.
    pub(super) _guard: Guard,
}

impl Watch {
    /// The next change; none once the host has stopped.
    pub async fn next(&mut self) -> Option<Change> {
        if let Some(Sample { level, tag }) = self.first.take() {
            return Some(Change { level, tag, missed: 0 });
        }
        let mut missed = 0;
        loop {
            match self.changes.recv().await {
                Ok(Sample { level, tag }) => return Some(Change { level, tag, missed }),
                Err(RecvError::Lagged(count)) => missed += count,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The next change, if one has been reported already.
    pub fn try_next(&mut self) -> Option<Change> {
        if let Some(Sample { level, tag }) = self.first.take() {
            return Some(Change { level, tag, missed: 0 });
        }
        let mut missed = 0;
        loop {
            match self.changes.try_recv() {
                Ok(Sample { level, tag }) => return Some(Change { level, tag, missed }),
                Err(TryRecvError::Lagged(count)) => missed += count,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
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
