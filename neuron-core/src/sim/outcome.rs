//! The outcome of a run.

use std::{collections::BTreeMap, time::Duration};

use super::{Failure, Totals};
use crate::{id::NeuronId, tag::Tag, value::Value};

/// A query for a level, made by [`Action::Query`](super::Action::Query), with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The neuron that was asked.
    pub neuron: NeuronId,
    /// The tag that it was asked for: the time of the query, or of the neuron's clock if that is
    /// behind.
    pub tag: Tag,
    /// The answer; `None` if there was none, or a refusal.
    pub answer: Option<Value>,
    /// The true time from the query to the answer; `None` if there was none, or a refusal.
    pub latency: Option<Duration>,
}

/// The outcome of a run, as the oracle judges it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed of the plan.
    pub seed: u64,
    /// The broken promises; empty if all went well.
    pub failures: Vec<Failure>,
    /// The counts of the run.
    pub totals: Totals,
    /// A fingerprint of everything that happened, in order. Runs of the same plan have the same
    /// one.
    pub trace: u64,
    /// The queries, in their order.
    pub queries: Vec<Query>,
    pub(super) final_values: BTreeMap<NeuronId, Value>,
}

impl Outcome {
    /// Returns the value of a neuron at the end of the run; the value at rest if the neuron is
    /// down.
    ///
    /// # Panics
    /// If the network has no such neuron.
    #[expect(clippy::panic, reason = "a test with a bad name has to see it at once")]
    pub fn final_value(&self, neuron: &str) -> &Value {
        self.final_values.get(neuron).unwrap_or_else(|| panic!("the network has no neuron {neuron}"))
    }
}
