//! Single changes of a network: weights, sensors, thresholds and connections.

use std::time::Duration;

use super::{Controller, topology::parse_name, validate::check_connection};
use crate::{
    actor::error::ControlError,
    command::{Command, ConfigChange, Refusal, Stamp},
    id::{SensorId, Source},
};

impl Controller {
    /// Sets what a neuron multiplies the level of a source with: the article's `setWeight`. Returns
    /// the tag from which on that counts. The source is a neuron or a sensor of this network; a
    /// sensor that is not attached to this neuron yet becomes so, a neuron counts once it is
    /// [connected](Self::connect) as well.
    ///
    /// # Errors
    /// When a name is unknown, or the weight is not finite.
    pub async fn set_weight(&self, neuron: &str, source: &str, weight: f64) -> Result<Stamp, ControlError> {
        let client = self.client();
        let (neuron, source) = {
            let topology = client.topology();
            (topology.neuron(neuron)?, topology.source(source)?)
        };
        let change = ConfigChange::SetWeight { source: source.clone(), weight };
        let stamp = client.request_stamp(&neuron, Command::Configure(change)).await?;
        if let Source::Sensor(sensor) = &source {
            client.topology().attach(sensor, &neuron);
        }
        Ok(stamp)
    }

    /// Attaches a sensor, which may be a new one, to a neuron. Returns the tag from which on it
    /// counts.
    ///
    /// # Errors
    /// When the neuron is unknown, the sensor's name is that of a neuron, or the weight is not
    /// finite.
    pub async fn attach_sensor(&self, neuron: &str, sensor: &str, weight: f64) -> Result<Stamp, ControlError> {
        let client = self.client();
        let (neuron, sensor) = {
            let topology = client.topology();
            if topology.neuron(sensor).is_ok() {
                return Err(ControlError::IsANeuron(sensor.to_owned()));
            }
            (topology.neuron(neuron)?, parse_name::<SensorId>(sensor)?)
        };
        let change = ConfigChange::SetWeight { source: Source::Sensor(sensor.clone()), weight };
        let stamp = client.request_stamp(&neuron, Command::Configure(change)).await?;
        client.topology().attach(&sensor, &neuron);
        Ok(stamp)
    }

    /// Deletes the weight of a source, which counts as 0 from then on; a sensor is detached: the
    /// article's `deleteWeight`. Returns the tag from which on that holds.
    ///
    /// # Errors
    /// When a name is unknown.
    pub async fn delete_weight(&self, neuron: &str, source: &str) -> Result<Stamp, ControlError> {
        let client = self.client();
        let (neuron, source) = {
            let topology = client.topology();
            (topology.neuron(neuron)?, topology.source(source)?)
        };
        let change = ConfigChange::DeleteWeight { source: source.clone() };
        let stamp = client.request_stamp(&neuron, Command::Configure(change)).await?;
        if let Source::Sensor(sensor) = &source {
            client.topology().detach(sensor, &neuron);
        }
        Ok(stamp)
    }

    /// Sets the threshold: the article's `setThreshold`. Returns the tag from which on it counts.
    ///
    /// # Errors
    /// When the name is unknown, or the threshold is not finite.
    pub async fn set_threshold(&self, neuron: &str, threshold: f64) -> Result<Stamp, ControlError> {
        let neuron = self.client().topology().neuron(neuron)?;
        let change = ConfigChange::SetThreshold { threshold };
        self.client().request_stamp(&neuron, Command::Configure(change)).await
    }

    /// Makes one neuron publish to another: the article's `addConnection`. Returns the tag from
    /// which on the connection counts, with the weight that the receiver has for the sender, or
    /// with 0 while it has none.
    ///
    /// # Errors
    /// When a name is unknown, the connection exists, or it would close a loop without a delay.
    pub async fn connect(&self, from: &str, to: &str) -> Result<Stamp, ControlError> {
        self.connect_with(from, to, None).await
    }

    /// Like [`connect`](Self::connect), with a delay.
    ///
    /// # Errors
    /// When a name is unknown, the connection exists, or the delay is less than a microsecond.
    pub async fn connect_delayed(&self, from: &str, to: &str, delay: Duration) -> Result<Stamp, ControlError> {
        self.connect_with(from, to, Some(delay)).await
    }

    /// Ends a connection: the article's `deleteConnection`. Returns the tag from which on it does
    /// not count, once it has ended. The weight stays.
    ///
    /// # Errors
    /// When a name is unknown, or there is no such connection.
    pub async fn disconnect(&self, from: &str, to: &str) -> Result<Stamp, ControlError> {
        let client = self.client();
        let _lock = client.lock_topology().await;
        let (source, target) = {
            let topology = client.topology();
            (topology.neuron(from)?, topology.neuron(to)?)
        };
        let change = ConfigChange::Disconnect { source: source.clone() };
        let outcome = client.request_stamp(&target, Command::Configure(change)).await;
        // The neuron answers once the connection has ended. Only then may another one be made that
        // this one would have closed a loop with.
        if matches!(outcome, Ok(_) | Err(ControlError::Refused { refusal: Refusal::NotConnected(_), .. })) {
            client.topology().disconnect(&source, &target);
        }
        outcome
    }

    async fn connect_with(&self, from: &str, to: &str, delay: Option<Duration>) -> Result<Stamp, ControlError> {
        let client = self.client();
        let _lock = client.lock_topology().await;
        let (source, target) = {
            let mut topology = client.topology();
            let source = topology.neuron(from)?;
            let target = topology.neuron(to)?;
            check_connection(&topology, &source, &target, delay)?;
            topology.connect(&source, &target, delay);
            (source, target)
        };
        let change = ConfigChange::Connect { source: source.clone(), delay };
        let outcome = client.request_stamp(&target, Command::Configure(change)).await;
        if matches!(outcome, Err(ControlError::Refused { .. } | ControlError::Send { .. })) {
            client.topology().disconnect(&source, &target);
        }
        outcome
    }
}
