//! What a neuron wants done, in order.

use std::collections::VecDeque;

use super::Output;
#[cfg(feature = "actor")]
use super::hand::Hand;
#[cfg(feature = "actor")]
use crate::signal::Signal;

/// Where the host that runs a neuron keeps another one, as far as that is known. The neuron only keeps it for its host, which has
/// to look for the name otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    pub(crate) const UNKNOWN: Self = Self(u32::MAX);

    #[cfg(feature = "actor")]
    pub(crate) fn of(slot: u32) -> Self {
        Self(slot)
    }

    #[cfg(feature = "actor")]
    pub(crate) fn slot(self) -> u32 {
        self.0
    }
}

/// What a neuron wants done, in order. A host has one for all its neurons, and lends it to each for its turn: between their turns
/// they have only the pointer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox(Option<Box<Queues>>);

#[derive(Clone, Debug, Default)]
struct Queues {
    outputs: VecDeque<Output>,
    #[cfg(feature = "actor")]
    lent: Lent,
}

/// What a host lends.
#[cfg(feature = "actor")]
#[derive(Clone, Debug)]
pub(crate) struct Lent {
    pub(crate) hand: Hand,
    /// What cannot go from hand to hand now.
    held: VecDeque<(Place, Signal)>,
    /// Where the neuron is kept that has it,
    from: Place,
    /// and whether it may give what it says from hand to hand.
    may_give: bool,
}

#[cfg(feature = "actor")]
impl Default for Lent {
    fn default() -> Self {
        Self { hand: Hand::default(), held: VecDeque::new(), from: Place::UNKNOWN, may_give: false }
    }
}

impl Outbox {
    #[inline]
    pub(crate) fn push_back(&mut self, output: Output) {
        self.0.get_or_insert_default().outputs.push_back(output);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Output> {
        self.0.as_mut()?.outputs.pop_front()
    }

    /// Leaves out what is said to other neurons.
    pub(crate) fn say_nothing(&mut self) {
        let Some(queues) = &mut self.0 else { return };
        queues.outputs.retain(|output| !matches!(output, Output::Signal { .. }));
        #[cfg(feature = "actor")]
        {
            queues.lent.hand.take_back();
            queues.lent.held.clear();
        }
    }

    /// Takes no more memory than it needs now.
    pub(crate) fn shrink(&mut self) {
        if let Some(queues) = &mut self.0 {
            queues.outputs.shrink_to_fit();
        }
    }
}

#[cfg(feature = "actor")]
impl Outbox {
    /// Says something to the neuron that the host keeps at a place: a name would have to be copied, and looked up.
    #[inline(always)]
    pub(crate) fn give(&mut self, to: Place, signal: Signal) {
        let lent = &mut self.0.get_or_insert_default().lent;
        if lent.may_give {
            lent.hand.give(to, lent.from, signal);
        } else {
            lent.held.push_back((to, signal));
        }
    }

    /// Gives it from hand to hand, whatever may be the case otherwise.
    pub(crate) fn give_now(&mut self, to: Place, signal: Signal) {
        let lent = self.lent();
        lent.hand.give(to, lent.from, signal);
    }

    /// The next thing that could not go from hand to hand.
    #[inline]
    pub(crate) fn next_held(&mut self) -> Option<(Place, Signal)> {
        self.0.as_mut()?.lent.held.pop_front()
    }

    /// What is on its way.
    #[inline]
    pub(crate) fn hand(&mut self) -> &mut Hand {
        &mut self.lent().hand
    }

    #[inline]
    fn lent(&mut self) -> &mut Lent {
        &mut self.0.get_or_insert_default().lent
    }

    /// What is on its way, if anything ever was.
    pub(crate) fn see_hand(&self) -> Option<&Hand> {
        self.0.as_ref().map(|queues| &queues.lent.hand)
    }

    /// Moves to the neuron at `from`, which has this one, with what it wants already. If it has been lent to it before, nothing
    /// changes.
    #[inline]
    pub(crate) fn lend(&mut self, to: &mut Self, from: Place, may_give: bool) {
        if let Some(mut queues) = self.0.take() {
            if let Some(own) = to.0.take() {
                queues.outputs.extend(own.outputs);
            }
            to.0 = Some(queues);
        }
        let lent = to.lent();
        (lent.from, lent.may_give) = (from, may_give);
        lent.hand.begin();
    }

    /// Comes back from a neuron. What that one still wants is over.
    #[inline]
    pub(crate) fn come_back(&mut self, from: &mut Self) {
        *self = std::mem::take(from);
        let Some(queues) = &mut self.0 else { return };
        if !queues.outputs.is_empty() {
            queues.outputs.clear();
        }
        if !queues.lent.held.is_empty() {
            queues.lent.held.clear();
        }
    }
}
