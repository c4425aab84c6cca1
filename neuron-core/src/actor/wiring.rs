//! What is connected to what, as far as a controller has to know in order to refuse what cannot be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::ControlError;
use crate::{
    Network,
    command::Refusal,
    id::{NameError, NeuronId, SensorId, Source},
    network::{nearest, shortest_path},
};

/// The neurons of a network, their connections, and the sensors attached to them.
#[derive(Debug)]
pub(crate) struct Wiring {
    inputs: BTreeMap<NeuronId, BTreeMap<NeuronId, Option<Duration>>>,
    sensors: BTreeMap<SensorId, BTreeSet<NeuronId>>,
}

impl Wiring {
    pub(crate) fn of(network: &Network) -> Self {
        let mut sensors: BTreeMap<SensorId, BTreeSet<NeuronId>> = BTreeMap::new();
        let mut inputs = BTreeMap::new();
        for (id, spec) in network.neurons() {
            let from = spec.weights.iter().map(|(source, synapse)| (source.clone(), synapse.delay));
            inputs.insert(id.clone(), from.collect());
            for sensor in spec.sensors.keys() {
                sensors.entry(sensor.clone()).or_default().insert(id.clone());
            }
        }
        Self { inputs, sensors }
    }

    pub(crate) fn neuron(&self, name: &str) -> Result<NeuronId, ControlError> {
        parse::<NeuronId>(name)?;
        self.inputs.get_key_value(name).map(|(id, _)| id.clone()).ok_or_else(|| ControlError::UnknownNeuron {
            name: name.to_owned(),
            nearest: nearest(name, self.inputs.keys().map(NeuronId::as_str)).map(str::to_owned),
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
        let neuron = self.inputs.get_key_value(name).map(|(id, _)| Source::Neuron(id.clone()));
        let sensor = || self.sensors.get_key_value(name).map(|(id, _)| Source::Sensor(id.clone()));
        neuron.or_else(sensor).ok_or_else(|| {
            let names = self.inputs.keys().map(NeuronId::as_str).chain(self.sensors.keys().map(SensorId::as_str));
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
        if self.inputs.get(to).is_some_and(|inputs| inputs.contains_key(from)) {
            let source = Refusal::AlreadyConnected(from.clone());
            return Err(ControlError::Refused { neuron: to.clone(), source });
        }
        if delay.is_none() {
            let waits_for = |id: &NeuronId| {
                let inputs = self.inputs.get(id).into_iter().flatten();
                inputs.filter(|(_, delay)| delay.is_none()).map(|(source, _)| source)
            };
            // If `from` waits for `to` already, however indirectly, then `to` must not wait for `from`.
            if let Some(path) = shortest_path(from, to, waits_for) {
                let around = path.into_iter().rev().cloned().chain([to.clone()]);
                return Err(ControlError::Loop(around.collect()));
            }
        }
        self.inputs.entry(to.clone()).or_default().insert(from.clone(), delay);
        Ok(())
    }

    pub(crate) fn disconnect(&mut self, from: &NeuronId, to: &NeuronId) {
        if let Some(inputs) = self.inputs.get_mut(to) {
            inputs.remove(from);
        }
    }
}

pub(crate) fn parse<T: std::str::FromStr<Err = NameError>>(name: &str) -> Result<T, ControlError> {
    name.parse().map_err(|source| ControlError::BadName { name: name.to_owned(), source })
}
