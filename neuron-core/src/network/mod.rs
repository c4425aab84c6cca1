//! Networks: neurons, their weights and the delays of their edges, checked once and trusted from
//! then on.
//!
//! A [`Network`] comes from a file ([`Network::load`], [`Network::from_toml`]) or from code
//! ([`Network::builder`]). Both check everything and report all problems at once.

mod builder;
mod check;
mod cycles;
mod did_you_mean;
mod encoding;
mod file;
#[cfg(feature = "actor")]
mod flat_network;
mod found;
mod problem;
mod syntax;
#[cfg(test)]
mod tests;
mod write;

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    time::Duration,
};

pub use builder::{NetworkBuilder, NeuronBuilder};
#[cfg(feature = "actor")]
pub(crate) use cycles::{shortest_path, spell_cycle};
pub(crate) use did_you_mean::did_you_mean;
#[cfg(feature = "actor")]
pub(crate) use flat_network::FlatNetwork;
pub use problem::{NetworkError, Position, Problem};

use crate::{
    id::{HostId, NetworkId, NeuronId, SensorId},
    neuron::{Config, Mode, Rule, Sensor},
};

/// A connection between two neurons, as the receiving neuron sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synapse {
    /// The factor that the level of the source is multiplied by.
    pub weight: f64,
    /// The delay of the edge; `None` for an edge that the receiver waits for.
    ///
    /// With a delay, a level re-enters as a new event at least this much later. Every cycle needs
    /// an edge with a delay.
    pub delay: Option<Duration>,
}

/// One neuron of a [`Network`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeuronSpec {
    /// The threshold that the weighted sum must reach for the neuron to fire. `None`: only a
    /// stimulus makes it fire.
    pub threshold: Option<f64>,
    /// The neurons that this one is connected to as its inputs.
    pub weights: BTreeMap<NeuronId, Synapse>,
    /// The sensors that are attached to it.
    pub sensors: BTreeMap<SensorId, Sensor>,
    /// How long a stimulus or a reading lasts. `None`: the hold of the network.
    pub hold: Option<Duration>,
    /// How long the neuron stays on once the sum has fallen below the threshold.
    pub linger: Duration,
    /// When it may answer. `None`: the mode of the network.
    pub mode: Option<Mode>,
    /// What makes it fire.
    pub rule: Rule,
    /// The host that it should run on. A host that runs a whole network ignores it.
    pub host: Option<HostId>,
}

/// A valid network: every source exists, every number is finite, every cycle has a delay.
///
/// ```
/// use neuron_core::Network;
///
/// let network = Network::from_toml(
///     r#"
///     [network]
///     name = "and"
///
///     [neurons.x]
///     threshold = 0.9
///     sensors = { button = 1 }
///
///     [neurons.y]
///     threshold = 0.9
///
///     [neurons.both]
///     threshold = 1.9
///     weights = { x = 1, y = 1 }
///     "#,
/// )?;
/// assert_eq!(network.len(), 3);
/// assert_eq!(Network::from_toml(&network.to_toml())?, network);
/// # Ok::<(), neuron_core::network::NetworkError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    name: NetworkId,
    settings: NetworkSettings,
    neurons: BTreeMap<NeuronId, NeuronSpec>,
}

/// The settings of all neurons of a network that do not override them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetworkSettings {
    /// How long a stimulus or a reading lasts; 5 s by default.
    pub hold: Duration,
    /// The length of the windows within which readings share a tag. A reading waits for the end of
    /// its window. 10 ms by default; with 0 a reading never waits.
    pub coincidence: Duration,
    /// How long an input may be silent while a neuron waits for it. After that the neuron answers
    /// without it, and the answer is degraded. 250 ms by default. A wave may be prepared for half
    /// as long.
    pub patience: Duration,
    /// How long a level stays valid without a renewal from its source; 2 s by default. Sources
    /// renew their levels every third of it.
    pub lease: Duration,
    /// When the neurons may answer; [`Mode::Coherent`] by default.
    pub mode: Mode,
}

impl NetworkSettings {
    /// The default coincidence window: people perceive two events 10 ms apart as simultaneous, and
    /// sensors are usually polled much less often.
    pub const COINCIDENCE: Duration = Duration::from_millis(10);

