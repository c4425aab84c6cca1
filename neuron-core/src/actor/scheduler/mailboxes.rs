//! What the neurons of one host say to each other, on its way from hand to hand.
//!
//! Whoever has something to hear has a turn, and hears all that is there for it by then. First come those for whom there is as much as
//! they have inputs, who can usually answer; the partial when there are none of these. So a wave goes through a large network with
//! about one turn for each neuron, for which its memory is fetched once, and not with one for each signal.

use std::collections::VecDeque;

use crate::{
    neuron::Place,
    signal::{Signal, SignalBody},
};

/// Nothing comes after it, or nothing is there at all.
const NONE: u32 = u32::MAX;
/// After how many runnable of those who can answer one of the partial has its turn, too.
const FAIRNESS_INTERVAL: u32 = 1024;

/// What is on its way between the neurons of a host.
#[derive(Clone, Debug)]
pub(crate) struct LocalMailboxes {
    /// In no order of their own; each knows the next one of its receiver.
    signals: Vec<QueuedSignal>,
    /// The first place among them that is free, which knows the next one.
    free: u32,
    len: usize,
    /// Of each place that anything was given to.
    mailboxes: Vec<Mailbox>,
    /// Those who can answer, in the order of their runnable; some have had it complete_streak.
    ready: VecDeque<u32>,
    /// And the partial.
    partial: VecDeque<u32>,
    /// How many have a turn to come.
    runnable: usize,
    /// How many runnable there were complete_streak one of the partial had one.
    complete_streak: u32,
    /// Counts how often everything had been heard.
    epoch: u32,
    /// What has been given in this turn.
    given: Vec<u32>,
}

#[derive(Clone, Debug)]
struct QueuedSignal {
    from: u32,
    next: u32,
    /// Nothing if it has been taken back.
    signal: Option<Signal>,
}

/// What is there for one neuron.
#[derive(Clone, Copy, Debug)]
struct Mailbox {
    first: u32,
    last: u32,
    count: u32,
    /// How many it hears until it can usually answer,
    inputs: u32,
    /// and how many more it has to hear of those,
    missing: u32,
    /// complete_streak what was on its way last began to be so.
    epoch: u32,
    turn: RunState,
}

/// Which turn somebody has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunState {
    None,
    Ready,
    Other,
}

impl Mailbox {
    const EMPTY: Self =
        Self { first: NONE, last: NONE, count: 0, inputs: 1, missing: 1, epoch: 0, turn: RunState::None };
}

impl Default for LocalMailboxes {
    fn default() -> Self {
        Self {
            signals: Vec::new(),
            free: NONE,
            len: 0,
            mailboxes: Vec::new(),
            ready: VecDeque::new(),
            partial: VecDeque::new(),
            runnable: 0,
            complete_streak: 0,
            epoch: 0,
            given: Vec::new(),
        }
    }
}

impl LocalMailboxes {
    /// The one at this place can usually answer when it has heard so many.
    pub(crate) fn set_inputs(&mut self, at: Place, inputs: usize) {
        let mailbox = self.mailbox(at.slot());
        mailbox.inputs = u32::try_from(inputs).unwrap_or(u32::MAX).max(1);
        mailbox.missing = mailbox.inputs;
    }

    #[inline]
    fn mailbox(&mut self, slot: u32) -> &mut Mailbox {
        if self.mailboxes.len() <= slot as usize {
            self.mailboxes.resize(slot as usize + 1, Mailbox::EMPTY);
        }
        &mut self.mailboxes[slot as usize]
    }

    /// Gives the one at `to` what the one at `from` says. An answer to a question comes before all that is there already: what that
    /// is may have to wait for the answer, and a promise may overtake the statements that it follows.
    #[inline(always)]
    pub(crate) fn give(&mut self, to: Place, from: Place, signal: Signal) {
        let answers = matches!(signal.body, SignalBody::Nothing { wave: false, .. });
        let queued = QueuedSignal { from: from.slot(), next: NONE, signal: Some(signal) };
        let id = match self.signals.get_mut(self.free as usize) {
            Some(free) => {
                let id = std::mem::replace(&mut self.free, free.next);
                *free = queued;
                id
            }
            None => {
                self.signals.push(queued);
                u32::try_from(self.signals.len() - 1).expect("nobody has four billion signals")
            }
        };
        let slot = to.slot();
        let mailbox = self.mailbox(slot);
        mailbox.count += 1;
        if mailbox.first == NONE {
            (mailbox.first, mailbox.last) = (id, id);
        } else if answers {
            let next = std::mem::replace(&mut mailbox.first, id);
            self.signals[id as usize].next = next;
        } else {
            let last = std::mem::replace(&mut mailbox.last, id);
            self.signals[last as usize].next = id;
        }
        self.arrange(slot);
        self.given.push(id);
        self.len += 1;
    }

