//! What is connected to what, as far as a controller has to know in order to refuse what cannot be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use thin_vec::ThinVec;

use super::{ControlError, changes::Edit};
use crate::{
    command::{Change, Refusal},
    id::{NameError, NeuronId, SensorId, Source},
    network::{Blueprint, nearest, shortest_path},
    neuron::{Config, is_finite},
};

/// The neurons of a network, their connections, and the sensors attached to them.
#[derive(Debug)]
pub(crate) struct Wiring {
    inputs: BTreeMap<NeuronId, Inputs>,
    sensors: BTreeMap<SensorId, BTreeSet<NeuronId>>,
}

/// The inputs of a neuron, ordered by name, each with whether it has a delay. There may be millions of them.
#[derive(Debug, Default)]
struct Inputs(ThinVec<(NeuronId, bool)>);

impl Inputs {
    /// `inputs` are ordered by name.
    fn of<'a>(inputs: impl ExactSizeIterator<Item = (&'a NeuronId, Option<Duration>)>) -> Self {
        Self(inputs.map(|(source, delay)| (source.clone(), delay.is_some())).collect())
    }

    fn find(&self, source: &NeuronId) -> Result<usize, usize> {
        self.0.binary_search_by(|(id, _)| id.cmp(source))
    }

    fn has(&self, source: &NeuronId) -> bool {
        self.find(source).is_ok()
    }

    fn insert(&mut self, source: &NeuronId, delay: Option<Duration>) {
        match self.find(source) {
            Ok(index) => self.0[index].1 = delay.is_some(),
            Err(index) => self.0.insert(index, (source.clone(), delay.is_some())),
        }
    }

    fn remove(&mut self, source: &NeuronId) {
        if let Ok(index) = self.find(source) {
            self.0.remove(index);
        }
    }

    /// Those that are waited for.
    fn without_delay(&self) -> impl Iterator<Item = &NeuronId> {
        self.0.iter().filter(|(_, delayed)| !delayed).map(|(source, _)| source)
    }
}

impl Wiring {
    pub(crate) fn of(network: &Blueprint) -> Self {
        let mut sensors: BTreeMap<SensorId, BTreeSet<NeuronId>> = BTreeMap::new();
        let mut inputs = BTreeMap::new();
        for ((id, spec), number) in network.neurons().zip(0..) {
            let from = network.inputs(number).iter();
            let from = from.map(|input| (network.name(input.source), input.synapse.delay));
            inputs.insert(id.clone(), Inputs::of(from));
            for sensor in spec.sensors.keys() {
                sensors.entry(sensor.clone()).or_default().insert(id.clone());
            }
        }
        Self { inputs, sensors }
    }

    /// Notes a neuron as it is set up, in place of what was noted of it.
    pub(crate) fn set(&mut self, neuron: &NeuronId, config: &Config) {
        self.detach_from_all(neuron);
        let inputs = config.inputs.iter().map(|(source, delay)| (source, *delay));
        self.inputs.insert(neuron.clone(), Inputs::of(inputs));
        for sensor in config.sensors.keys() {
            self.attach(sensor, neuron);
        }
    }

    /// A neuron has left.
    pub(crate) fn remove(&mut self, neuron: &NeuronId) {
        self.inputs.remove(neuron);
        for inputs in self.inputs.values_mut() {
            inputs.remove(neuron);
        }
        self.detach_from_all(neuron);
    }

    fn detach_from_all(&mut self, neuron: &NeuronId) {
        self.sensors.retain(|_, owners| {
            owners.remove(neuron);
            !owners.is_empty()
        });
    }

    pub(crate) fn neurons(&self) -> impl Iterator<Item = &NeuronId> {
        self.inputs.keys()
    }

    /// The neurons that are connected to this one.
    pub(crate) fn listeners(&self, to: &NeuronId) -> Vec<NeuronId> {
        let listening = self.inputs.iter().filter(|(_, inputs)| inputs.has(to));
        listening.map(|(id, _)| id.clone()).collect()
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
        let mut plan = Plan::new(self);
        plan.connect(from, to, delay)?;
        plan.check_loops()?;
        self.inputs.entry(to.clone()).or_default().insert(from, delay);
        Ok(())
    }

    /// Notes changes of a neuron. Of changes that are not certain, those that could close a loop are noted all the same.
    pub(crate) fn change(&mut self, neuron: &NeuronId, changes: &[Change], certain: bool) {
        for change in changes {
            match change {
                Change::Connect { source, delay } => {
                    self.inputs.entry(neuron.clone()).or_default().insert(source, *delay);
                }
                Change::SetWeight { source: Source::Sensor(sensor), .. } => self.attach(sensor, neuron),
                Change::Disconnect { source } if certain => self.disconnect(source, neuron),
                Change::DeleteWeight { source: Source::Sensor(sensor) } if certain => self.detach(sensor, neuron),
                _ => {}
            }
        }
    }

    pub(crate) fn disconnect(&mut self, from: &NeuronId, to: &NeuronId) {
        if let Some(inputs) = self.inputs.get_mut(to) {
            inputs.remove(from);
        }
    }
}

