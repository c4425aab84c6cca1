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
    /// How many changes before this one were lost: not read in time, or lost by the carrier. A stretch of tags of which the neuron
    /// itself does not know its level, because it missed what an input said then, counts as one.
    pub missed: u64,
}

/// A change as the neuron has reported it, with its number. What was lost on the way, wherever that was, is what is missing
/// between two numbers.
#[derive(Clone, Debug)]
pub(in crate::actor) struct NumberedChange {
    number: u64,
    sample: Sample,
}

/// Where the reports of one watch come in.
#[derive(Debug)]
pub(in crate::actor) struct WatchSender {
    /// Whose changes they are.
    pub(in crate::actor) neuron: NeuronId,
    changes: broadcast::Sender<NumberedChange>,
    /// The number of the last that came.
    last: u64,
}

impl WatchSender {
    pub(in crate::actor) fn new(neuron: NeuronId) -> (Self, broadcast::Receiver<NumberedChange>) {
        let (changes, receiver) = broadcast::channel(MAX_UNREAD);
        (Self { neuron, changes, last: 0 }, receiver)
    }

    /// Passes a report on, unless it has come before, or a newer one has overtaken it.
    pub(in crate::actor) fn changed(&mut self, number: u64, sample: Sample) {
        if number > self.last {
            self.last = number;
            // Whoever watched may have stopped.
            let _ = self.changes.send(NumberedChange { number, sample });
        }
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
    /// The number of the last that was read.
    read: u64,
    changes: broadcast::Receiver<NumberedChange>,
    /// Ends the watch at the neuron.
    _guard: Guard,
}

impl Watch {
    pub(in crate::actor) fn new(first: Sample, changes: broadcast::Receiver<NumberedChange>, guard: Guard) -> Self {
        Self { last: first.tag, first: Some(first), read: 0, changes, _guard: guard }
    }

    /// The next change; none once the host has stopped, or the neuron has been removed.
    pub async fn next(&mut self) -> Option<Change> {
        if let Some(first) = self.begin() {
            return Some(first);
        }
        loop {
            match self.changes.recv().await {
                Ok(reported) => {
                    if let Some(change) = self.accept(reported) {
                        return Some(change);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
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
                Ok(reported) => {
                    if let Some(change) = self.accept(reported) {
                        return Some(change);
                    }
                }
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    fn begin(&mut self) -> Option<Change> {
        self.first.take().map(|Sample { level, tag, missing }| Change { level, tag, missing, missed: 0 })
    }

    /// A change that the level to start from does not include already.
    fn accept(&mut self, NumberedChange { number, sample }: NumberedChange) -> Option<Change> {
        let missed = number - self.read - 1;
        let Sample { level, tag, missing } = sample;
        self.read = number;
        if tag <= self.last {
            return None;
        }
        self.last = tag;
        Some(Change { level, tag, missing, missed })
    }
}

/// Runs something when it is dropped.
pub(in crate::actor) struct Guard(pub(in crate::actor) Option<Box<dyn FnOnce() + Send + Sync>>);

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

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: u64) -> Sample {
        Sample { level: 1.0, tag: Tag::from_bits(number + 1), missing: Missing::NONE }
    }

    #[test]
    fn what_was_lost_on_the_way_and_what_was_not_read_in_time_are_both_counted() {
        const REPORTED: u64 = 2_000;
        let (mut watched, changes) = WatchSender::new("n".parse().expect("a name"));
        let mut watch = Watch::new(sample(0), changes, Guard(None));
        assert_eq!(watch.try_next().map(|change| change.missed), Some(0));
        // Of every three one is lost by the carrier, long before those that are read.
        for number in (1..=REPORTED).filter(|number| number % 3 != 0) {
            watched.changed(number, sample(number));
        }
        let read: Vec<Change> = std::iter::from_fn(|| watch.try_next()).collect();
        let missed: u64 = read.iter().map(|change| change.missed).sum();
        assert_eq!(read.len() as u64 + missed, REPORTED);
        assert_eq!(read.len(), MAX_UNREAD);
        assert_eq!(read.last().map(|change| change.tag), Some(Tag::from_bits(REPORTED + 1)));
    }
}
