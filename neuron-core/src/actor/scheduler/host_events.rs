//! What a host tells its neurons of other hosts, and of its clock.

use std::collections::{BTreeMap, BTreeSet};

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

    /// Tells all neurons that the clock was set forward, and looks at the timers anew.
    pub(super) fn on_clock_step(&mut self) {
        self.context().read_clock();
        let by = self.context().take_clock_step();
        if by.is_zero() {
            return;
        }
        self.context().timers.disarm();
        // Cells that have not had their first turn begin at the new time.
        let new: BTreeSet<u32> = self.new.iter().copied().collect();
        for slot in self.context().registry.all_slots().filter(|slot| !new.contains(slot)) {
            self.with_cell(slot, |cell, ctx| cell.on_clock_step(by, ctx));
        }
        self.context().inboxes.wake_task();
    }
}
