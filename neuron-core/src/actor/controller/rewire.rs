//! Single changes of a network: weights, sensors, thresholds and connections.

use std::time::Duration;

use super::{Controller, topology::parse_name, validate::check_connection};
use crate::{
    actor::error::ControlError,
    command::{Command, ConfigChange, Refusal, Stamp},
    id::{NeuronId, SensorId, Source},
};

impl Controller {
    /// Sets what a neuron multiplies the level of a source with: the article's `setWeight`. Returns
    /// the tag from which on that counts. The source is a neuron, which counts once it is
    /// [connected](Self::connect) as well, or a sensor, which is attached if it is not yet. A name
    /// that is unknown is taken for a new sensor, unless it is like that of a neuron.
    ///
    /// # Errors
    /// When the neuron is unknown, the name of the source is like that of a neuron, or the weight
    /// is not finite.
    pub async fn set_weight(&self, neuron: &str, source: &str, weight: f64) -> Result<Stamp, ControlError> {
        let client = self.client();
        let (neuron, source) = {
            let topology = client.topology();
            (topology.neuron(neuron)?, topology.source_or_new_sensor(source)?)
        };
        self.configure(neuron, ConfigChange::SetWeight { source, weight }).await
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
        self.configure(neuron, ConfigChange::SetWeight { source: Source::Sensor(sensor), weight }).await
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
        self.configure(neuron, ConfigChange::DeleteWeight { source }).await
    }

    /// Sets the threshold: the article's `setThreshold`. Returns the tag from which on it counts.
    ///
    /// # Errors
    /// When the name is unknown, or the threshold is not finite.
    pub async fn set_threshold(&self, neuron: &str, threshold: f64) -> Result<Stamp, ControlError> {
        let neuron = self.client().topology().neuron(neuron)?;
        self.configure(neuron, ConfigChange::SetThreshold { threshold }).await
    }

    /// Makes a change at one neuron, and notes it in the topology, even if the caller stops
    /// waiting.
    async fn configure(&self, neuron: NeuronId, change: ConfigChange) -> Result<Stamp, ControlError> {
        let controller = self.clone();
        let making = async move {
            let client = controller.client();
            let outcome =
                client.request_stamp(&neuron, Command::Configure(change.clone()), controller.answer_time()).await;
            let is_refused = matches!(outcome, Err(ControlError::Refused { .. } | ControlError::Send { .. }));
            let mut topology = client.topology();
            // Without an answer the change may have been made, unless the neuron has left
            // meanwhile.
            if !is_refused && topology.neuron(neuron.as_str()).is_ok() {
                topology.apply(&neuron, &[change], outcome.is_ok());
            }
            drop(topology);
            outcome
        };
        self.run_to_completion(making).await.unwrap_or_else(|| Err(self.client().why_stopped()))
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
        let outcome = client.request_stamp(&target, Command::Configure(change), self.answer_time()).await;
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
        let (source, target, known) = {
            let mut topology = client.topology();
            let source = topology.neuron(from)?;
            let target = topology.neuron(to)?;
            check_connection(&topology, &source, &target, delay)?;
            // What is known of the edge may be out of date, so the neuron is asked. Until it
            // answers, the edge counts as the stricter of the two: an edge without a delay can
            // close a loop.
            let known = topology.connection(&source, &target);
            if known.is_none() || delay.is_none() {
                topology.connect(&source, &target, delay.is_some());
            }
            (source, target, known)
        };
        self.admit(&source, &target).await?;
        let change = ConfigChange::Connect { source: source.clone(), delay };
        let outcome = client.request_stamp(&target, Command::Configure(change), self.answer_time()).await;
        let mut topology = client.topology();
        match (&outcome, known) {
            (Ok(_), _) => topology.connect(&source, &target, delay.is_some()),
            // It has been made elsewhere, with or without a delay.
            (Err(ControlError::Refused { refusal: Refusal::AlreadyConnected(_), .. }), None) => {
                topology.connect(&source, &target, false);
            }
            (Err(ControlError::Refused { .. } | ControlError::Send { .. }), None) => {
                topology.disconnect(&source, &target);
            }
            (Err(ControlError::Refused { .. } | ControlError::Send { .. }), Some(has_delay)) => {
                topology.connect(&source, &target, has_delay);
            }
            (Err(_), _) => {}
        }
        drop(topology);
        outcome
    }
}
