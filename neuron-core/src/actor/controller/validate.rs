//! Changes that are to take effect together.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    topology::{Topology, parse},
    transaction::EditRequest,
};
use crate::actor::ControlError;
use crate::{
    command::{ConfigChange, Refusal},
    id::{NeuronId, SensorId, Source},
    network::shortest_path,
    neuron::is_finite,
};

/// Changes that are to be made together, on top of what is connected now.
pub(in crate::actor) struct TransactionPlan<'a> {
    topology: &'a Topology,
    changes: BTreeMap<NeuronId, Vec<ConfigChange>>,
    /// Edges to be made.
    made: BTreeMap<NeuronId, BTreeMap<NeuronId, Option<Duration>>>,
    /// Edges to be ended, each as its receiver and its source.
    ended: BTreeSet<(NeuronId, NeuronId)>,
    /// Sensors that are not attached to anybody yet.
    new_sensors: BTreeSet<SensorId>,
}

impl<'a> TransactionPlan<'a> {
    pub(in crate::actor) fn new(topology: &'a Topology) -> Self {
        let (changes, made, ended) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { topology, changes, made, ended, new_sensors: BTreeSet::new() }
    }

    /// Adds a change, unless it can be told already that its neuron would refuse it.
    pub(in crate::actor) fn add(&mut self, request: EditRequest) -> Result<(), ControlError> {
        let topology = self.topology;
        let (neuron, change) = match request {
            EditRequest::SetWeight { neuron, source, weight } => {
                let (neuron, source) = (topology.neuron(&neuron)?, self.source(&source)?);
                finite(&neuron, weight, || format!("weight {weight} of {source}"))?;
                (neuron, ConfigChange::SetWeight { source, weight })
            }
            EditRequest::AttachSensor { neuron, sensor, weight } => {
                let neuron = topology.neuron(&neuron)?;
                if topology.neuron(&sensor).is_ok() {
                    return Err(ControlError::IsANeuron(sensor));
                }
                let sensor: SensorId = parse(&sensor)?;
                finite(&neuron, weight, || format!("weight {weight} of {sensor}"))?;
                self.new_sensors.insert(sensor.clone());
                (neuron, ConfigChange::SetWeight { source: Source::Sensor(sensor), weight })
            }
            EditRequest::DeleteWeight { neuron, source } => {
                (topology.neuron(&neuron)?, ConfigChange::DeleteWeight { source: self.source(&source)? })
            }
            EditRequest::SetThreshold { neuron, threshold } => {
                let neuron = topology.neuron(&neuron)?;
                finite(&neuron, threshold, || format!("threshold {threshold}"))?;
                (neuron, ConfigChange::SetThreshold { threshold })
            }
            EditRequest::Connect { from, to, delay } => {
                let (source, neuron) = (topology.neuron(&from)?, topology.neuron(&to)?);
                self.connect(&source, &neuron, delay)?;
                (neuron, ConfigChange::Connect { source, delay })
            }
            EditRequest::Disconnect { from, to } => {
                let (source, neuron) = (topology.neuron(&from)?, topology.neuron(&to)?);
                if !topology.is_connected(&source, &neuron) || !self.ended.insert((neuron.clone(), source.clone())) {
                    return Err(ControlError::Refused { neuron, refusal: Refusal::NotConnected(source) });
                }
                (neuron, ConfigChange::Disconnect { source })
            }
        };
        self.changes.entry(neuron).or_default().push(change);
        Ok(())
    }

    fn source(&self, name: &str) -> Result<Source, ControlError> {
        match self.new_sensors.get(name) {
            Some(sensor) => Ok(Source::Sensor(sensor.clone())),
            None => self.topology.source(name),
        }
    }

    pub(in crate::actor) fn connect(
        &mut self,
        from: &NeuronId,
        to: &NeuronId,
        delay: Option<Duration>,
    ) -> Result<(), ControlError> {
        let refused = |source| Err(ControlError::Refused { neuron: to.clone(), refusal: source });
        if delay.is_some_and(|delay| delay < Duration::from_micros(1)) {
            return refused(Refusal::NoDelay);
        }
        if self.topology.is_connected(from, to)
            || self.made.entry(to.clone()).or_default().insert(from.clone(), delay).is_some()
        {
            return refused(Refusal::AlreadyConnected(from.clone()));
        }
        Ok(())
    }

    /// Whether any edge that is to be made would close a loop without a delay, were all changes made.
    pub(in crate::actor) fn check_loops(&self) -> Result<(), ControlError> {
        let waits_for = |id: &'_ NeuronId| {
            let there = self.topology.waits_for(id);
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
    pub(in crate::actor) fn finish(self) -> Result<BTreeMap<NeuronId, Vec<ConfigChange>>, ControlError> {
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
