//! Mailboxes for signals between neurons of one host, and the order in which their owners run.
//!
//! Why: docs/decisions/0016-a-turn-takes-all-queued-signals.md

use std::collections::VecDeque;

use crate::signal::{Signal, SignalBody};

/// The end of a list, or an empty list.
const NONE: u32 = u32::MAX;

/// After how many complete mailboxes in a row one partial mailbox runs. Large, because a partial
/// one usually becomes complete if it is left alone; it is only a bound.
const FAIRNESS_INTERVAL: u32 = 1024;

/// Mailboxes for signals between neurons of one host, and the order in which their owners run.
///
/// All signals live in one slab; each mailbox is a FIFO list through it. A non-empty mailbox sits
/// in one of two run queues: *complete* if it holds as many signals as its owner has inputs left in
/// this wave, else *partial*. Complete ones run first, so a wave costs about one turn a neuron; one
/// partial mailbox runs after at most [`FAIRNESS_INTERVAL`] complete ones. This affects cost only,
/// never results.
///
/// A mailbox whose owner runs is in neither queue: [`take_runnable`](Self::take_runnable) takes it
/// out, [`requeue`](Self::requeue) puts it back if it is not empty.
#[derive(Debug)]
pub(super) struct LocalMailboxes {
    /// The slab: each entry is in the list of a mailbox, or in the free list.
    signals: Vec<QueuedSignal>,
    /// The head of the free list.
    free: u32,
    /// How many signals are queued.
    len: usize,
    /// By slot; slots beyond the end have an empty mailbox.
    mailboxes: Vec<Mailbox>,
    /// The run queue of complete mailboxes. An entry counts only while its mailbox is in the state
    /// [`RunState::Complete`].
    complete: VecDeque<u32>,
    /// The run queue of partial mailboxes, with stale entries of those that have become complete.
    partial: VecDeque<u32>,
    /// How many mailboxes are in a run queue.
    runnable: usize,
    /// How many complete mailboxes have run since the last partial one.
    complete_streak: u32,
    /// Counts how often all mailboxes have become empty; a wave does not outlast that.
    epoch: u32,
}

#[derive(Debug)]
struct QueuedSignal {
    /// The slot of the sender.
    from: u32,
    /// The next entry of the same list.
    next: u32,
    /// `None` if the entry is free.
    signal: Option<Signal>,
}

/// The signals for one neuron.
#[derive(Clone, Copy, Debug)]
struct Mailbox {
    first: u32,
    /// Meaningless if `first` is [`NONE`].
    last: u32,
    count: u32,
    /// How many signals the owner usually receives in a wave before it can answer; at least 1.
    expected: u32,
    /// How many of those it has still to receive in this wave; at least 1.
    remaining: u32,
    /// The epoch that `remaining` belongs to. In a later one, a wave begins.
    epoch: u32,
    state: RunState,
}

/// Which run queue a mailbox is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunState {
    Idle,
    Complete,
    Partial,
}

impl Mailbox {
    const EMPTY: Self =
        Self { first: NONE, last: NONE, count: 0, expected: 1, remaining: 1, epoch: 0, state: RunState::Idle };
}

impl Default for LocalMailboxes {
    fn default() -> Self {
        Self {
            signals: Vec::new(),
            free: NONE,
            len: 0,
            mailboxes: Vec::new(),
            complete: VecDeque::new(),
            partial: VecDeque::new(),
            runnable: 0,
            complete_streak: 0,
            epoch: 0,
        }
    }
}

impl LocalMailboxes {
    /// Sets how many signals the neuron in this slot receives in a wave before it can usually
    /// answer. 0 counts as 1.
    pub(super) fn set_expected_inputs(&mut self, slot: u32, inputs: usize) {
        let mailbox = self.mailbox_or_insert(slot);
        mailbox.expected = u32::try_from(inputs).unwrap_or(u32::MAX).max(1);
        mailbox.remaining = mailbox.expected;
    }

    /// Queues a signal. The answer to a probe goes before all that is queued: that may have to wait
    /// for the answer, and a promise may overtake the statements that it follows.
    #[inline(always)]
    pub(super) fn push(&mut self, to: u32, from: u32, signal: Signal) {
        let is_answer = matches!(signal.body, SignalBody::Nothing { wave: false, .. });
        let queued = QueuedSignal { from, next: NONE, signal: Some(signal) };
        let id = match self.signals.get_mut(self.free as usize) {
            Some(free) => {
                let id = std::mem::replace(&mut self.free, free.next);
                *free = queued;
                id
            }
            None => {
                self.signals.push(queued);
                u32::try_from(self.signals.len() - 1).expect("no host queues four billion signals")
            }
        };
        let mailbox = self.mailbox_or_insert(to);
        mailbox.count += 1;
        if mailbox.first == NONE {
            mailbox.first = id;
            mailbox.last = id;
        } else if is_answer {
            let next = std::mem::replace(&mut mailbox.first, id);
            self.signals[id as usize].next = next;
        } else {
            let last = std::mem::replace(&mut mailbox.last, id);
            self.signals[last as usize].next = id;
        }
        self.enqueue(to);
        self.len += 1;
    }

