//! The outcome of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Failure, Interval, Totals};
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
    pub(super) histories: BTreeMap<NeuronId, Vec<Interval>>,
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

    /// Returns what a neuron claimed during the run, in the order of tags.
    ///
    /// A tag that lies in no interval was not answered: the neuron did not know it, or had not come
    /// so far. What an incarnation claimed that had lost its store is left out.
    ///
    /// # Panics
    /// If the network has no such neuron.
    #[expect(clippy::panic, reason = "a test with a bad name has to see it at once")]
    pub fn history(&self, neuron: &str) -> &[Interval] {
        self.histories.get(neuron).unwrap_or_else(|| panic!("the network has no neuron {neuron}"))
    }

    /// Returns the level that a neuron claimed at a tag; `None` if the answer was degraded, or
    /// there was none.
    ///
    /// So a rule for all tags is one line:
    ///
    /// ```
    /// use neuron_core::{Network, sim::{Action, Plan}};
    /// use std::time::Duration;
    ///
    /// let network = Network::builder("alarm")
    ///     .neuron("armed", |armed| armed)
    ///     .neuron("door", |door| door)
    ///     .neuron("siren", |siren| siren.threshold(1.5).weight("armed", 1.0).weight("door", 1.0))
    ///     .build()?;
    /// let at = Duration::from_secs;
    /// let plan = Plan::new(network, 7)
    ///     .loss(20)
    ///     .at(at(1), Action::stimulate("door", 1.0))
    ///     .at(at(2), Action::stimulate("armed", 1.0))
    ///     .at(at(3), Action::crash("door"));
    /// let outcome = plan.run();
    /// let rings = |tag: &_| outcome.level_at("siren", *tag) == Some(1.0);
    /// assert!(outcome.tags().into_iter().filter(rings).all(|tag| outcome.level_at("armed", tag) != Some(0.0)));
    /// assert!(outcome.tags().iter().any(rings));
    /// # Ok::<(), neuron_core::network::NetworkError>(())
    /// ```
    ///
    /// # Panics
    /// If the network has no such neuron.
    pub fn level_at(&self, neuron: &str, tag: Tag) -> Option<f64> {
        let history = self.history(neuron);
        let next = history.partition_point(|interval| interval.from <= tag);
        let interval = &history[next.checked_sub(1)?];
        let is_plain = interval.through >= tag && !interval.value.is_degraded();
        is_plain.then_some(interval.value.level)
    }

    /// Returns the tags at which anything that any neuron claimed begins or ends. Between two of
    /// them all levels stay the same.
    pub fn tags(&self) -> BTreeSet<Tag> {
        let intervals = self.histories.values().flatten();
        intervals.flat_map(|interval| [interval.from, interval.through.next()]).collect()
    }
}
