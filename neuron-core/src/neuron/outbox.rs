//! What a neuron wants done, in order.
//!
//! Why: docs/decisions/0018-the-host-owns-the-outbox.md

use std::collections::VecDeque;

use super::Output;
use crate::signal::Signal;
#[cfg(feature = "actor")]
use crate::{command::Report, id::NeuronId};

/// Where a host keeps a neuron.
///
/// The neuron stores it for its host, which would have to look up the name otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalSlot(u32);

impl LocalSlot {
    /// The host has not told the slot.
    pub(crate) const UNKNOWN: Self = Self(u32::MAX);

    /// Returns the slot with this index.
    #[cfg(feature = "actor")]
    pub(crate) fn new(index: u32) -> Self {
        Self(index)
    }

    /// Returns the index of this slot.
    #[cfg(feature = "actor")]
    pub(crate) fn index(self) -> u32 {
        self.0
    }
}

/// Who a signal is for.
#[cfg(feature = "actor")]
pub(crate) enum Receiver<'a> {
    Name(&'a NeuronId),
    Slot(LocalSlot),
}

/// What a neuron wants done, in order: outputs, and apart from them signals to neurons whose slot
/// is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    outputs: VecDeque<Output>,
    local: VecDeque<(LocalSlot, Signal)>,
    /// How many [`Output::Save`] are queued.
    saves: usize,
}

impl Outbox {
    /// Queues an output.
    #[inline]
    pub(crate) fn push(&mut self, output: Output) {
        self.saves += usize::from(matches!(output, Output::Save));
        self.outputs.push_back(output);
    }

    /// Takes the next output; `None` if there is none.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        self.saves -= usize::from(matches!(output, Some(Output::Save)));
        output
    }

    /// Queues a signal to the neuron at a slot: a name would have to be copied and looked up.
    // A signal is built in its place: copying it costs more than building it.
    #[inline(always)]
    pub(crate) fn send_local(&mut self, to: LocalSlot, signal: Signal) {
        self.local.push_back((to, signal));
    }

    /// Discards all signals; reports, records and saves stay.
    pub(crate) fn discard_signals(&mut self) {
        self.outputs.retain(|output| !matches!(output, Output::Signal { .. }));
        self.local.clear();
    }
}

#[cfg(feature = "actor")]
impl Outbox {
    /// Takes the next signal to a neuron whose slot is known; `None` if there is none.
    #[inline]
    pub(crate) fn pop_local(&mut self) -> Option<(LocalSlot, Signal)> {
        self.local.pop_front()
    }

    /// Returns whether an [`Output::Save`] is queued.
    #[inline]
    pub(crate) fn needs_save(&self) -> bool {
        self.saves > 0
    }

    /// Returns how much is queued.
    pub(crate) fn len(&self) -> usize {
        self.outputs.len() + self.local.len()
    }

    /// Discards what can be told again: signals, and changes that watches are told. Passes each
    /// receiver of a signal to `on_signal`, and returns how much was discarded.
    pub(crate) fn shed(&mut self, mut on_signal: impl FnMut(Receiver<'_>)) -> usize {
        let before = self.len();
        self.outputs.retain(|output| match output {
            Output::Signal { to, .. } => {
                on_signal(Receiver::Name(to));
                false
            }
            Output::Report { report: Report::Changed { .. }, .. } | Output::Counted { .. } => false,
            _ => true,
        });
        self.local.drain(..).for_each(|(slot, _)| on_signal(Receiver::Slot(slot)));
        before - self.len()
    }

    /// Discards each [`Output::SaveSoon`]: a save that is wanted later covers it.
    pub(crate) fn discard_unhurried_saves(&mut self) {
        self.outputs.retain(|output| !matches!(output, Output::SaveSoon));
    }

    /// Takes over all of `other`, after what is queued here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.outputs.append(&mut other.outputs);
        self.local.append(&mut other.local);
        self.saves += std::mem::take(&mut other.saves);
    }

    /// Discards everything.
    pub(crate) fn clear(&mut self) {
        self.outputs.clear();
        self.local.clear();
        self.saves = 0;
    }

    /// Returns whether nothing is queued.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.local.is_empty()
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
    fn signals_are_discarded_and_a_save_stays() {
        let mut out = Outbox::default();
        out.push(Output::Signal { to: "a".parse().unwrap(), signal: signal(1) });
        out.send_local(LocalSlot::new(1), signal(2));
        out.push(Output::Save);
        assert!(out.needs_save());
        out.discard_signals();
        assert_eq!(out.pop_local(), None);
        assert!(out.needs_save());
        assert_eq!(out.pop(), Some(Output::Save));
        assert!(!out.needs_save() && out.is_empty());
    }

    #[test]
    fn a_save_that_nothing_waits_for_can_be_left_out() {
        let mut out = Outbox::default();
        [Output::SaveSoon, Output::Save, Output::SaveSoon].into_iter().for_each(|output| out.push(output));
        out.discard_unhurried_saves();
        assert_eq!((out.pop(), out.pop()), (Some(Output::Save), None));
    }

    #[test]
    fn signals_to_known_slots_keep_their_order() {
        let mut out = Outbox::default();
        for number in 0..3 {
            out.send_local(LocalSlot::new(7), signal(number));
        }
        for number in 0..3 {
            assert_eq!(out.pop_local(), Some((LocalSlot::new(7), signal(number))));
        }
        out.send_local(LocalSlot::new(7), signal(3));
        out.clear();
        assert!(out.is_empty());
    }
}
