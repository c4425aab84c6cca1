//! What a neuron wants done, in order.

use std::collections::VecDeque;

use super::Output;
use crate::signal::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalSlot(u32);

impl LocalSlot {
    pub(crate) const UNKNOWN: Self = Self(u32::MAX);

    #[cfg(feature = "actor")]
    pub(crate) fn new(slot: u32) -> Self {
        Self(slot)
    }

    #[cfg(feature = "actor")]
    pub(crate) fn index(self) -> u32 {
        self.0
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    outputs: VecDeque<Output>,
    local: VecDeque<(LocalSlot, Signal)>,
    has_save: bool,
}

impl Outbox {
    #[inline]
    pub(crate) fn push_back(&mut self, output: Output) {
        self.has_save |= matches!(output, Output::Save);
        self.outputs.push_back(output);
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.has_save = false;
        }
        output
    }

    pub(crate) fn pop_front(&mut self) -> Option<Output> {
        self.pop()
    }

    #[inline(always)]
    pub(crate) fn send_local(&mut self, to: LocalSlot, signal: Signal) {
        self.local.push_back((to, signal));
    }

    #[inline]
    pub(crate) fn pop_local(&mut self) -> Option<(LocalSlot, Signal)> {
        self.local.pop_front()
    }

    pub(crate) fn needs_save(&self) -> bool {
        self.has_save
    }

    pub(crate) fn discard_signals(&mut self) {
        self.outputs.retain(|output| !matches!(output, Output::Signal { .. }));
        self.local.clear();
    }

    pub(crate) fn say_nothing(&mut self) {
        self.discard_signals();
    }

    pub(crate) fn clear(&mut self) {
        self.outputs.clear();
        self.local.clear();
        self.has_save = false;
    }
}