    /// Takes the next signal for the neuron in this slot, with the slot of its sender.
    #[inline]
    pub(super) fn pop(&mut self, slot: u32) -> Option<(u32, Signal)> {
        let mailbox = &mut self.mailboxes[slot as usize];
        let id = mailbox.first;
        let queued = self.signals.get_mut(id as usize)?;
        mailbox.first = std::mem::replace(&mut queued.next, self.free);
        mailbox.count -= 1;
        mailbox.remaining = if mailbox.remaining > 1 { mailbox.remaining - 1 } else { mailbox.expected };
        self.free = id;
        self.len -= 1;
        self.epoch = self.epoch.wrapping_add(u32::from(self.len == 0));
        Some((queued.from, queued.signal.take()?))
    }

    /// Returns how many signals are queued.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether any signal is queued for the neuron in this slot.
    pub(super) fn has_signals(&self, slot: u32) -> bool {
        self.mailboxes.get(slot as usize).is_some_and(|mailbox| mailbox.first != NONE)
    }

    /// Returns how many mailboxes are in the run queues.
    pub(super) fn runnable(&self) -> usize {
        self.runnable
    }

    /// Takes the slot that is to run next out of its run queue; `None` if no mailbox is queued.
    #[inline]
    pub(super) fn take_runnable(&mut self) -> Option<u32> {
        loop {
            let complete = if self.complete_streak < FAIRNESS_INTERVAL { self.complete.pop_front() } else { None };
            let (slot, state) = match complete {
                Some(slot) => (slot, RunState::Complete),
                None => match self.partial.pop_front() {
                    Some(slot) => (slot, RunState::Partial),
                    None => (self.complete.pop_front()?, RunState::Complete),
                },
            };
            // The mailbox may have moved to the other run queue since.
            if self.mailboxes[slot as usize].state == state {
                let is_complete = state == RunState::Complete;
                self.complete_streak = if is_complete { self.complete_streak.saturating_add(1) } else { 0 };
                self.mailboxes[slot as usize].state = RunState::Idle;
                self.runnable -= 1;
                return Some(slot);
            }
        }
    }

    /// Returns the slots that will run next, each with its first signal: at most `count`, without
    /// those whose entry is stale.
    pub(super) fn peek_runnable(&self, count: usize) -> impl Iterator<Item = (u32, &Signal)> {
        self.complete.iter().chain(&self.partial).take(count).filter_map(|slot| {
            let queued = self.signals.get(self.mailboxes[*slot as usize].first as usize)?;
            Some((*slot, queued.signal.as_ref()?))
        })
    }

    /// Ends the turn of a slot: if signals are left, it runs again later.
    #[inline]
    pub(super) fn requeue(&mut self, slot: u32) {
        if self.has_signals(slot) {
            self.enqueue(slot);
        }
    }

    /// Returns the memory for more than `capacity` signals. Does nothing if any signal is queued.
    pub(super) fn shrink_to(&mut self, capacity: usize) {
        if self.len == 0 && self.signals.capacity() > capacity {
            self.signals = Vec::with_capacity(capacity);
            self.free = NONE;
            self.complete = VecDeque::new();
            self.partial = VecDeque::new();
            self.complete_streak = 0;
        }
    }

    #[inline]
    fn mailbox_or_insert(&mut self, slot: u32) -> &mut Mailbox {
        if self.mailboxes.len() <= slot as usize {
            self.mailboxes.resize(slot as usize + 1, Mailbox::EMPTY);
        }
        &mut self.mailboxes[slot as usize]
    }

