//! How far an inbox has read the stream.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use neuron_core::transport::Address;

/// How far an inbox has read the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadPosition {
    /// When the stream was created, in nanoseconds of the broker's clock. A stream that was lost
    /// and made again numbers its messages anew.
    stream_created: i128,
    /// The number of the last message that was delivered.
    last: u64,
    /// The number of the message after that, if it was delivered in part because the inbox was
    /// full, and how many of its frames were delivered.
    partial: Option<(u64, usize)>,
}

impl ReadPosition {
    /// Creates the position after message `last` of a stream.
    pub(super) fn new(stream_created: i128, last: u64) -> Self {
        Self { stream_created, last, partial: None }
    }
}

/// A position that is shared by the consumers that read an inbox one after the other.
#[derive(Clone, Debug)]
pub(super) struct SharedPosition(Arc<Mutex<ReadPosition>>);

impl SharedPosition {
    pub(super) fn new(position: ReadPosition) -> Self {
        Self(Arc::new(Mutex::new(position)))
    }

    fn lock(&self) -> MutexGuard<'_, ReadPosition> {
        // It is consistent at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to the beginning if the stream is another one by now, and returns after which message
    /// to go on; 0 is the beginning.
    pub(super) fn rewind_if_new(&self, stream_created: i128) -> u64 {
        let mut position = self.lock();
        if position.stream_created != stream_created {
            *position = ReadPosition::new(stream_created, 0);
        }
        position.last
    }

    /// Returns how many frames of a message were delivered before; 0 if it is new.
    pub(super) fn frames_delivered(&self, number: u64) -> usize {
        self.lock().partial.filter(|(of, _)| *of == number).map_or(0, |(_, frames)| frames)
    }

    /// Records that a message was delivered in part.
    pub(super) fn set_partial(&self, number: u64, frames: usize) {
        self.lock().partial = Some((number, frames));
    }

    /// Records that a message was delivered.
    pub(super) fn advance(&self, number: u64) {
        let mut position = self.lock();
        position.last = number;
        position.partial = None;
    }
}

/// The positions of all inboxes that this process has had, over whichever connection.
#[derive(Debug, Default)]
pub(crate) struct KnownPositions(Mutex<HashMap<Address, SharedPosition>>);

impl KnownPositions {
    fn positions(&self) -> MutexGuard<'_, HashMap<Address, SharedPosition>> {
        // A panic elsewhere cannot leave the table half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, at: &Address, position: SharedPosition) {
        self.positions().insert(at.clone(), position);
    }

    /// Returns the position of the latest inbox of an address; `None` if this process has had none.
    pub(super) fn get(&self, at: &Address) -> Option<SharedPosition> {
        self.positions().get(at).cloned()
    }
}
