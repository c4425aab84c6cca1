//! What every neuron of the peers computes.

use std::collections::VecDeque;

use benches::plan::Unit;

/// A level, from one neuron to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    /// Counts the waves.
    pub(crate) wave: u64,
    /// Which of the receiver's inputs it is for.
    pub(crate) input: u32,
    /// The sender's level.
    pub(crate) level: f64,
}

/// Waits for all inputs of a wave and compares their sum with the threshold.
#[derive(Debug)]
pub(crate) struct Sums {
    weights: Box<[f64]>,
    threshold: f64,
    /// The first wave that is not decided, and the ones after it: the sum, and how many inputs are heard.
    first: u64,
    open: VecDeque<(f64, u32)>,
}

impl Sums {
    /// Of this neuron.
    pub(crate) fn new(unit: &Unit) -> Self {
        let weights = unit.inputs.iter().map(|(_, weight)| *weight).collect();
        Self { weights, threshold: unit.threshold, first: 0, open: VecDeque::new() }
    }

    /// The neuron's level at that wave, once all its inputs have told theirs. Each input tells its waves in order, so waves
    /// are complete in order.
    pub(crate) fn hear(&mut self, message: Message) -> Option<f64> {
        let index = (message.wave - self.first) as usize;
        if index >= self.open.len() {
            self.open.resize(index + 1, (0.0, 0));
        }
        let (sum, heard) = &mut self.open[index];
        *sum += self.weights[message.input as usize] * message.level;
        *heard += 1;
        if *heard < self.weights.len() as u32 {
            return None;
        }
        let level = if *sum >= self.threshold { 1.0 } else { 0.0 };
        self.open.pop_front();
        self.first += 1;
        Some(level)
    }
}
