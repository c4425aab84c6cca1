//! Builds a network in code.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use super::{Network, NetworkError, NetworkSettings, NeuronSpec, Problem, Synapse, check::check};
use crate::{
    id::NameError,
    neuron::{Mode, Rule, Sensor},
};

/// Collects the parts of a network. [`NetworkBuilder::build`] checks them all at once.
///
/// ```
/// use neuron_core::Network;
///
/// let network = Network::builder("not")
///     .neuron("x", |x| x.threshold(0.9))
///     .neuron("not_x", |not_x| not_x.threshold(-0.5).weight("x", -1.0))
///     .build()?;
/// assert_eq!(network.name().as_str(), "not");
/// # Ok::<(), neuron_core::network::NetworkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NetworkBuilder {
    name: String,
    settings: NetworkSettings,
    neurons: BTreeMap<crate::NeuronId, NeuronSpec>,
    problems: Vec<Problem>,
}

impl NetworkBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            settings: NetworkSettings::default(),
            neurons: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Sets how long a stimulus or a reading lasts.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.settings.hold = hold;
        self
    }

    /// Sets the window within which readings share a tag.
    pub fn coincidence(mut self, coincidence: Duration) -> Self {
        self.settings.coincidence = coincidence;
        self
    }

    /// Sets how long an input may be silent while a neuron waits for it.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Sets how long a level stays valid without a renewal from its source.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets when the neurons may answer: see [`Mode`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// Replaces all settings of the network.
    pub fn settings(mut self, settings: NetworkSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Adds a neuron. A second one of the same name is a problem that [`build`](Self::build)
    /// reports.
    pub fn neuron(mut self, name: &str, describe: impl FnOnce(NeuronBuilder) -> NeuronBuilder) -> Self {
        let path = format!("neurons.{name}");
        let NeuronBuilder { spec, problems, .. } =
            describe(NeuronBuilder { path, spec: NeuronSpec::default(), problems: Vec::new() });
        self.problems.extend(problems);
        self.spec(name, spec)
    }

    /// Adds a neuron that is described by a finished `spec`.
    pub fn spec(mut self, name: &str, spec: NeuronSpec) -> Self {
        let path = format!("neurons.{name}");
        match name.parse() {
            Ok(id) => match self.neurons.entry(id) {
                Entry::Vacant(place) => {
                    place.insert(spec);
                }
                Entry::Occupied(_) => {
                    let message = "there are two neurons of this name".to_owned();
                    self.problems.push(Problem { position: None, path, message });
                }
            },
            Err(error) => self.problems.push(bad_name(path, &error)),
        }
        self
    }

    /// Checks the parts and returns the network.
    ///
    /// # Errors
    /// [`NetworkError::Invalid`] with every problem.
    pub fn build(mut self) -> Result<Network, NetworkError> {
        // Stands in for a bad name while the rest is checked. It never gets out: the bad name is a
        // problem.
        let name = self.name.parse().or_else(|error| {
            self.problems.insert(0, bad_name("network.name".to_owned(), &error));
            "unnamed".parse()
        });
        let network = Network::new(name.expect("`unnamed` is a name"), self.settings, self.neurons);
        let mut problems = self.problems;
        problems.extend(check(&network).into_iter().map(|finding| Problem {
            position: None,
            path: finding.path.join("."),
            message: finding.message,
        }));
        if problems.is_empty() { Ok(network) } else { Err(NetworkError::Invalid { origin: None, problems }) }
    }
}

fn bad_name(path: String, error: &NameError) -> Problem {
    Problem { position: None, path, message: error.to_string() }
}

/// The description of one neuron of a [`NetworkBuilder`].
#[derive(Clone, Debug)]
pub struct NeuronBuilder {
    path: String,
    spec: NeuronSpec,
    problems: Vec<Problem>,
}

impl NeuronBuilder {
    /// Sets the threshold.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.spec.threshold = Some(threshold);
        self
    }

    /// Connects a neuron as an input, with a weight.
    pub fn weight(self, source: &str, weight: f64) -> Self {
        self.synapse(source, Synapse { weight, delay: None })
    }

    /// Connects a neuron as an input over an edge with a delay.
    pub fn delayed_weight(self, source: &str, weight: f64, delay: Duration) -> Self {
        self.synapse(source, Synapse { weight, delay: Some(delay) })
    }

    fn synapse(mut self, source: &str, synapse: Synapse) -> Self {
        let path = || format!("{}.weights.{source}", self.path);
        match source.parse() {
            Err(error) => self.problems.push(bad_name(path(), &error)),
            Ok(id) => match self.spec.weights.entry(id) {
                Entry::Vacant(place) => {
                    place.insert(synapse);
                }
                Entry::Occupied(_) => {
                    let message = format!("`{source}` is connected twice");
                    self.problems.push(Problem { position: None, path: path(), message });
                }
            },
        }
        self
    }

    /// Attaches a sensor, with a weight. Its readings hold as long as stimuli of the neuron, and it
    /// counts as 0 while it is silent.
    pub fn sensor(self, sensor: &str, weight: f64) -> Self {
        self.sensor_with(sensor, Sensor::new(weight))
    }

    /// Attaches a sensor, and says how long its readings hold and what its silence means.
    pub fn sensor_with(mut self, sensor: &str, attached: Sensor) -> Self {
        match sensor.parse() {
            Ok(id) => {
                self.spec.sensors.insert(id, attached);
            }
            Err(error) => self.problems.push(bad_name(format!("{}.sensors.{sensor}", self.path), &error)),
        }
        self
    }

    /// Sets how long a stimulus or a reading lasts.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.spec.hold = Some(hold);
        self
    }

    /// Sets how long the neuron stays on once the sum has fallen below the threshold.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.spec.linger = linger;
        self
    }

    /// Sets the host that the neuron should run on. A host that runs a whole network ignores it.
    pub fn host(mut self, host: &str) -> Self {
        match host.parse() {
            Ok(id) => self.spec.host = Some(id),
            Err(error) => self.problems.push(bad_name(format!("{}.host", self.path), &error)),
        }
        self
    }

    /// Sets when the neuron may answer: see [`Mode`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.spec.mode = Some(mode);
        self
    }

    /// Sets what makes the neuron fire: see [`Rule`].
    pub fn rule(mut self, rule: Rule) -> Self {
        self.spec.rule = rule;
        self
    }
}
