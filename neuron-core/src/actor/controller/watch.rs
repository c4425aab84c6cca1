//! Watching the level of a neuron.

use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use crate::{
    id::NeuronId,
    watch::{Change, WatchLink},
};

/// How many changes a watch keeps that have not been read yet.
const MAX_UNREAD: usize = 256;

/// The changes of a neuron's level, in the order of their tags, beginning with the level at the
/// time the watch began. Made by [`Controller::watch`](super::Controller::watch).
///
/// A watch lasts: it goes on when the connection to the neuron was lost, when the neuron was
/// started anew, and when it has moved to another host. It is renewed twice a second. What it has
/// missed meanwhile is counted in [`Change::missed`]. When the neuron has not been heard for its
/// lease and patience (2.25 s by default), a change with level 0 says so: its
/// [`missing`](Change::missing) names the neuron. The next change is the truth again.
///
/// A watch keeps the last 256 unread changes. If more come, the oldest are lost and counted.
/// Dropping the watch ends it.
///
/// ```
/// # use neuron_core::actor::{ControlError, Controller};
/// /// Switches a lamp with each change, until the neuron is removed or the host stops.
/// async fn drive_lamp(controller: &Controller, neuron: &str, switch: fn(bool)) -> Result<(), ControlError> {
///     let mut watch = controller.watch(neuron).await?;
///     while let Some(change) = watch.next().await {
///         if change.is_degraded() {
///             println!("{neuron} may be wrong: nothing is known of {}", change.missing);
///         }
///         switch(change.fires());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Watch {
    /// How many changes there were up to the last one that was read, those that were missed
    /// included.
    read: u64,
    changes: broadcast::Receiver<(u64, Change)>,
    _unwatch: Unwatch,
}

/// The sending half of a watch, which the reports go to.
#[derive(Debug)]
pub(super) struct WatchSender {
    link: WatchLink,
    changes: broadcast::Sender<(u64, Change)>,
    /// How many changes there were up to the last one that was passed on, those that were missed
    /// included.
    told: u64,
}

/// Runs a function when it is dropped, which ends the watch.
pub(super) struct Unwatch(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Watch {
    /// Returns the reading half of a watch.
    pub(super) fn new(changes: broadcast::Receiver<(u64, Change)>, unwatch: Unwatch) -> Self {
        Self { read: 0, changes, _unwatch: unwatch }
    }

    /// Waits for the next change; `None` once the host of the controller has stopped, or the neuron
    /// has been removed.
    ///
    /// The first call returns the level at the start at once.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            match self.changes.recv().await {
                Ok((number, change)) => return Some(self.read(number, change)),
                // What is lost shows in the number of the next one.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Returns the next change if it has been reported already; `None` also once the watch has
    /// ended.
    pub fn try_next(&mut self) -> Option<Change> {
        loop {
            match self.changes.try_recv() {
                Ok((number, change)) => return Some(self.read(number, change)),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    fn read(&mut self, number: u64, change: Change) -> Change {
        let missed = number.wrapping_sub(self.read).wrapping_sub(1);
        self.read = number;
        Change { missed, ..change }
    }
}

impl WatchSender {
    /// Returns the sending half of a watch, and what its reading half is made of.
    pub(super) fn new(link: WatchLink) -> (Self, broadcast::Receiver<(u64, Change)>) {
        let (changes, receiver) = broadcast::channel(MAX_UNREAD);
        (Self { link, changes, told: 0 }, receiver)
    }

    /// Returns the neuron that is watched.
    pub(super) fn neuron(&self) -> &NeuronId {
        self.link.neuron()
    }

    /// Returns the link to the neuron.
    pub(super) fn link(&mut self) -> &mut WatchLink {
        &mut self.link
    }

    /// Passes a change on to the reader, if there is one.
    pub(super) fn tell(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        // A neuron may claim any number of changes, again and again.
        self.told = self.told.wrapping_add(change.missed).wrapping_add(1);
        // The reader may be gone.
        let _ = self.changes.send((self.told, change));
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
    use std::time::Duration;

    use super::*;
    use crate::{
        command::{Sample, WatchPosition},
        signal::Incarnation,
        tag::{Tag, Time},
        value::Missing,
    };

    #[test]
    fn a_neuron_that_claims_to_have_changed_any_number_of_times_does_no_harm() {
        let sample = |tag| Sample { level: 1.0, tag: Tag::from_bits(tag), missing: Missing::NONE };
        let link = WatchLink::new("n".parse().expect("a name"), Duration::ZERO, 1, Time::ZERO);
        let (mut sender, changes) = WatchSender::new(link);
        let mut watch = Watch::new(changes, Unwatch(None));
        let begun = WatchPosition { incarnation: Incarnation { number: 1, nonce: 0 }, number: 0 };
        let first = sender.link().on_answer(1, begun, sample(1), Time::ZERO);
        sender.tell(first);
        for number in 1..4 {
            let position = WatchPosition { incarnation: Incarnation { number, nonce: 0 }, number: u64::MAX };
            let change = sender.link().on_report(position, sample(u64::from(number) + 1));
            sender.tell(change);
        }
        let missed: Vec<u64> = std::iter::from_fn(|| watch.try_next()).map(|change| change.missed).collect();
        assert_eq!(missed, [0, u64::MAX - 1, u64::MAX - 1, u64::MAX - 1]);
    }

    #[test]
    fn what_was_lost_on_the_way_and_what_was_not_read_in_time_are_both_counted() {
        const REPORTED: u64 = 2_000;
        let position = |number| WatchPosition { incarnation: Incarnation { number: 1, nonce: 0 }, number };
        let sample = |number| Sample { level: 1.0, tag: Tag::from_bits(number + 1), missing: Missing::NONE };
        let link = WatchLink::new("n".parse().expect("a name"), Duration::ZERO, 1, Time::ZERO);
        let (mut sender, changes) = WatchSender::new(link);
        let mut watch = Watch::new(changes, Unwatch(None));
        let first = sender.link().on_answer(1, position(0), sample(0), Time::ZERO);
        sender.tell(first);
        assert_eq!(watch.try_next().map(|change| change.missed), Some(0));
        // Of every three one is lost by the transport, long before those that are read.
        for number in (1..=REPORTED).filter(|number| number % 3 != 0) {
            let change = sender.link().on_report(position(number), sample(number));
            sender.tell(change);
        }
        let read: Vec<Change> = std::iter::from_fn(|| watch.try_next()).collect();
        let missed: u64 = read.iter().map(|change| change.missed).sum();
        assert_eq!(read.len() as u64 + missed, REPORTED);
        assert_eq!(read.len(), MAX_UNREAD);
        assert_eq!(read.last().map(|change| change.tag), Some(Tag::from_bits(REPORTED + 1)));
    }
}