/// Changes that are to be made together, on top of what is connected now.
pub(super) struct Plan<'a> {
    wiring: &'a Wiring,
    changes: BTreeMap<NeuronId, Vec<Change>>,
    /// Edges to be made.
    made: BTreeMap<NeuronId, BTreeMap<NeuronId, Option<Duration>>>,
    /// Edges to be ended, each as its receiver and its source.
    ended: BTreeSet<(NeuronId, NeuronId)>,
    /// Sensors that are not attached to anybody yet.
    new_sensors: BTreeSet<SensorId>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(wiring: &'a Wiring) -> Self {
        let (changes, made, ended) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { wiring, changes, made, ended, new_sensors: BTreeSet::new() }
    }

    /// Adds a change, unless it can be told already that its neuron would refuse it.
    pub(super) fn add(&mut self, edit: Edit) -> Result<(), ControlError> {
        let wiring = self.wiring;
        let (neuron, change) = match edit {
            Edit::SetWeight { neuron, source, weight } => {
                let (neuron, source) = (wiring.neuron(&neuron)?, self.source(&source)?);
                finite(&neuron, weight, || format!("weight {weight} of {source}"))?;
                (neuron, Change::SetWeight { source, weight })
            }
            Edit::AttachSensor { neuron, sensor, weight } => {
                let neuron = wiring.neuron(&neuron)?;
                if wiring.neuron(&sensor).is_ok() {
                    return Err(ControlError::IsANeuron(sensor));
                }
                let sensor: SensorId = parse(&sensor)?;
                finite(&neuron, weight, || format!("weight {weight} of {sensor}"))?;
                self.new_sensors.insert(sensor.clone());
                (neuron, Change::SetWeight { source: Source::Sensor(sensor), weight })
            }
            Edit::DeleteWeight { neuron, source } => {
                (wiring.neuron(&neuron)?, Change::DeleteWeight { source: self.source(&source)? })
            }
            Edit::SetThreshold { neuron, threshold } => {
                let neuron = wiring.neuron(&neuron)?;
                finite(&neuron, threshold, || format!("threshold {threshold}"))?;
                (neuron, Change::SetThreshold { threshold })
            }
            Edit::Connect { from, to, delay } => {
                let (source, neuron) = (wiring.neuron(&from)?, wiring.neuron(&to)?);
                self.connect(&source, &neuron, delay)?;
                (neuron, Change::Connect { source, delay })
            }
            Edit::Disconnect { from, to } => {
                let (source, neuron) = (wiring.neuron(&from)?, wiring.neuron(&to)?);
                let is_there = wiring.inputs.get(&neuron).is_some_and(|inputs| inputs.has(&source));
                if !is_there || !self.ended.insert((neuron.clone(), source.clone())) {
                    return Err(ControlError::Refused { neuron, refusal: Refusal::NotConnected(source) });
                }
                (neuron, Change::Disconnect { source })
            }
        };
        self.changes.entry(neuron).or_default().push(change);
        Ok(())
    }

    fn source(&self, name: &str) -> Result<Source, ControlError> {
        match self.new_sensors.get(name) {
            Some(sensor) => Ok(Source::Sensor(sensor.clone())),
            None => self.wiring.source(name),
        }
    }

    fn connect(&mut self, from: &NeuronId, to: &NeuronId, delay: Option<Duration>) -> Result<(), ControlError> {
        let refused = |source| Err(ControlError::Refused { neuron: to.clone(), refusal: source });
        if delay.is_some_and(|delay| delay < Duration::from_micros(1)) {
            return refused(Refusal::NoDelay);
        }
        let there = self.wiring.inputs.get(to).is_some_and(|inputs| inputs.has(from));
        if there || self.made.entry(to.clone()).or_default().insert(from.clone(), delay).is_some() {
            return refused(Refusal::AlreadyConnected(from.clone()));
        }
        Ok(())
    }

    /// Whether any edge that is to be made would close a loop without a delay, were all changes made.
    fn check_loops(&self) -> Result<(), ControlError> {
        let waits_for = |id: &'_ NeuronId| {
            let there = self.wiring.inputs.get_key_value(id).into_iter();
            let there = there.flat_map(|(id, inputs)| inputs.without_delay().map(move |source| (id, source)));
            let there = there.filter(|(id, source)| {
                self.ended.is_empty() || !self.ended.contains(&((*id).clone(), (*source).clone()))
            });
            let made = self.made.get(id).into_iter().flatten().filter(|(_, delay)| delay.is_none());
            there.map(|(_, source)| source).chain(made.map(|(source, _)| source))
        };
        for (to, inputs) in &self.made {
            for (from, _) in inputs.iter().filter(|(_, delay)| delay.is_none()) {
                // If `from` waits for `to`, however indirectly, then `to` must not wait for `from`.
                if let Some(path) = shortest_path(from, to, waits_for) {
                    let around = path.into_iter().rev().cloned().chain([to.clone()]);
                    return Err(ControlError::Loop(around.collect()));
                }
            }
        }
        Ok(())
    }

    /// The changes of each neuron, if they fit together.
    pub(super) fn finish(self) -> Result<BTreeMap<NeuronId, Vec<Change>>, ControlError> {
        if self.changes.is_empty() {
            return Err(ControlError::Empty);
        }
        self.check_loops()?;
        Ok(self.changes)
    }
}

fn finite(neuron: &NeuronId, number: f64, what: impl FnOnce() -> String) -> Result<(), ControlError> {
    if is_finite(number) {
        return Ok(());
    }
    Err(ControlError::Refused { neuron: neuron.clone(), refusal: Refusal::NotFinite(what()) })
}

pub(crate) fn parse<T: std::str::FromStr<Err = NameError>>(name: &str) -> Result<T, ControlError> {
    name.parse().map_err(|source| ControlError::BadName { name: name.to_owned(), source })
}
