//! What a host tells its neurons of other hosts.

use std::collections::BTreeMap;

use super::scheduler::Scheduler;
use crate::hosts::LinkOutput;

impl Scheduler {
    /// Tells neurons that their inputs' hosts are gone or back, and asks others where they run.
    pub(super) fn on_link_events(&mut self, events: Vec<LinkOutput>) {
        self.context().read_clock();
        // One turn for all of a neuron: a host that is gone may have run thousands of its inputs.
        let mut by_slot: BTreeMap<u32, Vec<LinkOutput>> = BTreeMap::new();
        for event in events {
            let (LinkOutput::Lost { listener, .. }
            | LinkOutput::Back { listener, .. }
            | LinkOutput::AskHome { listener, .. }) = &event
            else {
                continue;
            };
            if let Some(slot) = self.context().registry.lookup(listener) {
                by_slot.entry(slot).or_default().push(event);
            }
        }
        for (slot, events) in by_slot {
            self.with_cell(slot, |cell, ctx| cell.on_link_events(&events, ctx));
        }
        self.context().inboxes.wake_task();
    }
}
