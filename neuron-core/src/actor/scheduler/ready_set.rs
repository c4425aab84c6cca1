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
pub(in crate::actor) struct Bells {
    rung: Mutex<VecDeque<u32>>,
    /// Some have been rung since they were taken last.
    any: AtomicBool,
    /// Who listens to them,
    listener: AtomicWaker,
    /// and whether it is asleep. While it is awake it looks by itself.
    asleep: AtomicBool,
}

/// The bell of one inbox.
#[derive(Debug)]
pub(in crate::actor) struct Bell {
    slot: u32,
    is_rung: AtomicBool,
    bells: Arc<Bells>,
}

impl Bells {
    /// A bell for the inbox of the neuron in this slot.
    pub(in crate::actor) fn add(self: &Arc<Self>, slot: u32) -> Arc<Bell> {
        Arc::new(Bell { slot, is_rung: AtomicBool::new(false), bells: self.clone() })
    }

    /// This task is to be woken when it is asleep.
    pub(in crate::actor) fn listen(&self, listener: &Waker) {
        self.asleep.store(false, Ordering::Relaxed);
        self.listener.register(listener);
    }

    /// The listener is to look, whether a bell has been rung or not.
    pub(in crate::actor) fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        self.listener.wake();
    }

    /// The listener falls asleep, unless a bell has been rung. Tells whether it has.
    pub(in crate::actor) fn sleep(&self) -> bool {
        self.asleep.store(true, Ordering::Release);
        // Whoever rings after this sees that it is asleep.
        let sleeps = self.rung.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !sleeps {
            self.asleep.store(false, Ordering::Relaxed);
        }
        sleeps
    }

    /// Gives away the slots of all bells that were rung, in order. `into` is empty.
    pub(in crate::actor) fn take(&self, into: &mut VecDeque<u32>) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Release);
        std::mem::swap(into, &mut *rung);
    }

    /// Whether no bell has been rung since they were taken last.
    pub(in crate::actor) fn are_silent(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }
}

impl Bell {
    /// Whether there may be something in the inbox, or nothing ever comes any more.
    pub(in crate::actor) fn is_rung(&self) -> bool {
        self.is_rung.load(Ordering::Acquire)
    }

    /// What happens from now on is rung again.
    pub(in crate::actor) fn is_heard(&self) {
        self.is_rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            let mut rung = self.bells.rung.lock().unwrap_or_else(PoisonError::into_inner);
            self.bells.any.store(true, Ordering::Release);
            rung.push_back(self.slot);
            drop(rung);
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
        let bells = Arc::new(Bells::default());
        let (first, second) = (bells.add(1), bells.add(2));
        first.wake_by_ref();
        second.wake_by_ref();
        first.wake_by_ref();
        let taken = || {
            let mut rung = VecDeque::new();
            bells.take(&mut rung);
            rung
        };
        assert_eq!(taken(), [1, 2]);
        first.wake_by_ref();
        assert!(taken().is_empty(), "nobody has looked since");
        first.is_heard();
        first.wake_by_ref();
        assert!(!bells.sleep(), "one is rung");
        assert_eq!(taken(), [1]);
        assert!(bells.sleep());
    }
}
