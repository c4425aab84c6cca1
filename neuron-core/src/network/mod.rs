//! Networks: neurons, what they weigh and what they wait for, checked once and trusted from then on.
//!
//! A [`Network`] comes from a file ([`Network::load`], [`Network::from_toml`]) or from code ([`Network::builder`]). Both
//! check everything and report all problems at once.

#[cfg(feature = "actor")]
mod blueprint;
mod builder;
mod check;
mod file;
mod loops;
mod nearest;
mod problem;
#[cfg(test)]
mod tests;
mod write;

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    time::Duration,
};

#[cfg(feature = "actor")]
pub(crate) use blueprint::Blueprint;
pub use builder::{NetworkBuilder, NeuronBuilder};
#[cfg(feature = "actor")]
pub(crate) use loops::shortest_path;
pub(crate) use nearest::nearest;
pub use problem::{NetworkError, Position, Problem};

use crate::{
    id::{HostId, NetworkId, NeuronId, SensorId},
    neuron::{Config, Mode, Rule},
};

/// A connection, as the receiving neuron sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synapse {
    /// What the level of the source is multiplied with.
    pub weight: f64,
    /// With a delay, what comes over this edge re-enters as a new event, at least this much later. Every loop needs one.
    pub delay: Option<Duration>,
}

/// One neuron of a [`Network`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeuronSpec {
    /// The neuron fires when the weighted sum reaches this. Not set: it never fires by itself.
    pub threshold: Option<f64>,
    /// The neurons it listens to. A connection from each of them follows.
    pub weights: BTreeMap<NeuronId, Synapse>,
    /// The sensors attached to it.
    pub sensors: BTreeMap<SensorId, f64>,
    /// How long a stimulus or a reading lasts; the network's hold if not set.
    pub hold: Option<Duration>,
    /// How long the neuron stays on after its support has gone.
    pub linger: Duration,
    /// When it may answer; the network's mode if not set.
    pub mode: Option<Mode>,
    /// What makes it fire.
    pub rule: Rule,
    /// The host it should run on. A host that runs a whole network pays no attention to it.
    pub host: Option<HostId>,
}

/// A network whose parts fit together: every source exists, every number is finite, every loop has a delay.
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

/// What holds for all neurons of a network, unless one says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetworkSettings {
    /// How long a stimulus or a reading lasts; 5 s by default.
    pub hold: Duration,
    /// Readings within one window of this length share a tag, and a reading waits for the end of its window. 10 ms by
    /// default; with 0 a reading never waits.
    pub coincidence: Duration,
    /// How long an input may be silent while it is waited for; then the answer is given without it, and says so. 250 ms by
    /// default. Half of it is how long a wave may be prepared.
    pub patience: Duration,
    /// How long a level lasts whose source is not heard any more; 2 s by default. Levels that last are renewed every third
    /// of it.
    pub lease: Duration,
    /// When the neurons may answer; coherent by default.
    pub mode: Mode,
}

impl NetworkSettings {
    /// The default coincidence window: a person takes two readings 10 ms apart for simultaneous, and it is short against
    /// the time in which a sensor is usually polled.
    pub const COINCIDENCE: Duration = Duration::from_millis(10);

    /// How a neuron with these inputs is set up when it starts.
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
    /// A network that is not checked yet. Where a long name stands as a source, it shares its text with the neuron: with ten inputs
    /// for each, that is ten elevenths of all names.
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
    /// When the file cannot be read, or for every problem in it at once.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, NetworkError> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|source| NetworkError::Read { path: path.to_owned(), source })?;
        file::read(&text).map_err(|problems| NetworkError::Invalid { origin: Some(path.to_owned()), problems })
    }

    /// Reads a network from the text of a file.
    ///
    /// # Errors
    /// For every problem in it at once.
    pub fn from_toml(text: &str) -> Result<Self, NetworkError> {
        file::read(text).map_err(|problems| NetworkError::Invalid { origin: None, problems })
    }

    /// The text of a file that reads as this network.
    pub fn to_toml(&self) -> String {
        write::write(self)
    }

    /// Begins a network in code.
    pub fn builder(name: &str) -> NetworkBuilder {
        NetworkBuilder::new(name)
    }

    /// Its name.
    pub fn name(&self) -> &NetworkId {
        &self.name
    }

    /// What holds for all neurons, unless one says otherwise.
    pub fn settings(&self) -> &NetworkSettings {
        &self.settings
    }

    /// The same network with all its neurons in this mode.
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self.neurons.values_mut().for_each(|spec| spec.mode = None);
        self
    }

    /// How many neurons it has.
    pub fn len(&self) -> usize {
        self.neurons.len()
    }

    /// Whether it has none. It never is: an empty network is refused.
    pub fn is_empty(&self) -> bool {
        self.neurons.is_empty()
    }

    /// The neurons, in the order of their names.
    pub fn neurons(&self) -> impl Iterator<Item = (&NeuronId, &NeuronSpec)> {
        self.neurons.iter()
    }

    /// One neuron.
    pub fn neuron(&self, id: &NeuronId) -> Option<&NeuronSpec> {
        self.neurons.get(id)
    }

    /// How each neuron is set up when it starts.
    pub fn configs(&self) -> impl Iterator<Item = (NeuronId, Config)> {
        self.neurons.iter().map(|(id, spec)| (id.clone(), self.settings.config(spec, spec.weights.iter())))
    }
}
