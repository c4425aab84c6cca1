//! What is connected to what, as far as a controller has to know to refuse what cannot be.

use std::collections::{BTreeMap, BTreeSet};

use thin_vec::ThinVec;

use crate::{
    actor::error::ControlError,
    command::ConfigChange,
    id::{NameError, NeuronId, SensorId, Source},
    network::{FlatNetwork, did_you_mean},
    neuron::Config,
};

/// The neurons of a network, their connections, and the sensors attached to them.
///
/// There may be millions of neurons, so connections are kept as numbers and not as names.
#[derive(Debug)]
pub(in crate::actor) struct Topology {
    /// The numbers in use, in the order of their names.
    by_name: Vec<u32>,
    /// By number; numbers in `free` have a meaningless node.
    nodes: Vec<Node>,
    /// Numbers of neurons that have left, to be used again.
    free: Vec<u32>,
    sensors: BTreeMap<SensorId, BTreeSet<NeuronId>>,
}

#[derive(Debug)]
struct Node {
    name: NeuronId,
    /// `None` if the neuron is not known here, and is only an input of one that is.
    inputs: Option<Inputs>,
}

/// The inputs of a neuron, ordered by number.
#[derive(Debug, Default)]
struct Inputs(ThinVec<Input>);

/// Twice the number of the source, plus one if the connection has a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Input(u32);

impl Input {
    fn new(source: u32, has_delay: bool) -> Self {
        Self(source * 2 + u32::from(has_delay))
    }

    fn source(self) -> u32 {
        self.0 / 2
    }

    fn has_delay(self) -> bool {
        self.0 % 2 == 1
    }
}

impl Inputs {
    fn new(inputs: impl ExactSizeIterator<Item = Input>) -> Self {
        let mut inputs: ThinVec<Input> = inputs.collect();
        inputs.sort_unstable();
        Self(inputs)
    }

    fn find(&self, source: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&source, |input| input.source())
    }

    fn insert(&mut self, input: Input) {
        match self.find(input.source()) {
            Ok(index) => self.0[index] = input,
            Err(index) => self.0.insert(index, input),
        }
    }

    fn remove(&mut self, source: u32) {
        if let Ok(index) = self.find(source) {
            self.0.remove(index);
        }
    }
}

impl Topology {
    /// Returns the topology of a network as it is described, without what was changed since.
    pub(in crate::actor) fn new(network: &FlatNetwork) -> Self {
        let mut sensors: BTreeMap<SensorId, BTreeSet<NeuronId>> = BTreeMap::new();
        let mut nodes = Vec::with_capacity(network.len());
        for ((id, spec), number) in network.neurons().zip(0..) {
            let from = network.inputs(number).iter();
            let inputs = Inputs::new(from.map(|input| Input::new(input.source, input.synapse.delay.is_some())));
            nodes.push(Node { name: id.clone(), inputs: Some(inputs) });
            for sensor in spec.sensors.keys() {
                sensors.entry(sensor.clone()).or_default().insert(id.clone());
            }
        }
        let by_name = (0..).take(nodes.len()).collect();
        Self { by_name, nodes, free: Vec::new(), sensors }
    }

    /// Returns the neuron of this name.
    ///
    /// # Errors
    /// When the text is not a name, or no neuron has this name; says so if a sensor has it.
    pub(in crate::actor) fn neuron(&self, name: &str) -> Result<NeuronId, ControlError> {
        parse_name::<NeuronId>(name)?;
        self.known(name).ok_or_else(|| {
            if self.sensors.contains_key(name) {
                return ControlError::NotANeuron(name.to_owned());
            }
            let nearest = did_you_mean(name, self.neurons().map(NeuronId::as_str)).map(str::to_owned);
            ControlError::UnknownNeuron { name: name.to_owned(), nearest }
        })
    }

    /// Returns the sensor of this name, and the neurons that it is attached to.
    ///
    /// # Errors
    /// When the text is not a name, or no sensor has this name; says so if a neuron has it.
    pub(in crate::actor) fn sensor(&self, name: &str) -> Result<(SensorId, Vec<NeuronId>), ControlError> {
        parse_name::<SensorId>(name)?;
        let found = self.sensors.get_key_value(name);
        found.map(|(id, owners)| (id.clone(), owners.iter().cloned().collect())).ok_or_else(|| {
            if self.known(name).is_some() {
                return ControlError::NotASensor(name.to_owned());
            }
            let nearest = did_you_mean(name, self.sensors.keys().map(SensorId::as_str)).map(str::to_owned);
            ControlError::UnknownSensor { name: name.to_owned(), nearest }
        })
    }

