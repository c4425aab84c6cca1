//! Which inboxes may have envelopes in them.
//!
//! One task polls the inboxes of all neurons of a host. Each inbox has a waker of its own, which
//! puts the neuron's slot into a ready list, so that the task polls only inboxes that have been
//! written to.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// The inboxes that are ready to be polled, in rounds: those that became ready by the start of a
/// round are drained in it, those that follow in the next one.
#[derive(Debug, Default)]
pub(super) struct ReadySet {
    shared: Arc<Shared>,
    /// The waker of each inbox, by slot.
    wakers: Vec<Arc<InboxWaker>>,
    /// Slots that are left of this round, in the order in which they became ready.
    round: VecDeque<u32>,
}

/// What the wakers share with the set; they may wake from any thread.
#[derive(Debug, Default)]
struct Shared {
    /// Slots that became ready since the last round began, each at most once.
    ready: Mutex<VecDeque<u32>>,
    /// `false` means that `ready` is empty; it saves locking `ready` to find that out.
    has_ready: AtomicBool,
    /// The scheduler's task.
    task: AtomicWaker,
    /// `true` while the task sleeps and has to be woken. While it runs, it checks `ready` itself.
    is_parked: AtomicBool,
}

/// The waker of one inbox. Waking it again before it is re-armed does nothing.
#[derive(Debug)]
pub(super) struct InboxWaker {
    slot: u32,
    is_ready: AtomicBool,
    shared: Arc<Shared>,
}

impl ReadySet {
    /// Adds the waker of the next slot: 0 for the first call, then 1, and so on.
    pub(super) fn add(&mut self) {
        let slot = u32::try_from(self.wakers.len()).expect("no host has four billion neurons");
        let waker = InboxWaker { slot, is_ready: AtomicBool::new(false), shared: self.shared.clone() };
        self.wakers.push(Arc::new(waker));
    }

    /// Returns the waker of the inbox in this slot.
    pub(super) fn waker(&self, slot: u32) -> &Arc<InboxWaker> {
        &self.wakers[slot as usize]
    }

    /// Returns whether the inbox in this slot may have envelopes, or may have ended. `false` means
    /// that polling it would find nothing.
    pub(super) fn is_ready(&self, slot: u32) -> bool {
        // Usually no inbox is ready at all. Then the waker's memory need not be fetched.
        (!self.round.is_empty() || self.has_new())
            && self.wakers.get(slot as usize).is_some_and(|waker| waker.is_ready())
    }

    /// Starts a round with all inboxes that became ready since the last one, whose slots have all
    /// been taken.
    pub(super) fn start_round(&mut self) {
        if !self.has_new() {
            // Usual within a wave, and cheaper than the lock. `park` takes the lock, so
            // an inbox that becomes ready at this moment is not missed.
            return;
        }
        let mut ready = self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.has_ready.store(false, Ordering::Release);
        std::mem::swap(&mut self.round, &mut *ready);
    }

    /// Takes the next slot of this round; `None` once the round is over.
    pub(super) fn take_ready(&mut self) -> Option<u32> {
        self.round.pop_front()
    }

    /// Returns whether no slot of this round is left.
    pub(super) fn is_round_over(&self) -> bool {
        self.round.is_empty()
    }

    /// Registers the scheduler's task, which runs now: it is woken only after it has been parked.
    pub(super) fn register_task(&self, task: &Waker) {
        self.shared.is_parked.store(false, Ordering::Relaxed);
        self.shared.task.register(task);
    }

    /// Wakes the task, whether an inbox is ready or not.
    pub(super) fn wake_task(&self) {
        self.shared.is_parked.store(false, Ordering::Relaxed);
        self.shared.task.wake();
    }

    /// Parks the task and returns `true`, unless an inbox has become ready. From then on the next
    /// inbox that becomes ready wakes it.
    pub(super) fn park(&self) -> bool {
        self.shared.is_parked.store(true, Ordering::Release);
        // A waker that locks `ready` after this sees that the task is parked.
        let parks = self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !parks {
            self.shared.is_parked.store(false, Ordering::Relaxed);
        }
        parks
    }

    fn has_new(&self) -> bool {
        self.shared.has_ready.load(Ordering::Acquire)
    }
}

impl InboxWaker {
    /// Returns whether the inbox has been written to, or has ended, since the waker was last
    /// re-armed.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Re-arms the waker: the next event of the inbox makes it ready again. To be called before the
    /// inbox is polled, or an event in between would be lost.
    pub(super) fn rearm(&self) {
        self.is_ready.store(false, Ordering::Release);
    }
}

impl Wake for InboxWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            let mut ready = self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.has_ready.store(true, Ordering::Release);
            ready.push_back(self.slot);
            drop(ready);
            if self.shared.is_parked.swap(false, Ordering::AcqRel) {
                self.shared.task.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbox_that_is_woken_twice_before_it_is_polled_is_ready_once() {
        let mut set = ReadySet::default();
        for _ in 0..3 {
            set.add();
        }
        let [first, second] = [1, 2].map(|slot| set.waker(slot).clone());
        first.wake_by_ref();
        second.wake_by_ref();
        first.wake_by_ref();
        let round = |set: &mut ReadySet| {
            set.start_round();
            std::iter::from_fn(|| set.take_ready()).collect::<Vec<_>>()
        };
        assert_eq!(round(&mut set), [1, 2]);
        first.wake_by_ref();
        assert!(round(&mut set).is_empty(), "it has not been polled since");
        first.rearm();
        first.wake_by_ref();
        assert!(!set.park(), "one is ready");
        assert_eq!(round(&mut set), [1]);
        assert!(set.park());
    }
}
