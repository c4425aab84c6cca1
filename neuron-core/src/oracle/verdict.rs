//! The judgement on the claims of a network.

use std::fmt;

use super::run::Oracle;
use crate::{
    id::NeuronId,
    record::{Claim, Record},
    tag::Tag,
};

/// A wrong claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// The neuron that made the claim.
    pub neuron: NeuronId,
    /// The tag at which the claim is wrong.
    pub tag: Tag,
    /// The level that it claimed there.
    pub claimed: f64,
    /// The level according to the oracle; `None` if it depends on a sensor that is unknown.
    pub actual: Option<f64>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { neuron, tag, claimed, actual } = self;
        write!(f, "{neuron} claimed {claimed} at {tag}, where it ")?;
        match actual {
            Some(actual) => write!(f, "is {actual}"),
            None => f.write_str("depends on a sensor that is unknown"),
        }
    }
}

/// The judgement on the claims of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The plain claims that are wrong, once for each wrong tag of their interval at which the
    /// level changes.
    pub mistakes: Vec<Mistake>,
    /// The tags that were evaluated twice, or out of order.
    pub repeated: Vec<(NeuronId, Tag)>,
    /// The number of claims.
    pub claims: usize,
    /// The number of degraded claims among them. They claim no level and are never wrong.
    pub degraded: usize,
}

impl Verdict {
    /// Judges the claims in the records of neurons.
    ///
    /// A claim is judged at its tag and at each later tag up to the `known` of the next claim. Each
    /// item of `records` is a neuron, its records, and the tag up to which its last claim is
    /// judged.
    pub fn of<'a>(oracle: &Oracle, records: impl IntoIterator<Item = (&'a NeuronId, &'a [Record], Tag)>) -> Self {
        let mut verdict = Self::default();
        for (neuron, records, upto) in records {
            let claims: Vec<Claim> = records
                .iter()
                .filter_map(|record| match record {
                    Record::Evaluated(claim) => Some(claim.clone()),
                    Record::Stamped { .. } => None,
                })
                .collect();
            for (index, claim) in claims.iter().enumerate() {
                let last = claims.get(index + 1).map_or(upto, |next| next.known).max(claim.at);
                verdict.judge(oracle, neuron, claim, last);
                if claims.get(index + 1).is_some_and(|next| next.at <= claim.at) {
                    verdict.repeated.push((neuron.clone(), claim.at));
                }
            }
            verdict.claims += claims.len();
        }
        verdict
    }

    fn judge(&mut self, oracle: &Oracle, neuron: &NeuronId, claim: &Claim, last: Tag) {
        if claim.value.is_degraded() {
            self.degraded += 1;
            return;
        }
        let changes = oracle.changes(neuron);
        let from = changes.partition_point(|(tag, _)| *tag <= claim.at);
        let inside = changes[from..].iter().take_while(|(tag, _)| *tag <= last);
        let levels = inside.copied().chain([(claim.at, oracle.level_at(neuron, claim.at))]);
        let wrong = levels.filter(|(_, actual)| *actual != claim.value.level);
        let wrong = wrong.map(|(tag, actual)| (tag, Some(actual)));
        let unfounded = oracle.first_unknown(neuron, claim.at, last).map(|tag| (tag, None));
        for (tag, actual) in wrong.chain(unfounded) {
            self.mistakes.push(Mistake { neuron: neuron.clone(), tag, claimed: claim.value.level, actual });
        }
    }
}
