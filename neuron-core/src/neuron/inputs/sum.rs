//! The weighted sum of the connected neurons.
//!
//! Why: docs/decisions/0005-sums-are-plain-doubles.md

/// The weighted sum of the connected neurons, added in the order of their names, with its bounds.
///
/// Addition rounds but never reverses an order, so whatever the uncertain inputs are, the sum lies
/// between `least` and `most`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SumBounds {
    /// The sum with the uncertain inputs at 0.
    pub(crate) sum: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// Some inputs are uncertain. Even one without a weight can bring a spike, which is enough for
    /// a threshold of 0.
    pub(crate) is_uncertain: bool,
}

impl SumBounds {
    /// Adds an input whose level is known.
    pub(crate) fn add(&mut self, contribution: f64) {
        self.sum += contribution;
        self.least += contribution;
        self.most += contribution;
    }

    /// Adds an input whose level may be 0 or 1.
    pub(crate) fn add_uncertain(&mut self, weight: f64) {
        self.least += weight.min(0.0);
        self.most += weight.max(0.0);
        self.is_uncertain = true;
    }

    /// Adds a source whose level may be any number.
    pub(crate) fn add_unbounded(&mut self, weight: f64) {
        if weight != 0.0 {
            self.least = f64::NEG_INFINITY;
            self.most = f64::INFINITY;
        }
        self.is_uncertain = true;
    }
}