    /// Returns the neuron or sensor of this name; the neuron, if both have this name.
    ///
    /// # Errors
    /// When the text is not a name, or neither has this name.
    pub(super) fn source(&self, name: &str) -> Result<Source, ControlError> {
        parse_name::<NeuronId>(name)?;
        let neuron = self.known(name).map(Source::Neuron);
        let sensor = || self.sensors.get_key_value(name).map(|(id, _)| Source::Sensor(id.clone()));
        neuron.or_else(sensor).ok_or_else(|| {
            let names = self.neurons().map(NeuronId::as_str).chain(self.sensors.keys().map(SensorId::as_str));
            ControlError::UnknownSource { name: name.to_owned(), nearest: did_you_mean(name, names).map(str::to_owned) }
        })
    }

    /// Returns the neuron or sensor of this name, or a new sensor of this name.
    ///
    /// # Errors
    /// When the text is not a name, or it looks like a misspelt name of a neuron.
    pub(super) fn source_or_new_sensor(&self, name: &str) -> Result<Source, ControlError> {
        let nearest = || {
            let neurons = self.neurons().map(NeuronId::as_str);
            if name.starts_with("sensor") { None } else { did_you_mean(name, neurons).map(str::to_owned) }
        };
        match self.source(name) {
            Err(ControlError::UnknownSource { name, .. }) => match nearest() {
                Some(nearest) => Err(ControlError::LikeANeuron { name, nearest }),
                None => Ok(Source::Sensor(parse_name(&name)?)),
            },
            found => found,
        }
    }

    /// Returns all neurons, in the order of their names.
    pub(in crate::actor) fn neurons(&self) -> impl Iterator<Item = &NeuronId> {
        let nodes = self.by_name.iter().map(|number| &self.nodes[*number as usize]);
        nodes.filter(|node| node.inputs.is_some()).map(|node| &node.name)
    }

    /// Returns whether a neuron is an input of another one.
    pub(in crate::actor) fn is_connected(&self, from: &NeuronId, to: &NeuronId) -> bool {
        self.connection(from, to).is_some()
    }

    /// Returns the neurons that `from` is an input of.
    pub(in crate::actor) fn listeners(&self, from: &NeuronId) -> Vec<NeuronId> {
        self.neurons().filter(|id| self.is_connected(from, id)).cloned().collect()
    }

