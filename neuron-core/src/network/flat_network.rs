//! A network in the layout that a host builds its neurons from.
//!
//! Why: docs/decisions/0024-a-host-starts-from-a-flat-network.md

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    ptr,
};

use rustc_hash::FxBuildHasher;

use super::{Network, NetworkSettings, NeuronSpec, Synapse};
use crate::{id::NeuronId, neuron::Config};

/// A network in a few large allocations, with neurons addressed by index.
///
/// A [`Network`] consists of many small allocations. The conversion frees them all before the first
/// neuron is built, so the neurons reuse their memory instead of growing the process.
#[derive(Debug)]
pub(crate) struct FlatNetwork {
    settings: NetworkSettings,
    /// The neurons, ordered by name. A neuron's index is its position here.
    neurons: Vec<FlatNeuron>,
    /// The inputs of all neurons, grouped by neuron in the order of `neurons`.
    inputs: Vec<FlatInput>,
}

#[derive(Debug)]
struct FlatNeuron {
    id: NeuronId,
    /// The description of the neuron. Its `weights` are empty: see `inputs`.
    spec: NeuronSpec,
    /// The range of this neuron's inputs in [`FlatNetwork::inputs`].
    inputs: Range<usize>,
}

/// A connection, as the receiving neuron sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlatInput {
    /// The index of the source neuron.
    pub(crate) source: u32,
    pub(crate) synapse: Synapse,
}

impl From<Network> for FlatNetwork {
    fn from(Network { settings, neurons: specs, .. }: Network) -> Self {
        let indices: HashMap<NeuronId, u32, FxBuildHasher> = specs.keys().cloned().zip(0..).collect();
        let count = specs.values().map(|spec| spec.weights.len()).sum();
        // Allocated at their final size: growing them would leave holes in the heap.
        let mut neurons = Vec::with_capacity(specs.len());
        let mut inputs = Vec::with_capacity(count);
        let mut freed = Vec::with_capacity(specs.len());
        for (id, mut spec) in specs {
            let begin = inputs.len();
            let weights = std::mem::take(&mut spec.weights);
            // `indices` has every source, because a checked network names only neurons that exist.
            inputs.extend(
                weights.iter().map(|(source, synapse)| FlatInput { source: indices[source], synapse: *synapse }),
            );
            freed.push(weights);
            neurons.push(FlatNeuron { id, spec, inputs: begin..inputs.len() });
        }
        free_in_address_order(freed);
        Self { settings, neurons, inputs }
    }
}

/// Frees the maps from the lowest address to the highest.
///
/// glibc keeps the first few chunks that a thread frees in a cache of that thread. A cached chunk
/// at a high address would keep everything below it from going back to the system.
fn free_in_address_order(mut maps: Vec<BTreeMap<NeuronId, Synapse>>) {
    maps.sort_by_cached_key(|map| map.first_key_value().map(|(first, _)| ptr::from_ref(first).addr()));
    drop(maps);
}

impl FlatNetwork {
    /// Returns the settings of all neurons that do not override them.
    pub(crate) fn settings(&self) -> &NetworkSettings {
        &self.settings
    }

    /// Returns the number of neurons.
    pub(crate) fn len(&self) -> usize {
        self.neurons.len()
    }

    /// Returns the neurons in the order of their names, which is that of their indices. The
    /// `weights` of the specs are empty: see [`inputs`](Self::inputs).
    pub(crate) fn neurons(&self) -> impl Iterator<Item = (&NeuronId, &NeuronSpec)> {
        self.neurons.iter().map(|neuron| (&neuron.id, &neuron.spec))
    }

    /// Returns the index of the neuron with this name; `None` if there is no such neuron.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let found = self.neurons.binary_search_by(|neuron| neuron.id.as_str().cmp(name)).ok()?;
        u32::try_from(found).ok()
    }

    /// Returns the name of a neuron.
    pub(crate) fn name(&self, index: u32) -> &NeuronId {
        &self.neurons[index as usize].id
    }

    /// Returns the inputs of a neuron, ordered by name.
    pub(crate) fn inputs(&self, index: u32) -> &[FlatInput] {
        &self.inputs[self.neurons[index as usize].inputs.clone()]
    }

    /// Returns the configuration that a neuron starts with.
    pub(crate) fn config(&self, index: u32) -> Config {
        let inputs = self.inputs(index).iter().map(|input| (self.name(input.source), &input.synapse));
        self.settings.config(&self.neurons[index as usize].spec, inputs)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::neuron::Mode;

    #[test]
    fn neurons_have_the_configuration_of_their_network() {
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
        let flat = FlatNetwork::from(network.clone());
        assert_eq!(flat.len(), network.len());
        for (id, config) in network.configs() {
            let index = flat.find(id.as_str()).unwrap();
            assert_eq!(flat.name(index), &id);
            assert_eq!(flat.config(index), config);
        }
        assert_eq!(flat.find("c"), None);
    }
}
