//! What outlives a crash.

use std::collections::BTreeMap;

use super::Config;
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
