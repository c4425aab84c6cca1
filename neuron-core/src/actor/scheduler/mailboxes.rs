//! What the neurons of one host say to each other, on its way from hand to hand.
//!
//! Whoever has something to hear has a turn, and hears all that is there for it by then. First come those for whom there is as much as
//! they have inputs, who can usually answer; the others when there are none of these. So a wave goes through a large network with
//! about one turn for each neuron, for which its memory is fetched once, and not with one for each signal.

use std::collections::VecDeque;

use crate::{
    neuron::Place,
    signal::{Signal, SignalBody},
};

/// Nothing comes after it, or nothing is there at all.
const NONE: u32 = u32::MAX;
/// After how many turns of those who can answer one of the others has its turn, too.
const OFTEN: u32 = 1024;

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
    /// Those who can answer, in the order of their turns; some have had it since.
    ready: VecDeque<u32>,
    /// And the others.
    others: VecDeque<u32>,
    /// How many have a turn to come.
    turns: usize,
    /// How many turns there were since one of the others had one.
    since: u32,
    /// Counts how often everything had been heard.
    flight: u32,
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
    count: u32,
    /// How many it hears until it can usually answer,
    inputs: u32,
    /// and how many more it has to hear of those,
    lacks: u32,
    /// since what was on its way last began to be so.
    flight: u32,
    turn: Turn,
}

/// Which turn somebody has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    None,
    Ready,
    Other,
}

impl Tray {
    const EMPTY: Self = Self { first: NONE, last: NONE, count: 0, inputs: 1, lacks: 1, flight: 0, turn: Turn::None };
}

impl Default for Hand {
    fn default() -> Self {
        Self {
            letters: Vec::new(),
            free: NONE,
            len: 0,
            trays: Vec::new(),
            ready: VecDeque::new(),
            others: VecDeque::new(),
            turns: 0,
            since: 0,
            flight: 0,
            given: Vec::new(),
        }
    }
}

impl Hand {
    /// The one at this place can usually answer when it has heard so many.
    pub(crate) fn set_inputs(&mut self, at: Place, inputs: usize) {
        let tray = self.tray(at.slot());
        tray.inputs = u32::try_from(inputs).unwrap_or(u32::MAX).max(1);
        tray.lacks = tray.inputs;
    }

    #[inline]
    fn tray(&mut self, slot: u32) -> &mut Tray {
        if self.trays.len() <= slot as usize {
            self.trays.resize(slot as usize + 1, Tray::EMPTY);
        }
        &mut self.trays[slot as usize]
    }

    /// Gives the one at `to` what the one at `from` says. An answer to a question comes before all that is there already: what that
    /// is may have to wait for the answer, and a promise may overtake the statements that it follows.
    #[inline(always)]
    pub(crate) fn give(&mut self, to: Place, from: Place, signal: Signal) {
        let answers = matches!(signal.body, SignalBody::Nothing { wave: false, .. });
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
        let slot = to.slot();
        let tray = self.tray(slot);
        tray.count += 1;
        if tray.first == NONE {
            (tray.first, tray.last) = (id, id);
        } else if answers {
            let next = std::mem::replace(&mut tray.first, id);
            self.letters[id as usize].next = next;
        } else {
            let last = std::mem::replace(&mut tray.last, id);
            self.letters[last as usize].next = id;
        }
        self.arrange(slot);
        self.given.push(id);
        self.len += 1;
    }

    /// Sees to it that somebody for whom there is something has a turn.
    fn arrange(&mut self, slot: u32) {
        let tray = &mut self.trays[slot as usize];
        if std::mem::replace(&mut tray.flight, self.flight) != self.flight {
            tray.lacks = tray.inputs;
        }
        let turn = if tray.count >= tray.lacks { Turn::Ready } else { Turn::Other };
        let before = tray.turn;
        match (before, turn) {
            (Turn::None | Turn::Other, Turn::Ready) => self.ready.push_back(slot),
            (Turn::None, _) => self.others.push_back(slot),
            _ => return,
        }
        tray.turn = turn;
        self.turns += usize::from(before == Turn::None);
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
        self.turns
    }

