//! What outlives a crash.

use std::collections::BTreeMap;

use super::{Config, Neuron};
use crate::{id::NeuronId, signal::Incarnation, tag::Tag};

/// What a neuron needs in order to come back after a crash: see [`Neuron::saved`](super::Neuron::saved) and
/// [`Neuron::resume`](super::Neuron::resume).
///
/// Stimuli, readings and levels are not in it: who comes back asks its inputs, and starts from rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The configuration, with every change that was acknowledged.
    pub config: Config,
    /// The number of the life that saved this.
    pub incarnation: u32,
    /// That life has said nothing about later tags.
    pub ceiling: Tag,
    /// The neurons that listen to this one, each with the latest life of it that was heard of.
    pub subscribers: BTreeMap<NeuronId, Incarnation>,
    /// The latest life that was heard of each input, so that one which lost its store is noticed.
    pub sources: BTreeMap<NeuronId, Incarnation>,
}

impl Neuron {
    /// What it needs in order to come back after a crash, as of now. To be made durable when
    /// [`Output::Save`](super::Output::Save) asks for it.
    pub fn saved(&self) -> Saved {
        let mut config = Config {
            threshold: self.integrator.threshold(),
            weights: self.weights(),
            sensors: self.integrator.sensors().map(|(sensor, weight)| (sensor.clone(), weight)).collect(),
            inputs: self.connections(|link| link.counts),
            hold: self.settings.hold,
            linger: self.settings.linger,
            mode: self.settings.mode,
            rule: self.settings.rule,
            patience: self.settings.patience,
            lease: self.settings.lease,
        };
        self.agenda.events().filter_map(|(_, event)| event.config_change()).for_each(|change| config.apply(change));
        Saved {
            config,
            incarnation: self.incarnation.number,
            ceiling: self.spoken.ceiling.max(self.spoken.bound),
            subscribers: self.subscribers.iter().map(|subscriber| (subscriber.id.clone(), subscriber.life)).collect(),
            sources: self
                .sources
                .iter()
                .filter_map(|source| Some((source.id.clone(), source.link.as_ref()?.receiver.source)))
                .collect(),
        }
    }
}
