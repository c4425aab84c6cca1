//! Checks changes of a network before any neuron is asked to make them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::topology::{Topology, parse_name};
use crate::{
    actor::error::ControlError,
    command::{ConfigChange, Refusal, Stimulus},
    id::{NeuronId, SensorId, Source},
    network::shortest_path,
    neuron::is_finite,
};

/// One change, with names as the caller gave them.
#[derive(Clone, Debug)]
pub(super) enum EditRequest {
    SetWeight { neuron: String, source: String, weight: f64 },
    AttachSensor { neuron: String, sensor: String, weight: f64 },
    DeleteWeight { neuron: String, source: String },
    SetThreshold { neuron: String, threshold: f64 },
    Connect { from: String, to: String, delay: Option<Duration> },
    Disconnect { from: String, to: String },
    Present { source: String, level: f64 },
}

/// What changes at one neuron, and what enters it with that.
#[derive(Clone, Debug, Default)]
pub(in crate::actor) struct MemberEdits {
    /// In the order in which they were requested.
    pub(in crate::actor) changes: Vec<ConfigChange>,
    pub(in crate::actor) stimuli: Vec<Stimulus>,
}

/// Changes that are to take effect together, on top of the present topology.
pub(super) struct TransactionPlan<'a> {
    topology: &'a Topology,
    members: BTreeMap<NeuronId, MemberEdits>,
    /// Connections to be made: receiver, source, delay.
    connected: BTreeMap<NeuronId, BTreeMap<NeuronId, Option<Duration>>>,
    /// Connections to be ended: receiver and source.
    disconnected: BTreeSet<(NeuronId, NeuronId)>,
    /// Sensors that are attached by this plan; later changes of it may name them.
    sensors: BTreeSet<SensorId>,
    /// Levels that enter, in the order in which they were requested.
    levels: Vec<(String, f64)>,
}

impl<'a> TransactionPlan<'a> {
    /// Returns a plan without changes.
    pub(super) fn new(topology: &'a Topology) -> Self {
        Self {
            topology,
            members: BTreeMap::new(),
            connected: BTreeMap::new(),
            disconnected: BTreeSet::new(),
            sensors: BTreeSet::new(),
            levels: Vec::new(),
        }
    }

    /// Adds a change.
    ///
    /// # Errors
    /// When a name is unknown, or it is certain already that the neuron would refuse the change.
    pub(super) fn add(&mut self, request: EditRequest) -> Result<(), ControlError> {
        let topology = self.topology;
        let (neuron, change) = match request {
            EditRequest::SetWeight { neuron, source, weight } => {
                let neuron = topology.neuron(&neuron)?;
                let source = self.source_or_new_sensor(&source)?;
                check_finite(&neuron, weight, || format!("weight {weight} of {source}"))?;
                (neuron, ConfigChange::SetWeight { source, weight })
            }
            EditRequest::AttachSensor { neuron, sensor, weight } => {
                let neuron = topology.neuron(&neuron)?;
                if topology.neuron(&sensor).is_ok() {
                    return Err(ControlError::IsANeuron(sensor));
                }
                let sensor: SensorId = parse_name(&sensor)?;
                check_finite(&neuron, weight, || format!("weight {weight} of {sensor}"))?;
                self.sensors.insert(sensor.clone());
                (neuron, ConfigChange::SetWeight { source: Source::Sensor(sensor), weight })
            }
            EditRequest::DeleteWeight { neuron, source } => {
                (topology.neuron(&neuron)?, ConfigChange::DeleteWeight { source: self.source(&source)? })
            }
            EditRequest::SetThreshold { neuron, threshold } => {
                let neuron = topology.neuron(&neuron)?;
                check_finite(&neuron, threshold, || format!("threshold {threshold}"))?;
                (neuron, ConfigChange::SetThreshold { threshold })
            }
            EditRequest::Connect { from, to, delay } => {
                let source = topology.neuron(&from)?;
                let neuron = topology.neuron(&to)?;
                self.connect(&source, &neuron, delay)?;
                (neuron, ConfigChange::Connect { source, delay })
            }
            EditRequest::Disconnect { from, to } => {
                let source = topology.neuron(&from)?;
                let neuron = topology.neuron(&to)?;
                if !topology.is_connected(&source, &neuron)
                    || !self.disconnected.insert((neuron.clone(), source.clone()))
                {
                    return Err(ControlError::Refused { neuron, refusal: Refusal::NotConnected(source) });
                }
                (neuron, ConfigChange::Disconnect { source })
            }
            EditRequest::Present { source, level } => {
                self.levels.push((source, level));
                return Ok(());
            }
        };
        self.members.entry(neuron).or_default().changes.push(change);
        Ok(())
    }

    /// Returns what each neuron is to do.
    ///
    /// # Errors
    /// When there is nothing, when all together would close a loop without a delay, or when a level
    /// cannot enter the network that is the result.
    pub(super) fn finish(mut self) -> Result<BTreeMap<NeuronId, MemberEdits>, ControlError> {
        for (name, level) in std::mem::take(&mut self.levels) {
            self.present(name, level)?;
        }
        if self.members.is_empty() {
            return Err(ControlError::Empty);
        }
        self.check_loops()?;
        Ok(self.members)
    }

