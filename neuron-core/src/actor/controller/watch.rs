//! Watching the level of a neuron.

use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use crate::{command::Sample, id::NeuronId, tag::Tag, value::Missing};

/// How many changes a watch keeps that have not been read yet.
const MAX_UNREAD: usize = 256;

/// A change of a neuron's level.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The level from `tag` on: 1 when the neuron fires, else 0.
    pub level: f64,
    /// When the level changed, in tag time.
    pub tag: Tag,
    /// The neurons that were missing and could have changed the level; empty for a plain answer.
    pub missing: Missing,
    /// How many changes between the last one that was returned and this one were lost: because they
    /// were not read in time, or on the way. A stretch of tags whose level the neuron itself does
    /// not know, because it missed what an input said then, counts as one.
    pub missed: u64,
}

impl Change {
    /// Returns whether the neuron fires.
    pub fn fires(&self) -> bool {
        self.level != 0.0
    }

    /// Returns whether neurons were missing that could have changed the level.
    pub fn is_degraded(&self) -> bool {
        !self.missing.is_empty()
    }
}

/// The changes of a neuron's level, in the order of their tags, beginning with the level at the
/// time the watch began. Made by [`Controller::watch`](super::Controller::watch).
///
/// A watch keeps the last 256 unread changes. If more come, the oldest are lost and counted in
/// [`Change::missed`], and so are changes that the transport lost or reordered. Dropping the watch
/// ends it.
///
/// ```
/// # use neuron_core::actor::{ControlError, Controller};
/// /// Prints when a neuron fires and when it stops, until it is removed or the host stops.
/// async fn print_changes(controller: &Controller, neuron: &str) -> Result<(), ControlError> {
///     let mut watch = controller.watch(neuron).await?;
///     while let Some(change) = watch.next().await {
///         println!("{neuron} is {} from {} on", change.level, change.tag);
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Watch {
    /// The level at the start; `None` once it has been returned.
    first: Option<Sample>,
    /// The tag of the last change that was returned, or of `first`.
    last: Tag,
    /// The number of the last change that was read.
    read: u64,
    changes: broadcast::Receiver<NumberedChange>,
    _unwatch: Unwatch,
}

/// A change as the neuron has reported it. What was lost on the way, wherever that was, is what is
/// missing between two numbers.
#[derive(Clone, Debug)]
pub(super) struct NumberedChange {
    /// Counts from 1.
    number: u64,
    sample: Sample,
}

/// The sending half of a watch, which the reports go to.
#[derive(Debug)]
pub(super) struct WatchSender {
    neuron: NeuronId,
    changes: broadcast::Sender<NumberedChange>,
    /// The number of the last change that was passed on.
    last: u64,
}

/// Runs a function when it is dropped, which ends the watch.
pub(super) struct Unwatch(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Watch {
    /// Returns the reading half of a watch that begins with the level `first`.
    pub(super) fn new(first: Sample, changes: broadcast::Receiver<NumberedChange>, unwatch: Unwatch) -> Self {
        Self { last: first.tag, first: Some(first), read: 0, changes, _unwatch: unwatch }
    }

    /// Waits for the next change; `None` once the host has stopped, or the neuron has been removed.
    ///
    /// The first call returns the level at the start at once.
    pub async fn next(&mut self) -> Option<Change> {
        if let Some(first) = self.take_first() {
            return Some(first);
        }
        loop {
            match self.changes.recv().await {
                Ok(change) => {
                    if let Some(change) = self.accept(change) {
                        return Some(change);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Returns the next change if it has been reported already; `None` also once the watch has
    /// ended.
    pub fn try_next(&mut self) -> Option<Change> {
        if let Some(first) = self.take_first() {
            return Some(first);
        }
        loop {
            match self.changes.try_recv() {
                Ok(change) => {
                    if let Some(change) = self.accept(change) {
                        return Some(change);
                    }
                }
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    fn take_first(&mut self) -> Option<Change> {
        self.first.take().map(|Sample { level, tag, missing }| Change { level, tag, missing, missed: 0 })
    }

    /// Returns what a reported change is to the reader; `None` if the level at the start includes
    /// it already.
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

impl WatchSender {
    /// Returns the sending half of a watch, and what its reading half is made of.
    pub(super) fn new(neuron: NeuronId) -> (Self, broadcast::Receiver<NumberedChange>) {
        let (changes, receiver) = broadcast::channel(MAX_UNREAD);
        (Self { neuron, changes, last: 0 }, receiver)
    }

    /// Returns the neuron that is watched.
    pub(super) fn neuron(&self) -> &NeuronId {
        &self.neuron
    }

    /// Passes a change on, unless it has come before, or a later one has overtaken it.
    pub(super) fn changed(&mut self, number: u64, sample: Sample) {
        if number > self.last {
            self.last = number;
            // The reader may be gone.
            let _ = self.changes.send(NumberedChange { number, sample });
        }
    }
}

impl Unwatch {
    /// Returns a value that runs `end` when it is dropped.
    pub(super) fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Unwatch {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl std::fmt::Debug for Unwatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unwatch")
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
        let (mut sender, changes) = WatchSender::new("n".parse().expect("a name"));
        let mut watch = Watch::new(sample(0), changes, Unwatch(None));
        assert_eq!(watch.try_next().map(|change| change.missed), Some(0));
        // Of every three one is lost by the transport, long before those that are read.
        for number in (1..=REPORTED).filter(|number| number % 3 != 0) {
            sender.changed(number, sample(number));
        }
        let read: Vec<Change> = std::iter::from_fn(|| watch.try_next()).collect();
        let missed: u64 = read.iter().map(|change| change.missed).sum();
        assert_eq!(read.len() as u64 + missed, REPORTED);
        assert_eq!(read.len(), MAX_UNREAD);
        assert_eq!(read.last().map(|change| change.tag), Some(Tag::from_bits(REPORTED + 1)));
    }
}
