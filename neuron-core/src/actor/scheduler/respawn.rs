//! Neurons that were silent for a while, and go on in a slot of their own.

use super::{cell::NeuronCell, scheduler::Scheduler};

impl Scheduler {
    /// Lets a neuron run again that was silent because it could not be saved, if it is saved now.
    pub(super) fn respawn_restored(&mut self, silent: u32) {
        let cell = self.cells.get_mut(silent as usize).and_then(Option::as_mut);
        let Some(neuron) = cell.and_then(|cell| cell.restored()) else { return };
        neuron.intern_params(&mut self.params);
        let slot = self.ctx.register(neuron.id().clone(), neuron.connection_count(), neuron.expected_inputs());
        self.ctx.registry.mark_drained(silent);
        let cell = self.cells[silent as usize].take().and_then(|cell| cell.into_restored(slot));
        self.cells.push(cell.map(Box::new));
        self.drain_inbox(slot);
        self.new.push_back(slot);
    }

    /// Lets all neurons go on that are fenced: another host ran them as well, and gives way to this
    /// one.
    pub(super) fn unfence(&mut self) {
        self.ctx.read_clock();
        for silent in 0..self.cells.len() {
            let Some(cell) = self.cells[silent].take_if(|cell| cell.fenced().is_some()) else { continue };
            let (inputs, expected) = cell.fenced().unwrap_or_default();
            let slot = self.ctx.register(cell.id().clone(), inputs, expected);
            self.ctx.registry.mark_drained(silent as u32);
            let cell = cell.into_unfenced(slot, &mut self.ctx);
            self.cells.push(Some(cell));
            self.with_cell(slot, NeuronCell::restart_fenced);
            self.drain_inbox(slot);
        }
        self.ctx.inboxes.wake_task();
    }
}