    /// Returns the configuration that a neuron with these inputs starts with.
    fn config<'a>(
        &self,
        spec: &NeuronSpec,
        inputs: impl Iterator<Item = (&'a NeuronId, &'a Synapse)> + Clone,
    ) -> Config {
        Config {
            threshold: spec.threshold,
            weights: inputs.clone().map(|(source, synapse)| (source.clone(), synapse.weight)).collect(),
            sensors: spec.sensors.clone(),
            inputs: inputs.map(|(source, synapse)| (source.clone(), synapse.delay)).collect(),
            hold: spec.hold.unwrap_or(self.hold),
            linger: spec.linger,
            mode: spec.mode.unwrap_or(self.mode),
            rule: spec.rule,
            patience: self.patience,
            lease: self.lease,
        }
    }
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            hold: Config::HOLD,
            coincidence: Self::COINCIDENCE,
            patience: Config::PATIENCE,
            lease: Config::LEASE,
            mode: Mode::default(),
        }
    }
}

impl Network {
    /// Makes a network without checking it.
    ///
    /// Long names of sources share their text with the neuron that they name. With ten inputs for
    /// each neuron, this saves ten elevenths of the texts.
    fn new(name: NetworkId, settings: NetworkSettings, mut neurons: BTreeMap<NeuronId, NeuronSpec>) -> Self {
        let names: HashSet<NeuronId> = neurons.keys().filter(|id| id.is_shared()).cloned().collect();
        for spec in neurons.values_mut().filter(|spec| spec.weights.keys().any(NeuronId::is_shared)) {
            let shared = |source: NeuronId| names.get(&source).cloned().unwrap_or(source);
            let weights = std::mem::take(&mut spec.weights).into_iter();
            spec.weights = weights.map(|(source, synapse)| (shared(source), synapse)).collect();
        }
        Self { name, settings, neurons }
    }

    /// Reads a network from a file.
    ///
    /// # Errors
    /// [`NetworkError::Read`] if the file cannot be read, [`NetworkError::Invalid`] with every
    /// problem of its content, or if that is not UTF-8.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, NetworkError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| NetworkError::Read { path: path.to_owned(), source })?;
        let network = encoding::decode(&bytes).map_err(|problem| vec![problem]).and_then(file::read);
        network.map_err(|problems| NetworkError::Invalid { origin: Some(path.to_owned()), problems })
    }

    /// Reads a network from the text of a file.
    ///
    /// # Errors
    /// [`NetworkError::Invalid`] with every problem of the text.
    pub fn from_toml(text: &str) -> Result<Self, NetworkError> {
        file::read(text).map_err(|problems| NetworkError::Invalid { origin: None, problems })
    }

    /// Returns the text of a file that reads as this network.
    pub fn to_toml(&self) -> String {
        write::write(self)
    }

    /// Returns a builder for a network with this name.
    pub fn builder(name: &str) -> NetworkBuilder {
        NetworkBuilder::new(name)
    }

    /// Returns the name of the network.
    pub fn name(&self) -> &NetworkId {
        &self.name
    }

    /// Returns the settings of all neurons that do not override them.
    pub fn settings(&self) -> &NetworkSettings {
        &self.settings
    }

    /// Returns the same network with all its neurons in this mode.
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self.neurons.values_mut().for_each(|spec| spec.mode = None);
        self
    }

    /// Returns the number of neurons; at least 1.
    pub fn len(&self) -> usize {
        self.neurons.len()
    }

    /// Returns `false`: a network without neurons is refused.
    pub fn is_empty(&self) -> bool {
        self.neurons.is_empty()
    }

    /// Returns the neurons in the order of their names.
    pub fn neurons(&self) -> impl Iterator<Item = (&NeuronId, &NeuronSpec)> {
        self.neurons.iter()
    }

    /// Returns a neuron; `None` if the network has no neuron of this name.
    pub fn neuron(&self, id: &NeuronId) -> Option<&NeuronSpec> {
        self.neurons.get(id)
    }

    /// Returns the configuration that each neuron starts with, in the order of their names.
    pub fn configs(&self) -> impl Iterator<Item = (NeuronId, Config)> {
        self.neurons.iter().map(|(id, spec)| (id.clone(), self.settings.config(spec, spec.weights.iter())))
    }
}