    /// Sees to it that somebody for whom there is something has a turn.
    fn arrange(&mut self, slot: u32) {
        let mailbox = &mut self.mailboxes[slot as usize];
        if std::mem::replace(&mut mailbox.epoch, self.epoch) != self.epoch {
            mailbox.missing = mailbox.inputs;
        }
        let turn = if mailbox.count >= mailbox.missing { RunState::Ready } else { RunState::Other };
        let before = mailbox.turn;
        match (before, turn) {
            (RunState::None | RunState::Other, RunState::Ready) => self.ready.push_back(slot),
            (RunState::None, _) => self.partial.push_back(slot),
            _ => return,
        }
        mailbox.turn = turn;
        self.runnable += usize::from(before == RunState::None);
    }

    /// Those who give from now on have a turn of their own.
    pub(crate) fn begin(&mut self) {
        self.given.clear();
    }

    /// Takes back what has been given in this turn.
    pub(crate) fn take_back(&mut self) {
        for id in self.given.drain(..) {
            self.signals[id as usize].signal = None;
        }
    }

    /// How many signals are on their way.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many have a turn to come.
    pub(crate) fn runnable(&self) -> usize {
        self.runnable
    }

    /// Whose turn it is. It has another one if some of what is there for it is [left](Self::leave).
    pub(crate) fn next_turn(&mut self) -> Option<u32> {
        loop {
            let ready = if self.complete_streak < FAIRNESS_INTERVAL { self.ready.pop_front() } else { None };
            let (slot, turn) = match ready {
                Some(slot) => (slot, RunState::Ready),
                None => match self.partial.pop_front() {
                    Some(slot) => (slot, RunState::Other),
                    None => (self.ready.pop_front()?, RunState::Ready),
                },
            };
            // It may have got another kind of turn in the meantime.
            if self.mailboxes[slot as usize].turn == turn {
                self.complete_streak = if turn == RunState::Ready { self.complete_streak.saturating_add(1) } else { 0 };
                self.mailboxes[slot as usize].turn = RunState::None;
                self.runnable -= 1;
                return Some(slot);
            }
        }
    }

    /// Whether there is something for this one.
    pub(crate) fn is_something_for(&self, slot: u32) -> bool {
        self.mailboxes.get(slot as usize).is_some_and(|mailbox| mailbox.first != NONE)
    }

    /// Whose runnable come next, among the first so many, each with the first of what it will hear.
    pub(crate) fn next_turns(&self, among: usize) -> impl Iterator<Item = (u32, &Signal)> {
        self.ready.iter().chain(&self.partial).take(among).filter_map(|slot| {
            let queued = self.signals.get(self.mailboxes[*slot as usize].first as usize)?;
            Some((*slot, queued.signal.as_ref()?))
        })
    }

    /// The next queued for a neuron, and from where.
    #[inline]
    pub(crate) fn next_for(&mut self, slot: u32) -> Option<(u32, Signal)> {
        loop {
            let mailbox = &mut self.mailboxes[slot as usize];
            let id = mailbox.first;
            let queued = self.signals.get_mut(id as usize)?;
            mailbox.first = std::mem::replace(&mut queued.next, self.free);
            mailbox.count -= 1;
            mailbox.missing = if mailbox.missing > 1 { mailbox.missing - 1 } else { mailbox.inputs };
            self.free = id;
            self.len -= 1;
            self.epoch = self.epoch.wrapping_add(u32::from(self.len == 0));
            if let Some(signal) = queued.signal.take() {
                return Some((queued.from, signal));
            }
        }
    }

