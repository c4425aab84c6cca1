//! What a neuron wants done, in order.

use std::collections::VecDeque;

use super::{Output, rare::Rare};
#[cfg(feature = "actor")]
use crate::{actor::LocalMailboxes, signal::Signal};

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
/// they have only the pointers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    outputs: Rare<VecDeque<Output>>,
    #[cfg(feature = "actor")]
    lent: Rare<Lent>,
}

/// What a host lends.
#[cfg(feature = "actor")]
#[derive(Clone, Debug)]
pub(crate) struct Lent {
    hand: LocalMailboxes,
    /// What cannot go from hand to hand now.
    held: VecDeque<(Place, Signal)>,
    /// Where the neuron is kept that has it,
    from: Place,
    /// and how much may be on its way for it to give what it says from hand to hand; nothing from then on that there was more.
    most: usize,
}

#[cfg(feature = "actor")]
impl Default for Lent {
    fn default() -> Self {
        Self { hand: LocalMailboxes::default(), held: VecDeque::new(), from: Place::UNKNOWN, most: 0 }
    }
}

impl Outbox {
    #[inline]
    pub(crate) fn push_back(&mut self, output: Output) {
        self.outputs.make().push_back(output);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Output> {
        self.outputs.get_mut()?.pop_front()
    }

    /// Leaves out what is said to other neurons.
    pub(crate) fn say_nothing(&mut self) {
        if let Some(outputs) = self.outputs.get_mut() {
            outputs.retain(|output| !matches!(output, Output::Signal { .. }));
        }
        #[cfg(feature = "actor")]
        if let Some(lent) = self.lent.get_mut() {
            lent.hand.take_back();
            lent.held.clear();
        }
    }
}

#[cfg(feature = "actor")]
impl Outbox {
    /// Says something to the neuron that the host keeps at a place: a name would have to be copied, and looked up.
    #[inline(always)]
    pub(crate) fn give(&mut self, to: Place, signal: Signal) {
        let lent = self.lent.make();
        if lent.hand.len() < lent.most {
            lent.hand.give(to, lent.from, signal);
        } else {
            lent.most = 0;
            lent.held.push_back((to, signal));
        }
    }

    /// Gives it from hand to hand, whatever may be the case otherwise.
    pub(crate) fn give_now(&mut self, to: Place, signal: Signal) {
        let lent = self.lent.make();
        lent.hand.give(to, lent.from, signal);
    }

    /// The next thing that could not go from hand to hand.
    #[inline]
    pub(crate) fn next_held(&mut self) -> Option<(Place, Signal)> {
        self.lent.get_mut()?.held.pop_front()
    }

    /// What is on its way.
    #[inline]
    pub(crate) fn hand(&mut self) -> &mut LocalMailboxes {
        &mut self.lent.make().hand
    }

    /// What is on its way, if anything ever was.
    pub(crate) fn see_hand(&self) -> Option<&LocalMailboxes> {
        self.lent.get().map(|lent| &lent.hand)
    }

    /// Goes to the neuron at `from`. If that one wants something already, it goes on with a queue of its own; and if it has been lent
    /// this before, nothing changes.
    #[inline]
    pub(crate) fn lend(&mut self, to: &mut Self, from: Place, most: usize) {
        if self.lent.get().is_some() {
            std::mem::swap(&mut to.lent, &mut self.lent);
        }
        if to.outputs.get().is_none() {
            std::mem::swap(&mut to.outputs, &mut self.outputs);
        }
        let lent = to.lent.make();
        (lent.from, lent.most) = (from, most);
        lent.hand.begin();
    }

    /// Comes back from a neuron. What that one still wants is over.
    #[inline]
    pub(crate) fn come_back(&mut self, from: &mut Self) {
        if from.lent.get().is_some() {
            std::mem::swap(&mut self.lent, &mut from.lent);
        }
        if self.outputs.get().is_none() {
            std::mem::swap(&mut self.outputs, &mut from.outputs);
        } else if from.outputs.get().is_some() {
            from.outputs.forget();
        }
        if let Some(outputs) = self.outputs.get_mut().filter(|outputs| !outputs.is_empty()) {
            outputs.clear();
        }
        if let Some(lent) = self.lent.get_mut().filter(|lent| !lent.held.is_empty()) {
            lent.held.clear();
        }
    }
}

#[cfg(all(test, feature = "actor"))]
mod tests {
    use super::*;
    use crate::signal::{Incarnation, SignalBody};

    fn signal(number: u32) -> Signal {
        Signal { incarnation: Incarnation { number, nonce: 0 }, body: SignalBody::Hello }
    }

    #[test]
    fn what_is_more_than_may_be_on_its_way_is_held_and_so_is_all_that_comes_after_it() {
        let (mut host, mut neuron, to) = (Outbox::default(), Outbox::default(), Place::of(1));
        host.lend(&mut neuron, Place::of(0), 2);
        for number in 0..4 {
            neuron.give(to, signal(number));
        }
        assert_eq!(neuron.hand().next_for(1), Some((0, signal(0))));
        // There is room again, but what is held comes first.
        neuron.give(to, signal(4));
        assert_eq!(neuron.hand().len(), 1);
        let held: Vec<_> = std::iter::from_fn(|| neuron.next_held()).collect();
        assert_eq!(held, [(to, signal(2)), (to, signal(3)), (to, signal(4))]);
    }

    #[test]
    fn what_is_on_its_way_stays_with_the_host_whatever_becomes_of_a_neuron() {
        let (mut host, mut neuron) = (Outbox::default(), Outbox::default());
        host.hand().give(Place::of(1), Place::of(0), signal(1));
        // One that has not been lent anything gives nothing back.
        host.come_back(&mut neuron);
        assert_eq!(host.hand().len(), 1);
        host.lend(&mut neuron, Place::of(0), 9);
        neuron.give(Place::of(1), signal(2));
        neuron.push_back(Output::Save);
        neuron.say_nothing();
        host.come_back(&mut neuron);
        let heard: Vec<_> = std::iter::from_fn(|| host.hand().next_for(1)).collect();
        assert_eq!((heard, host.pop_front()), (vec![(0, signal(1))], None));
    }
}
