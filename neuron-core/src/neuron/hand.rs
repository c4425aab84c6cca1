//! What the neurons of one host say to each other, on its way from hand to hand.
//!
//! Whoever has something to hear has a turn, in the order in which it came to be so, and hears all that is there for it by then: in a
//! large network the memory of a neuron is far away, and so it is fetched once for many signals.

use std::collections::VecDeque;

use super::Place;
use crate::signal::Signal;

/// Nothing comes after it, or nothing is there at all.
const NONE: u32 = u32::MAX;

/// What is on its way between the neurons of a host.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    /// In no order of their own; each knows the next one of its receiver.
    letters: Vec<Letter>,
    /// The first place among them that is free, which knows the next one.
    free: u32,
    len: usize,
    /// Of each place that anything was given to.
    trays: Vec<Tray>,
    /// Whose turns come, in order.
    turns: VecDeque<u32>,
    /// What has been given in this turn.
    given: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Letter {
    from: u32,
    next: u32,
    /// Nothing if it has been taken back.
    signal: Option<Signal>,
}

/// What is there for one neuron.
#[derive(Clone, Copy, Debug)]
struct Tray {
    first: u32,
    last: u32,
    has_turn: bool,
}

impl Tray {
    const EMPTY: Self = Self { first: NONE, last: NONE, has_turn: false };
}

impl Default for Hand {
    fn default() -> Self {
        Self { letters: Vec::new(), free: NONE, len: 0, trays: Vec::new(), turns: VecDeque::new(), given: Vec::new() }
    }
}

impl Hand {
    /// Gives the one at `to` what the one at `from` says.
    #[inline]
    pub(crate) fn give(&mut self, to: Place, from: Place, signal: Signal) {
        let letter = Letter { from: from.slot(), next: NONE, signal: Some(signal) };
        let id = match self.letters.get_mut(self.free as usize) {
            Some(free) => {
                let id = std::mem::replace(&mut self.free, free.next);
                *free = letter;
                id
            }
            None => {
                self.letters.push(letter);
                u32::try_from(self.letters.len() - 1).expect("nobody has four billion letters")
            }
        };
        let to = to.slot();
        if self.trays.len() <= to as usize {
            self.trays.resize(to as usize + 1, Tray::EMPTY);
        }
        let tray = &mut self.trays[to as usize];
        let last = std::mem::replace(&mut tray.last, id);
        if tray.first == NONE {
            tray.first = id;
        } else {
            self.letters[last as usize].next = id;
        }
        if !std::mem::replace(&mut tray.has_turn, true) {
            self.turns.push_back(to);
        }
        self.given.push(id);
        self.len += 1;
    }

    /// Those who give from now on have a turn of their own.
    pub(crate) fn begin(&mut self) {
        self.given.clear();
    }

    /// Takes back what has been given in this turn.
    pub(crate) fn take_back(&mut self) {
        for id in self.given.drain(..) {
            self.letters[id as usize].signal = None;
        }
    }

    /// How many letters are on their way.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many have a turn to come.
    pub(crate) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Whose turn it is. It has another one if some of what is there for it is [left](Self::leave).
    pub(crate) fn next_turn(&mut self) -> Option<u32> {
        let slot = self.turns.pop_front()?;
        self.trays[slot as usize].has_turn = false;
        Some(slot)
    }

    /// Whose turns come next, each with the first of what it will hear.
    pub(crate) fn next_turns(&self) -> impl Iterator<Item = (u32, &Signal)> {
        self.turns.iter().filter_map(|slot| {
            let letter = self.letters.get(self.trays[*slot as usize].first as usize)?;
            Some((*slot, letter.signal.as_ref()?))
        })
    }

    /// The next letter for a neuron, and from where; only if it is `wanted`.
    #[inline]
    pub(crate) fn next_for(&mut self, slot: u32, wanted: impl Fn(u32) -> bool) -> Option<(u32, Signal)> {
        loop {
            let tray = &mut self.trays[slot as usize];
            let id = tray.first;
            let letter = self.letters.get_mut(id as usize)?;
            if letter.signal.is_some() && !wanted(letter.from) {
                return None;
            }
            tray.first = std::mem::replace(&mut letter.next, self.free);
            self.free = id;
            self.len -= 1;
            if let Some(signal) = letter.signal.take() {
                return Some((letter.from, signal));
            }
        }
    }

    /// The turn of this one is over. Tells whether there is more for it, so that it has another one.
    pub(crate) fn leave(&mut self, slot: u32) -> bool {
        let Some(tray) = self.trays.get_mut(slot as usize).filter(|tray| tray.first != NONE) else { return false };
        let waits = !std::mem::replace(&mut tray.has_turn, true);
        if waits {
            self.turns.push_back(slot);
        }
        waits
    }

    /// Keeps room for no more than so many letters, if there are none.
    pub(crate) fn shrink_to(&mut self, room: usize) {
        if self.len == 0 && self.letters.capacity() > room {
            (self.letters, self.free) = (Vec::with_capacity(room), NONE);
            self.turns.shrink_to(room);
            self.given = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Incarnation, SignalBody};

    fn signal(number: u32) -> Signal {
        Signal { incarnation: Incarnation { number, nonce: 0 }, body: SignalBody::Hello }
    }

    #[test]
    fn each_hears_what_is_for_it_in_the_order_it_was_said() {
        let (mut hand, mut expected, mut rng) =
            (Hand::default(), vec![VecDeque::new(); 5], fastrand::Rng::with_seed(11));
        for number in 0..5000 {
            let slot = rng.u32(0..5);
            if rng.bool() {
                let from = rng.u32(0..5);
                hand.give(Place::of(slot), Place::of(from), signal(number));
                expected[slot as usize].push_back((from, signal(number)));
            } else if let Some(slot) = hand.next_turn() {
                for _ in 0..rng.u8(0..4) {
                    let from = expected[slot as usize].front().map(|(from, _)| *from);
                    assert_eq!(hand.next_for(slot, |said| Some(said) != from), None, "it is not wanted");
                    assert_eq!(hand.next_for(slot, |_| true), expected[slot as usize].pop_front());
                }
                assert_eq!(hand.leave(slot), !expected[slot as usize].is_empty());
            }
            assert_eq!(hand.len(), expected.iter().map(VecDeque::len).sum());
            assert_eq!(hand.turns(), expected.iter().filter(|letters| !letters.is_empty()).count());
        }
        assert!(hand.letters.len() < 1000, "places are used again");
    }

    #[test]
    fn what_is_taken_back_is_not_heard() {
        let mut hand = Hand::default();
        let [one, other] = [0, 1].map(Place::of);
        hand.give(other, one, signal(1));
        hand.begin();
        hand.give(other, one, signal(2));
        hand.give(one, one, signal(3));
        hand.take_back();
        hand.give(other, one, signal(4));
        assert_eq!(hand.next_turn(), Some(1));
        let heard: Vec<_> = std::iter::from_fn(|| hand.next_for(1, |_| true)).collect();
        assert_eq!(heard, [(0, signal(1)), (0, signal(4))]);
        assert!(!hand.leave(1));
        assert_eq!((hand.next_turn(), hand.next_for(0, |_| true), hand.len()), (Some(0), None, 0));
        hand.shrink_to(0);
        assert_eq!((hand.letters.capacity(), hand.next_turn()), (0, None));
    }
}