    /// Whose turn it is. It has another one if some of what is there for it is [left](Self::leave).
    pub(crate) fn next_turn(&mut self) -> Option<u32> {
        loop {
            let ready = if self.since < OFTEN { self.ready.pop_front() } else { None };
            let (slot, turn) = match ready {
                Some(slot) => (slot, Turn::Ready),
                None => match self.others.pop_front() {
                    Some(slot) => (slot, Turn::Other),
                    None => (self.ready.pop_front()?, Turn::Ready),
                },
            };
            // It may have got another kind of turn in the meantime.
            if self.trays[slot as usize].turn == turn {
                self.since = if turn == Turn::Ready { self.since.saturating_add(1) } else { 0 };
                self.trays[slot as usize].turn = Turn::None;
                self.turns -= 1;
                return Some(slot);
            }
        }
    }

    /// Whether there is something for this one.
    pub(crate) fn is_something_for(&self, slot: u32) -> bool {
        self.trays.get(slot as usize).is_some_and(|tray| tray.first != NONE)
    }

    /// Whose turns come next, among the first so many, each with the first of what it will hear.
    pub(crate) fn next_turns(&self, among: usize) -> impl Iterator<Item = (u32, &Signal)> {
        self.ready.iter().chain(&self.others).take(among).filter_map(|slot| {
            let letter = self.letters.get(self.trays[*slot as usize].first as usize)?;
            Some((*slot, letter.signal.as_ref()?))
        })
    }

    /// The next letter for a neuron, and from where.
    #[inline]
    pub(crate) fn next_for(&mut self, slot: u32) -> Option<(u32, Signal)> {
        loop {
            let tray = &mut self.trays[slot as usize];
            let id = tray.first;
            let letter = self.letters.get_mut(id as usize)?;
            tray.first = std::mem::replace(&mut letter.next, self.free);
            tray.count -= 1;
            tray.lacks = if tray.lacks > 1 { tray.lacks - 1 } else { tray.inputs };
            self.free = id;
            self.len -= 1;
            self.flight = self.flight.wrapping_add(u32::from(self.len == 0));
            if let Some(signal) = letter.signal.take() {
                return Some((letter.from, signal));
            }
        }
    }

    /// The turn of this one is over. If there is more for it, it has another one.
    pub(crate) fn leave(&mut self, slot: u32) {
        if self.is_something_for(slot) {
            self.arrange(slot);
        }
    }

    /// Keeps room for no more than so many letters, if there are none.
    pub(crate) fn shrink_to(&mut self, room: usize) {
        if self.len == 0 && self.letters.capacity() > room {
            (self.letters, self.free) = (Vec::with_capacity(room), NONE);
            (self.ready, self.others, self.since) = (VecDeque::new(), VecDeque::new(), 0);
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
            (Hand::default(), vec![VecDeque::new(); 5], fastrand::Rng::with_seed(11));
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
            assert_eq!(hand.turns(), expected.iter().filter(|letters| !letters.is_empty()).count());
        }
        assert!(hand.letters.len() < 1000, "places are used again");
    }

    #[test]
    fn those_who_can_answer_come_first_but_not_for_ever() {
        let mut hand = Hand::default();
        let places = [0, 1, 2].map(Place::of);
        hand.set_inputs(places[0], 2);
        hand.set_inputs(places[1], 2);
        hand.give(places[0], places[2], signal(1));
        hand.give(places[1], places[2], signal(2));
        hand.give(places[1], places[2], signal(3));
        assert_eq!((hand.turns(), hand.next_turn()), (2, Some(1)));
        while hand.next_for(1).is_some() {}
        assert!(!hand.is_something_for(1));
        hand.leave(1);
        // Somebody has always something to say to somebody who can answer.
        for turn in 0.. {
            hand.give(places[2], places[2], signal(turn));
            let next = hand.next_turn();
            if next == Some(0) {
                assert!((1..OFTEN + 1).contains(&turn), "{turn}");
                break;
            }
            assert_eq!((next, hand.next_for(2)), (Some(2), Some((2, signal(turn)))));
        }
        assert_eq!(hand.next_for(0), Some((2, signal(1))));
        assert_eq!((hand.next_turn(), hand.turns()), (Some(2), 0));
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
        let heard: Vec<_> = std::iter::from_fn(|| hand.next_for(1)).collect();
        assert_eq!(heard, [(0, signal(1)), (0, signal(4))]);
        assert!(!hand.is_something_for(1));
        hand.leave(1);
        assert_eq!((hand.next_turn(), hand.next_for(0), hand.len()), (Some(0), None, 0));
        hand.shrink_to(0);
        assert_eq!((hand.letters.capacity(), hand.next_turn()), (0, None));
    }
}
