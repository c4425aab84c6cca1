//! Networks in code.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use super::{Network, NetworkError, NetworkSettings, NeuronSpec, Problem, Synapse, check::check};
use crate::{
    id::NameError,
    neuron::{Mode, Rule},
};

/// Collects a network; [`NetworkBuilder::build`] checks it.
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

    /// Sets how long an input may be silent.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Sets how long a level lasts whose source is not heard any more.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets when the neurons may answer.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// Sets all that holds for the whole network.
    pub fn settings(mut self, settings: NetworkSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Adds a neuron.
    pub fn neuron(mut self, name: &str, describe: impl FnOnce(NeuronBuilder) -> NeuronBuilder) -> Self {
        let path = format!("neurons.{name}");
        let NeuronBuilder { spec, problems, .. } =
            describe(NeuronBuilder { path, spec: NeuronSpec::default(), problems: Vec::new() });
        self.problems.extend(problems);
        self.spec(name, spec)
    }

    /// Adds a neuron that has been described elsewhere.
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

    /// The network, if it is one.
    ///
    /// # Errors
    /// For everything that is wrong with it at once.
    pub fn build(mut self) -> Result<Network, NetworkError> {
        // Stands in for a bad name while the rest is checked; it never gets out.
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

/// Describes one neuron of a [`NetworkBuilder`].
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

    /// Listens to a neuron.
    pub fn weight(self, source: &str, weight: f64) -> Self {
        self.synapse(source, Synapse { weight, delay: None })
    }

    /// Listens to a neuron over an edge with a delay.
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

    /// Attaches a sensor.
    pub fn sensor(mut self, sensor: &str, weight: f64) -> Self {
        match sensor.parse() {
            Ok(id) => {
                self.spec.sensors.insert(id, weight);
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

    /// Sets how long the neuron stays on after its support has gone.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.spec.linger = linger;
        self
    }

    /// Sets when the neuron may answer.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.spec.mode = Some(mode);
        self
    }

    /// Sets what makes the neuron fire.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.spec.rule = rule;
        self
    }
}