    /// Lets a level enter at the neuron of this name, or at all that have the sensor once the
    /// changes are made.
    fn present(&mut self, name: String, level: f64) -> Result<(), ControlError> {
        let (owners, sensor) = match self.source(&name)? {
            Source::Neuron(id) => (BTreeSet::from([id]), None),
            Source::Sensor(id) => (self.owners(&id)?, Some(id)),
        };
        for owner in owners {
            let stimulus = Stimulus { sensor: sensor.clone(), level: Some(level), hold: None };
            if let Err(refusal) = stimulus.check_level() {
                return Err(ControlError::Refused { neuron: owner, refusal });
            }
            let stimuli = &mut self.members.entry(owner).or_default().stimuli;
            if stimuli.iter().any(|stimulus| stimulus.sensor == sensor) {
                return Err(ControlError::Twice(name));
            }
            stimuli.push(stimulus);
        }
        Ok(())
    }

    /// Returns the neurons that have the sensor once the changes are made.
    ///
    /// # Errors
    /// When there is none.
    fn owners(&self, sensor: &SensorId) -> Result<BTreeSet<NeuronId>, ControlError> {
        let known = self.topology.sensor(sensor.as_str());
        let mut owners: BTreeSet<NeuronId> = known.map(|(_, owners)| owners).unwrap_or_default().into_iter().collect();
        for (neuron, edits) in &self.members {
            for change in &edits.changes {
                match change {
                    ConfigChange::SetWeight { source: Source::Sensor(id), .. } if id == sensor => {
                        owners.insert(neuron.clone());
                    }
                    ConfigChange::DeleteWeight { source: Source::Sensor(id) } if id == sensor => {
                        owners.remove(neuron);
                    }
                    _ => {}
                }
            }
        }
        if owners.is_empty() {
            // The changes detach it from its last neuron.
            return Err(ControlError::UnknownSensor { name: sensor.to_string(), nearest: None });
        }
        Ok(owners)
    }

    fn source(&self, name: &str) -> Result<Source, ControlError> {
        match self.sensors.get(name) {
            Some(sensor) => Ok(Source::Sensor(sensor.clone())),
            None => self.topology.source(name),
        }
    }

    fn source_or_new_sensor(&mut self, name: &str) -> Result<Source, ControlError> {
        if let Some(sensor) = self.sensors.get(name) {
            return Ok(Source::Sensor(sensor.clone()));
        }
        let source = self.topology.source_or_new_sensor(name)?;
        if let Source::Sensor(sensor) = &source {
            self.sensors.insert(sensor.clone());
        }
        Ok(source)
    }

    fn connect(&mut self, from: &NeuronId, to: &NeuronId, delay: Option<Duration>) -> Result<(), ControlError> {
        check_delay(to, delay)?;
        if self.topology.is_connected(from, to)
            || self.connected.entry(to.clone()).or_default().insert(from.clone(), delay).is_some()
        {
            let refusal = Refusal::AlreadyConnected(from.clone());
            return Err(ControlError::Refused { neuron: to.clone(), refusal });
        }
        Ok(())
    }

    /// Checks that no connection to be made closes a loop without a delay, once all changes are
    /// made.
    fn check_loops(&self) -> Result<(), ControlError> {
        let waits_for = |id: &'_ NeuronId| {
            let present = self.topology.waits_for(id);
            let present = present.filter(|(id, source)| {
                self.disconnected.is_empty() || !self.disconnected.contains(&((*id).clone(), (*source).clone()))
            });
            let connected = self.connected.get(id).into_iter().flatten().filter(|(_, delay)| delay.is_none());
            present.map(|(_, source)| source).chain(connected.map(|(source, _)| source))
        };
        for (to, inputs) in &self.connected {
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
}

/// Checks that one connection can be made, if it does not exist.
///
/// # Errors
/// When its delay is 0, or it would close a loop without a delay.
pub(super) fn check_connection(
    topology: &Topology,
    from: &NeuronId,
    to: &NeuronId,
    delay: Option<Duration>,
) -> Result<(), ControlError> {
    check_delay(to, delay)?;
    let mut plan = TransactionPlan::new(topology);
    plan.disconnected.insert((to.clone(), from.clone()));
    plan.connected.entry(to.clone()).or_default().insert(from.clone(), delay);
    plan.check_loops()
}

fn check_delay(neuron: &NeuronId, delay: Option<Duration>) -> Result<(), ControlError> {
    if delay.is_some_and(|delay| delay < Duration::from_micros(1)) {
        return Err(ControlError::Refused { neuron: neuron.clone(), refusal: Refusal::NoDelay });
    }
    Ok(())
}

fn check_finite(neuron: &NeuronId, number: f64, what: impl FnOnce() -> String) -> Result<(), ControlError> {
    if is_finite(number) {
        return Ok(());
    }
    Err(ControlError::Refused { neuron: neuron.clone(), refusal: Refusal::NotFinite(what()) })
}
