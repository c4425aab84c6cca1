//! The sum that each neuron of each peer computes.

use std::collections::VecDeque;

use benches::plan::Unit;

/// A level that one neuron sends to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    /// The number of the wave.
    pub(crate) wave: u64,
    /// The number of the input at the receiver.
    pub(crate) input: u32,
    /// The level of the sender.
    pub(crate) level: f64,
}

/// The sums of the waves that are not decided yet.
#[derive(Debug)]
pub(crate) struct Sums {
    weights: Box<[f64]>,
    threshold: f64,
    /// The first wave that is not decided.
    first: u64,
    /// For that wave and the ones after it: the sum, and how many inputs it has.
    open: VecDeque<(f64, u32)>,
}

impl Sums {
    /// Creates the sums of this neuron.
    pub(crate) fn new(unit: &Unit) -> Self {
        let weights = unit.inputs.iter().map(|(_, weight)| *weight).collect();
        Self { weights, threshold: unit.threshold, first: 0, open: VecDeque::new() }
    }

    /// Adds a message and returns the neuron's level at its wave; `None` until all inputs have
    /// arrived.
    ///
    /// Each input sends its waves in order, so waves are complete in order.
    pub(crate) fn add(&mut self, message: Message) -> Option<f64> {
        let index = (message.wave - self.first) as usize;
        if index >= self.open.len() {
            self.open.resize(index + 1, (0.0, 0));
        }
        let (sum, arrived) = &mut self.open[index];
        *sum += self.weights[message.input as usize] * message.level;
        *arrived += 1;
        if *arrived < self.weights.len() as u32 {
            return None;
        }
        let level = if *sum >= self.threshold { 1.0 } else { 0.0 };
        self.open.pop_front();
        self.first += 1;
        Some(level)
    }
}