    /// Returns the inputs without delay of a neuron, each after the name of that neuron.
    pub(super) fn waits_for<'a>(
        &'a self,
        id: &NeuronId,
    ) -> impl Iterator<Item = (&'a NeuronId, &'a NeuronId)> + use<'a> {
        let node = self.number_of(id.as_str()).map(|number| &self.nodes[number as usize]);
        node.into_iter().flat_map(move |Node { name, inputs }| {
            let inputs = inputs.iter().flat_map(|inputs| &inputs.0).filter(|input| !input.has_delay());
            inputs.map(move |input| (name, &self.nodes[input.source() as usize].name))
        })
    }

    /// Sets what is known of a neuron to its configuration.
    pub(in crate::actor) fn set(&mut self, neuron: &NeuronId, config: &Config) {
        self.detach_all(neuron);
        let number = self.number(neuron);
        let inputs =
            Inputs::new(config.inputs.iter().map(|(source, delay)| Input::new(self.number(source), delay.is_some())));
        self.nodes[number as usize].inputs = Some(inputs);
        for sensor in config.sensors.keys() {
            self.attach(sensor, neuron);
        }
    }

    /// Removes a neuron that has left, also as an input of others.
    pub(in crate::actor) fn remove(&mut self, neuron: &NeuronId) {
        if let Ok(index) = self.find(neuron.as_str()) {
            let number = self.by_name.remove(index);
            self.nodes[number as usize].inputs = None;
            self.nodes.iter_mut().filter_map(|node| node.inputs.as_mut()).for_each(|inputs| inputs.remove(number));
            self.free.push(number);
        }
        self.detach_all(neuron);
    }

    /// Notes changes of a neuron. Of changes that are not `certain`, those that could close a loop
    /// are noted all the same.
    pub(super) fn apply(&mut self, neuron: &NeuronId, changes: &[ConfigChange], certain: bool) {
        for change in changes {
            match change {
                ConfigChange::Connect { source, delay } => self.connect(source, neuron, delay.is_some()),
                ConfigChange::SetWeight { source: Source::Sensor(sensor), .. } => self.attach(sensor, neuron),
                ConfigChange::Disconnect { source } if certain => self.disconnect(source, neuron),
                ConfigChange::DeleteWeight { source: Source::Sensor(sensor) } if certain => self.detach(sensor, neuron),
                _ => {}
            }
        }
    }

    /// Returns whether the connection between two neurons has a delay; `None` if none is known.
    pub(super) fn connection(&self, from: &NeuronId, to: &NeuronId) -> Option<bool> {
        let inputs = self.inputs(to.as_str())?;
        let index = inputs.find(self.number_of(from.as_str())?).ok()?;
        Some(inputs.0[index].has_delay())
    }

    /// Notes a connection, in place of one between the same two neurons.
    pub(super) fn connect(&mut self, from: &NeuronId, to: &NeuronId, has_delay: bool) {
        let from = self.number(from);
        let to = self.number(to);
        self.nodes[to as usize].inputs.get_or_insert_default().insert(Input::new(from, has_delay));
    }

    /// Notes that there is no such connection any more.
    pub(in crate::actor) fn disconnect(&mut self, from: &NeuronId, to: &NeuronId) {
        let from = self.number(from);
        let to = self.number(to);
        if let Some(inputs) = &mut self.nodes[to as usize].inputs {
            inputs.remove(from);
        }
    }

    /// Notes that a sensor, which may be a new one, is attached to a neuron.
    pub(super) fn attach(&mut self, sensor: &SensorId, neuron: &NeuronId) {
        self.sensors.entry(sensor.clone()).or_default().insert(neuron.clone());
    }

    /// Notes that a sensor is detached from a neuron. One that is attached to no neuron is unknown.
    pub(super) fn detach(&mut self, sensor: &SensorId, neuron: &NeuronId) {
        if let Some(owners) = self.sensors.get_mut(sensor) {
            owners.remove(neuron);
            if owners.is_empty() {
                self.sensors.remove(sensor);
            }
        }
    }

    fn detach_all(&mut self, neuron: &NeuronId) {
        self.sensors.retain(|_, owners| {
            owners.remove(neuron);
            !owners.is_empty()
        });
    }

    fn known(&self, name: &str) -> Option<NeuronId> {
        let Node { name, inputs } = &self.nodes[self.number_of(name)? as usize];
        inputs.is_some().then(|| name.clone())
    }

    fn inputs(&self, neuron: &str) -> Option<&Inputs> {
        self.nodes[self.number_of(neuron)? as usize].inputs.as_ref()
    }

    /// Returns the number of a neuron, which gets one if it has none.
    fn number(&mut self, neuron: &NeuronId) -> u32 {
        let index = match self.find(neuron.as_str()) {
            Ok(index) => return self.by_name[index],
            Err(index) => index,
        };
        let node = Node { name: neuron.clone(), inputs: None };
        let number = if let Some(number) = self.free.pop() {
            self.nodes[number as usize] = node;
            number
        } else {
            let number = u32::try_from(self.nodes.len()).ok().filter(|number| *number < 1 << 31);
            self.nodes.push(node);
            // `Input` doubles the number.
            number.expect("no controller knows more than 2^31 neurons")
        };
        self.by_name.insert(index, number);
        number
    }

    fn number_of(&self, neuron: &str) -> Option<u32> {
        self.find(neuron).ok().map(|index| self.by_name[index])
    }

    /// Returns where a neuron's number is in `by_name`, or would have to be.
    fn find(&self, neuron: &str) -> Result<usize, usize> {
        self.by_name.binary_search_by(|number| self.nodes[*number as usize].name.as_str().cmp(neuron))
    }
}

/// Parses a name.
///
/// # Errors
/// [`ControlError::BadName`].
pub(super) fn parse_name<T: std::str::FromStr<Err = NameError>>(name: &str) -> Result<T, ControlError> {
    name.parse().map_err(|source| ControlError::BadName { name: name.to_owned(), source })
}
