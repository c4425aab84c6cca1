//! What is connected to what, as far as a controller has to know in order to refuse what cannot be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use thin_vec::ThinVec;

use super::validate::TransactionPlan;
use crate::actor::ControlError;
use crate::{
    command::ConfigChange,
    id::{NameError, NeuronId, SensorId, Source},
    network::{Blueprint, nearest},
    neuron::Config,
};

/// The neurons of a network, their connections, and the sensors attached to them.
///
/// Neurons are numbers where there may be millions of them.
#[derive(Debug)]
pub(crate) struct Topology {
    /// The numbers of all who have one, in the order of their names.
    by_name: Vec<u32>,
    /// By number.
    places: Vec<Place>,
    /// Numbers that nobody has any more.
    free: Vec<u32>,
    sensors: BTreeMap<SensorId, BTreeSet<NeuronId>>,
}

#[derive(Debug)]
struct Place {
    name: NeuronId,
    /// Nothing if there is no such neuron, and somebody listens to it all the same.
    inputs: Option<Inputs>,
}

/// The inputs of a neuron, ordered by number.
#[derive(Debug, Default)]
struct Inputs(ThinVec<Input>);

/// Twice the number of the source, and one more if there is a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Input(u32);

impl Input {
    fn new(source: u32, delay: Option<Duration>) -> Self {
        Self(source * 2 + u32::from(delay.is_some()))
    }

    fn source(self) -> u32 {
        self.0 / 2
    }

    fn has_delay(self) -> bool {
        self.0 % 2 == 1
    }
}