    /// The turn of this one is over. If there is more for it, it has another one.
    pub(crate) fn leave(&mut self, slot: u32) {
        if self.is_something_for(slot) {
            self.arrange(slot);
        }
    }

    /// Keeps room for no more than so many signals, if there are none.
    pub(crate) fn shrink_to(&mut self, room: usize) {
        if self.len == 0 && self.signals.capacity() > room {
            (self.signals, self.free) = (Vec::with_capacity(room), NONE);
            (self.ready, self.partial, self.complete_streak) = (VecDeque::new(), VecDeque::new(), 0);
            self.given = Vec::new();
        }
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
    fn each_hears_what_is_for_it_in_the_order_it_was_said_but_answers_first() {
        let (mut hand, mut expected, mut rng) =
            (LocalMailboxes::default(), vec![VecDeque::new(); 5], fastrand::Rng::with_seed(11));
        hand.set_inputs(Place::of(2), 3);
        hand.set_inputs(Place::of(4), 7);
        for number in 0..5000 {
            let slot = rng.u32(0..5);
            if rng.bool() {
                let from = rng.u32(0..5);
                if rng.u8(0..4) == 0 {
                    hand.give(Place::of(slot), Place::of(from), answer(number));
                    expected[slot as usize].push_front((from, answer(number)));
                } else {
                    hand.give(Place::of(slot), Place::of(from), signal(number));
                    expected[slot as usize].push_back((from, signal(number)));
                }
            } else if let Some(slot) = hand.next_turn() {
                for _ in 0..rng.u8(0..4) {
                    assert_eq!(hand.next_for(slot), expected[slot as usize].pop_front());
                }
                assert_eq!(hand.is_something_for(slot), !expected[slot as usize].is_empty());
                hand.leave(slot);
            }
            assert_eq!(hand.len(), expected.iter().map(VecDeque::len).sum());
            assert_eq!(hand.runnable(), expected.iter().filter(|signals| !signals.is_empty()).count());
        }
        assert!(hand.signals.len() < 1000, "places are used again");
    }

    #[test]
    fn those_who_can_answer_come_first_but_not_for_ever() {
        let mut hand = LocalMailboxes::default();
        let places = [0, 1, 2].map(Place::of);
        hand.set_inputs(places[0], 2);
        hand.set_inputs(places[1], 2);
        hand.give(places[0], places[2], signal(1));
        hand.give(places[1], places[2], signal(2));
        hand.give(places[1], places[2], signal(3));
        assert_eq!((hand.runnable(), hand.next_turn()), (2, Some(1)));
        while hand.next_for(1).is_some() {}
        assert!(!hand.is_something_for(1));
        hand.leave(1);
        // Somebody has always something to say to somebody who can answer.
        for turn in 0.. {
            hand.give(places[2], places[2], signal(turn));
            let next = hand.next_turn();
            if next == Some(0) {
                assert!((1..FAIRNESS_INTERVAL + 1).contains(&turn), "{turn}");
                break;
            }
            assert_eq!((next, hand.next_for(2)), (Some(2), Some((2, signal(turn)))));
        }
        assert_eq!(hand.next_for(0), Some((2, signal(1))));
        assert_eq!((hand.next_turn(), hand.runnable()), (Some(2), 0));
    }

    #[test]
    fn what_is_taken_back_is_not_heard() {
        let mut hand = LocalMailboxes::default();
        let [one, other] = [0, 1].map(Place::of);
        hand.give(other, one, signal(1));
        hand.begin();
        hand.give(other, one, signal(2));
        hand.give(one, one, signal(3));
        hand.take_back();
        hand.give(other, one, signal(4));
        assert_eq!(hand.next_turn(), Some(1));
        let heard: Vec<_> = std::iter::from_fn(|| hand.next_for(1)).collect();
        assert_eq!(heard, [(0, signal(1)), (0, signal(4))]);
        assert!(!hand.is_something_for(1));
        hand.leave(1);
        assert_eq!((hand.next_turn(), hand.next_for(0), hand.len()), (Some(0), None, 0));
        hand.shrink_to(0);
        assert_eq!((hand.signals.capacity(), hand.next_turn()), (0, None));
    }
}
