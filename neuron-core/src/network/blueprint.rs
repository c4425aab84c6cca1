//! A network laid out for a start.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    ptr,
};

use rustc_hash::FxBuildHasher;

use super::{Network, NetworkSettings, NeuronSpec, Synapse};
use crate::{id::NeuronId, neuron::Config};

/// What a host makes its neurons from: a network in a few large pieces of memory, where neurons are numbers.
///
/// A [`Network`] is many small pieces. Turned into this, it gives them all back before the first neuron is made, and the neurons
/// can have them.
#[derive(Debug)]
pub(crate) struct Blueprint {
    settings: NetworkSettings,
    /// Ordered by name; their numbers are their places here.
    neurons: Vec<Planned>,
    /// The inputs of all neurons, one neuron's after the other's.
    inputs: Vec<PlannedInput>,
}

#[derive(Debug)]
struct Planned {
    id: NeuronId,
    /// Without its weights,
    spec: NeuronSpec,
    /// which are kept here.
    inputs: Range<usize>,
}

/// A connection, as the receiving neuron sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedInput {
    /// The number of the neuron it comes from.
    pub(crate) source: u32,
    pub(crate) synapse: Synapse,
}

impl From<Network> for Blueprint {
    fn from(Network { settings, neurons: specs, .. }: Network) -> Self {
        let numbers: HashMap<NeuronId, u32, FxBuildHasher> = specs.keys().cloned().zip(0..).collect();
        let count = specs.values().map(|spec| spec.weights.len()).sum();
        // With all the room they need: pieces that grow would leave holes.
        let (mut neurons, mut inputs) = (Vec::with_capacity(specs.len()), Vec::with_capacity(count));
        let mut used = Vec::with_capacity(specs.len());
        for (id, mut spec) in specs {
            let (begin, weights) = (inputs.len(), std::mem::take(&mut spec.weights));
            // Every source of a network exists.
            inputs.extend(
                weights.iter().map(|(source, synapse)| PlannedInput { source: numbers[source], synapse: *synapse }),
            );
            used.push(weights);
            neurons.push(Planned { id, spec, inputs: begin..inputs.len() });
        }
        give_back(used);
        Self { settings, neurons, inputs }
    }
}

/// Gives memory back in the order in which it lies there. The C library's allocator keeps a little of what a thread gives back first
/// for that thread; where that lies, all that lies before it cannot go back to the system.
fn give_back(mut pieces: Vec<BTreeMap<NeuronId, Synapse>>) {
    pieces.sort_by_cached_key(|piece| piece.first_key_value().map(|(first, _)| ptr::from_ref(first).addr()));
    // From the first to the last.
    drop(pieces);
}

impl Blueprint {
    /// What holds for all neurons, unless one says otherwise.
    pub(crate) fn settings(&self) -> &NetworkSettings {
        &self.settings
    }

    pub(crate) fn len(&self) -> usize {
        self.neurons.len()
    }

    /// The neurons, in the order of their names and numbers. Their weights are not in the specs.
    pub(crate) fn neurons(&self) -> impl Iterator<Item = (&NeuronId, &NeuronSpec)> {
        self.neurons.iter().map(|neuron| (&neuron.id, &neuron.spec))
    }

    /// The number of the neuron with this name.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let found = self.neurons.binary_search_by(|neuron| neuron.id.as_str().cmp(name)).ok()?;
        u32::try_from(found).ok()
    }

    pub(crate) fn name(&self, number: u32) -> &NeuronId {
        &self.neurons[number as usize].id
    }

    /// What a neuron listens to, ordered by name.
    pub(crate) fn inputs(&self, number: u32) -> &[PlannedInput] {
        &self.inputs[self.neurons[number as usize].inputs.clone()]
    }

    /// How a neuron is set up when it starts.
    pub(crate) fn config(&self, number: u32) -> Config {
        let inputs = self.inputs(number).iter().map(|input| (self.name(input.source), &input.synapse));
        self.settings.config(&self.neurons[number as usize].spec, inputs)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::neuron::Mode;

    #[test]
    fn neurons_are_set_up_as_their_network_says() {
        let network = Network::builder("all-kinds")
            .hold(Duration::from_secs(7))
            .mode(Mode::Asap)
            .neuron("b", |neuron| neuron.threshold(0.5).sensor("eye", 2.0).mode(Mode::Coherent))
            .neuron("a", |neuron| {
                neuron.weight("b", 1.0).delayed_weight("a-rather-long-name", -1.0, Duration::from_secs(1))
            })
            .neuron("a-rather-long-name", |neuron| neuron.weight("a", 3.0).linger(Duration::from_secs(2)))
            .build()
            .unwrap();
        let blueprint = Blueprint::from(network.clone());
        assert_eq!(blueprint.len(), network.len());
        for (id, config) in network.configs() {
            let number = blueprint.find(id.as_str()).unwrap();
            assert_eq!(blueprint.name(number), &id);
            assert_eq!(blueprint.config(number), config);
        }
        assert_eq!(blueprint.find("c"), None);
    }
}