impl Inputs {
    fn of(inputs: impl ExactSizeIterator<Item = Input>) -> Self {
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
    pub(crate) fn of(network: &Blueprint) -> Self {
        let mut sensors: BTreeMap<SensorId, BTreeSet<NeuronId>> = BTreeMap::new();
        let mut places = Vec::with_capacity(network.len());
        for ((id, spec), number) in network.neurons().zip(0..) {
            let from = network.inputs(number).iter();
            let inputs = Inputs::of(from.map(|input| Input::new(input.source, input.synapse.delay)));
            places.push(Place { name: id.clone(), inputs: Some(inputs) });
            for sensor in spec.sensors.keys() {
                sensors.entry(sensor.clone()).or_default().insert(id.clone());
            }
        }
        let by_name = (0..).take(places.len()).collect();
        Self { by_name, places, free: Vec::new(), sensors }
    }

    /// The number of a neuron, which gets one if it has none.
    fn number(&mut self, neuron: &NeuronId) -> u32 {
        let index = match self.find(neuron.as_str()) {
            Ok(index) => return self.by_name[index],
            Err(index) => index,
        };
        let place = Place { name: neuron.clone(), inputs: None };
        let number = if let Some(number) = self.free.pop() {
            self.places[number as usize] = place;
            number
        } else {
            self.places.push(place);
            u32::try_from(self.places.len() - 1).expect("nobody knows four billion neurons")
        };
        self.by_name.insert(index, number);
        number
    }

    /// Where its number is among those of all, or would have to be.
    fn find(&self, neuron: &str) -> Result<usize, usize> {
        self.by_name.binary_search_by(|number| self.places[*number as usize].name.as_str().cmp(neuron))
    }

    fn number_of(&self, neuron: &str) -> Option<u32> {
        self.find(neuron).ok().map(|index| self.by_name[index])
    }

    fn inputs(&self, neuron: &str) -> Option<&Inputs> {
        self.places[self.number_of(neuron)? as usize].inputs.as_ref()
    }

    pub(in crate::actor) fn is_connected(&self, from: &NeuronId, to: &NeuronId) -> bool {
        let from = self.number_of(from.as_str());
        from.is_some_and(|from| self.inputs(to.as_str()).is_some_and(|inputs| inputs.find(from).is_ok()))
    }

    /// A neuron, beside each that it waits for.
    pub(in crate::actor) fn waits_for<'a>(
        &'a self,
        id: &NeuronId,
    ) -> impl Iterator<Item = (&'a NeuronId, &'a NeuronId)> + use<'a> {
        let place = self.number_of(id.as_str()).map(|number| &self.places[number as usize]);
        place.into_iter().flat_map(move |Place { name, inputs }| {
            let waited_for = inputs.iter().flat_map(|inputs| &inputs.0).filter(|input| !input.has_delay());
            waited_for.map(move |input| (name, &self.places[input.source() as usize].name))
        })
    }

    /// Notes a neuron as it is set up, in place of what was noted of it.
    pub(crate) fn set(&mut self, neuron: &NeuronId, config: &Config) {
        self.detach_from_all(neuron);
        let number = self.number(neuron);
        let inputs = Inputs::of(config.inputs.iter().map(|(source, delay)| Input::new(self.number(source), *delay)));
        self.places[number as usize].inputs = Some(inputs);
        for sensor in config.sensors.keys() {
            self.attach(sensor, neuron);
        }
    }

    /// A neuron has left.
    pub(crate) fn remove(&mut self, neuron: &NeuronId) {
        if let Ok(index) = self.find(neuron.as_str()) {
            let number = self.by_name.remove(index);
            self.places[number as usize].inputs = None;
            self.places.iter_mut().filter_map(|place| place.inputs.as_mut()).for_each(|inputs| inputs.remove(number));
            self.free.push(number);
        }
        self.detach_from_all(neuron);
    }

    fn detach_from_all(&mut self, neuron: &NeuronId) {
        self.sensors.retain(|_, owners| {
            owners.remove(neuron);
            !owners.is_empty()
        });
    }

    fn known(&self, name: &str) -> Option<NeuronId> {
        let Place { name, inputs } = &self.places[self.number_of(name)? as usize];
        inputs.is_some().then(|| name.clone())
    }

    pub(crate) fn neurons(&self) -> impl Iterator<Item = &NeuronId> {
        let places = self.by_name.iter().map(|number| &self.places[*number as usize]);
        places.filter(|place| place.inputs.is_some()).map(|place| &place.name)
    }

    /// The neurons that are connected to this one.
    pub(crate) fn listeners(&self, to: &NeuronId) -> Vec<NeuronId> {
        self.neurons().filter(|id| self.is_connected(to, id)).cloned().collect()
    }

    pub(crate) fn neuron(&self, name: &str) -> Result<NeuronId, ControlError> {
        parse::<NeuronId>(name)?;
        self.known(name).ok_or_else(|| ControlError::UnknownNeuron {
            name: name.to_owned(),
            nearest: nearest(name, self.neurons().map(NeuronId::as_str)).map(str::to_owned),
        })
    }

    /// The neurons that a sensor is attached to.
    pub(crate) fn sensor(&self, name: &str) -> Result<(SensorId, Vec<NeuronId>), ControlError> {
        parse::<SensorId>(name)?;
        let found = self.sensors.get_key_value(name);
        found.map(|(id, owners)| (id.clone(), owners.iter().cloned().collect())).ok_or_else(|| {
            ControlError::UnknownSensor {
                name: name.to_owned(),
                nearest: nearest(name, self.sensors.keys().map(SensorId::as_str)).map(str::to_owned),
            }
        })
    }

    pub(crate) fn source(&self, name: &str) -> Result<Source, ControlError> {
        parse::<NeuronId>(name)?;
        let neuron = self.known(name).map(Source::Neuron);
        let sensor = || self.sensors.get_key_value(name).map(|(id, _)| Source::Sensor(id.clone()));
        neuron.or_else(sensor).ok_or_else(|| {
            let names = self.neurons().map(NeuronId::as_str).chain(self.sensors.keys().map(SensorId::as_str));
            ControlError::UnknownSource { name: name.to_owned(), nearest: nearest(name, names).map(str::to_owned) }
        })
    }

    pub(crate) fn attach(&mut self, sensor: &SensorId, neuron: &NeuronId) {
        self.sensors.entry(sensor.clone()).or_default().insert(neuron.clone());
    }

    pub(crate) fn detach(&mut self, sensor: &SensorId, neuron: &NeuronId) {
        if let Some(owners) = self.sensors.get_mut(sensor) {
            owners.remove(neuron);
            if owners.is_empty() {
                self.sensors.remove(sensor);
            }
        }
    }

    /// Notes a connection, unless there is one already, or it would close a loop without a delay.
    pub(crate) fn connect(
        &mut self,
        from: &NeuronId,
        to: &NeuronId,
        delay: Option<Duration>,
    ) -> Result<(), ControlError> {
        let mut plan = TransactionPlan::new(self);
        plan.connect(from, to, delay)?;
        plan.check_loops()?;
        self.note(from, to, delay);
        Ok(())
    }

    /// Notes changes of a neuron. Of changes that are not certain, those that could close a loop are noted all the same.
    pub(crate) fn change(&mut self, neuron: &NeuronId, changes: &[ConfigChange], certain: bool) {
        for change in changes {
            match change {
                ConfigChange::Connect { source, delay } => self.note(source, neuron, *delay),
                ConfigChange::SetWeight { source: Source::Sensor(sensor), .. } => self.attach(sensor, neuron),
                ConfigChange::Disconnect { source } if certain => self.disconnect(source, neuron),
                ConfigChange::DeleteWeight { source: Source::Sensor(sensor) } if certain => self.detach(sensor, neuron),
                _ => {}
            }
        }
    }

    fn note(&mut self, from: &NeuronId, to: &NeuronId, delay: Option<Duration>) {
        let (from, to) = (self.number(from), self.number(to));
        self.places[to as usize].inputs.get_or_insert_default().insert(Input::new(from, delay));
    }

    pub(crate) fn disconnect(&mut self, from: &NeuronId, to: &NeuronId) {
        let (from, to) = (self.number(from), self.number(to));
        if let Some(inputs) = &mut self.places[to as usize].inputs {
            inputs.remove(from);
        }
    }
}

pub(crate) fn parse<T: std::str::FromStr<Err = NameError>>(name: &str) -> Result<T, ControlError> {
    name.parse().map_err(|source| ControlError::BadName { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;

    #[test]
    fn whoever_gets_the_number_of_one_that_left_inherits_nothing() {
        let network = Network::builder("two").neuron("a", |a| a).neuron("b", |b| b.weight("a", 1.0)).build().unwrap();
        let mut topology = Topology::of(&Blueprint::from(network));
        let [a, b, c]: [NeuronId; 3] = ["a", "b", "c"].map(|name| name.parse().unwrap());
        assert_eq!(topology.listeners(&a), std::slice::from_ref(&b));
        topology.remove(&a);
        assert!(topology.neuron("a").is_err());
        topology.set(&c, &Config::new().input(b.clone(), 1.0));
        assert_eq!(topology.listeners(&c), []);
        assert_eq!(topology.listeners(&b), std::slice::from_ref(&c));
        let back = topology.connect(&c, &b, None);
        assert!(matches!(back, Err(ControlError::Loop(around)) if around == [b, c.clone(), "b".parse().unwrap()]));
        // Somebody listens to one that is not known here.
        topology.set(&c, &Config::new().input(a.clone(), 1.0));
        assert!(topology.neuron("a").is_err());
        assert_eq!(topology.neurons().collect::<Vec<_>>().len(), 2);
        assert_eq!(topology.listeners(&a), [c]);
    }
}