    /// Puts a non-empty mailbox into the run queue where it belongs.
    #[inline]
    fn enqueue(&mut self, slot: u32) {
        let mailbox = &mut self.mailboxes[slot as usize];
        if std::mem::replace(&mut mailbox.epoch, self.epoch) != self.epoch {
            mailbox.remaining = mailbox.expected;
        }
        let state = if mailbox.count >= mailbox.remaining { RunState::Complete } else { RunState::Partial };
        let before = mailbox.state;
        match (before, state) {
            (RunState::Idle | RunState::Partial, RunState::Complete) => self.complete.push_back(slot),
            (RunState::Idle, _) => self.partial.push_back(slot),
            _ => return,
        }
        mailbox.state = state;
        self.runnable += usize::from(before == RunState::Idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Tag,
        signal::{Incarnation, StreamId},
    };

    fn answer(number: u32) -> Signal {
        let incarnation = Incarnation { number, nonce: 0 };
        let stream = StreamId { incarnation, counter: 1 };
        Signal { incarnation, body: SignalBody::Nothing { stream, after: 0, upto: Tag::FIRST, wave: false } }
    }

    fn signal(number: u32) -> Signal {
        Signal { incarnation: Incarnation { number, nonce: 0 }, body: SignalBody::Hello }
    }

    #[test]
    fn each_receives_its_signals_in_the_order_they_were_sent_but_answers_first() {
        let mut mailboxes = LocalMailboxes::default();
        let mut expected = vec![VecDeque::new(); 5];
        let mut rng = fastrand::Rng::with_seed(11);
        mailboxes.set_expected_inputs(2, 3);
        mailboxes.set_expected_inputs(4, 7);
        for number in 0..5000 {
            let slot = rng.u32(0..5);
            if rng.bool() {
                let from = rng.u32(0..5);
                if rng.u8(0..4) == 0 {
                    mailboxes.push(slot, from, answer(number));
                    expected[slot as usize].push_front((from, answer(number)));
                } else {
                    mailboxes.push(slot, from, signal(number));
                    expected[slot as usize].push_back((from, signal(number)));
                }
            } else if let Some(slot) = mailboxes.take_runnable() {
                for _ in 0..rng.u8(0..4) {
                    assert_eq!(mailboxes.pop(slot), expected[slot as usize].pop_front());
                }
                assert_eq!(mailboxes.has_signals(slot), !expected[slot as usize].is_empty());
                mailboxes.requeue(slot);
            }
            assert_eq!(mailboxes.len(), expected.iter().map(VecDeque::len).sum());
            assert_eq!(mailboxes.runnable(), expected.iter().filter(|signals| !signals.is_empty()).count());
        }
        assert!(mailboxes.signals.len() < 1000, "entries are used again");
    }

    #[test]
    fn complete_mailboxes_come_first_but_not_for_ever() {
        let mut mailboxes = LocalMailboxes::default();
        mailboxes.set_expected_inputs(0, 2);
        mailboxes.set_expected_inputs(1, 2);
        mailboxes.push(0, 2, signal(1));
        mailboxes.push(1, 2, signal(2));
        mailboxes.push(1, 2, signal(3));
        assert_eq!((mailboxes.runnable(), mailboxes.take_runnable()), (2, Some(1)));
        while mailboxes.pop(1).is_some() {}
        assert!(!mailboxes.has_signals(1));
        mailboxes.requeue(1);
        // One neuron always sends to another one that can answer.
        for turn in 0.. {
            mailboxes.push(2, 2, signal(turn));
            let next = mailboxes.take_runnable();
            if next == Some(0) {
                assert!((1..FAIRNESS_INTERVAL + 1).contains(&turn), "{turn}");
                break;
            }
            assert_eq!((next, mailboxes.pop(2)), (Some(2), Some((2, signal(turn)))));
        }
        assert_eq!(mailboxes.pop(0), Some((2, signal(1))));
        assert_eq!((mailboxes.take_runnable(), mailboxes.runnable()), (Some(2), 0));
    }

    #[test]
    fn mailboxes_that_are_empty_give_their_memory_back() {
        let mut mailboxes = LocalMailboxes::default();
        mailboxes.push(1, 0, signal(1));
        mailboxes.push(0, 0, signal(3));
        mailboxes.push(1, 0, signal(4));
        mailboxes.shrink_to(0);
        assert_eq!(mailboxes.take_runnable(), Some(1));
        let received: Vec<_> = std::iter::from_fn(|| mailboxes.pop(1)).collect();
        assert_eq!(received, [(0, signal(1)), (0, signal(4))]);
        assert!(!mailboxes.has_signals(1));
        mailboxes.requeue(1);
        assert_eq!((mailboxes.take_runnable(), mailboxes.pop(0)), (Some(0), Some((0, signal(3)))));
        assert_eq!(mailboxes.len(), 0);
        mailboxes.shrink_to(0);
        assert_eq!((mailboxes.signals.capacity(), mailboxes.take_runnable()), (0, None));
    }
}
