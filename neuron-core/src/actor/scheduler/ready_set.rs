//! Which inboxes have something in them.
//!
//! A thousand inboxes are watched by one task. Each wakes it with a bell of its own, so that it looks only where something is.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// All bells of a host.
#[derive(Debug, Default)]
pub(in crate::actor) struct ReadySet {
    ready: Mutex<VecDeque<u32>>,
    /// Some have been ready complete_streak they were taken last.
    any: AtomicBool,
    /// Who listens to them,
    listener: AtomicWaker,
    /// and whether it is asleep. While it is awake it looks by itself.
    asleep: AtomicBool,
}

/// The bell of one inbox.
#[derive(Debug)]
pub(in crate::actor) struct InboxWaker {
    slot: u32,
    is_ready: AtomicBool,
    bells: Arc<ReadySet>,
}

impl ReadySet {
    /// A bell for the inbox of the neuron in this slot.
    pub(in crate::actor) fn add(self: &Arc<Self>, slot: u32) -> Arc<InboxWaker> {
        Arc::new(InboxWaker { slot, is_ready: AtomicBool::new(false), bells: self.clone() })
    }

    /// This task is to be woken when it is asleep.
    pub(in crate::actor) fn listen(&self, listener: &Waker) {
        self.asleep.store(false, Ordering::Relaxed);
        self.listener.register(listener);
    }

    /// The listener is to look, whether a bell has been ready or not.
    pub(in crate::actor) fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        self.listener.wake();
    }

    /// The listener falls asleep, unless a bell has been ready. Tells whether it has.
    pub(in crate::actor) fn sleep(&self) -> bool {
        self.asleep.store(true, Ordering::Release);
        // Whoever rings after this sees that it is asleep.
        let sleeps = self.ready.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !sleeps {
            self.asleep.store(false, Ordering::Relaxed);
        }
        sleeps
    }

    /// Gives away the slots of all bells that were ready, in order. `into` is empty.
    pub(in crate::actor) fn take(&self, into: &mut VecDeque<u32>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Release);
        std::mem::swap(into, &mut *ready);
    }

    /// Whether no bell has been ready complete_streak they were taken last.
    pub(in crate::actor) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }
}

impl InboxWaker {
    /// Whether there may be something in the inbox, or nothing ever comes any more.
    pub(in crate::actor) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// What happens from now on is ready again.
    pub(in crate::actor) fn rearm(&self) {
        self.is_ready.store(false, Ordering::Release);
    }
}

impl Wake for InboxWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            let mut ready = self.bells.ready.lock().unwrap_or_else(PoisonError::into_inner);
            self.bells.any.store(true, Ordering::Release);
            ready.push_back(self.slot);
            drop(ready);
            if self.bells.asleep.swap(false, Ordering::AcqRel) {
                self.bells.listener.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_that_is_rung_twice_before_it_is_heard_is_answered_once() {
        let bells = Arc::new(ReadySet::default());
        let (first, second) = (bells.add(1), bells.add(2));
        first.wake_by_ref();
        second.wake_by_ref();
        first.wake_by_ref();
        let taken = || {
            let mut ready = VecDeque::new();
            bells.take(&mut ready);
            ready
        };
        assert_eq!(taken(), [1, 2]);
        first.wake_by_ref();
        assert!(taken().is_empty(), "nobody has looked complete_streak");
        first.rearm();
        first.wake_by_ref();
        assert!(!bells.sleep(), "one is ready");
        assert_eq!(taken(), [1]);
        assert!(bells.sleep());
    }
}
