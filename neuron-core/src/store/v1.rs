//! The content of a file, version 1.
//!
//! This layout is frozen: files that were written with it must always be readable.

use std::{collections::BTreeMap, time::Duration};

use bincode::Options as _;
use serde::{Deserialize, Serialize};

use crate::{
    id::{NameError, NeuronId},
    neuron::{Config, Mode, Rule, Saved, Sensor, is_finite},
    signal::Incarnation,
    tag::Tag,
};

/// The number and the nonce of an incarnation.
type IncarnationV1 = (u32, u32);
/// A duration in nanoseconds, the precision of [`Duration`], so that it is restored exactly.
type Span = u64;

/// The fields of a file. Names are texts, which are checked when they are read.
#[derive(Serialize, Deserialize)]
pub(super) struct FileV1 {
    neuron: String,
    incarnation: u32,
    ceiling: u64,
    subscribers: Vec<(String, IncarnationV1)>,
    sources: Vec<(String, IncarnationV1)>,
    threshold: Option<f64>,
    weights: Vec<(String, f64)>,
    sensors: Vec<(String, f64)>,
    inputs: Vec<(String, Option<Span>)>,
    hold: Span,
    linger: Span,
    mode: ModeV1,
    rule: RuleV1,
    patience: Span,
    lease: Span,
}

#[derive(Serialize, Deserialize)]
enum ModeV1 {
    Coherent,
    Asap,
}

#[derive(Serialize, Deserialize)]
enum RuleV1 {
    Level,
    Pulse { window: Span, refractory: Span },
}

pub(super) fn format() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_fixint_encoding().reject_trailing_bytes()
}

/// Returns whether version 1 has a place for all of a state.
pub(super) fn suffices(saved: &Saved) -> bool {
    saved.changes.is_empty() && saved.config.sensors.values().all(|sensor| *sensor == Sensor::new(sensor.weight))
}

/// Encodes the state of a neuron, as far as this version has a place for it.
pub(super) fn encode(neuron: &NeuronId, saved: &Saved) -> Result<Vec<u8>, bincode::Error> {
    format().serialize(&FileV1::new(neuron, saved))
}

impl FileV1 {
    pub(super) fn new(neuron: &NeuronId, saved: &Saved) -> Self {
        let Saved { config, incarnation, ceiling, subscribers, sources, .. } = saved;
        Self {
            neuron: neuron.to_string(),
            incarnation: *incarnation,
            ceiling: ceiling.to_bits(),
            subscribers: texts(subscribers, incarnation_fields),
            sources: texts(sources, incarnation_fields),
            threshold: config.threshold,
            weights: texts(&config.weights, |weight| *weight),
            sensors: texts(&config.sensors, |sensor| sensor.weight),
            inputs: texts(&config.inputs, |delay| delay.map(nanos)),
            hold: nanos(config.hold),
            linger: nanos(config.linger),
            mode: match config.mode {
                Mode::Coherent => ModeV1::Coherent,
                Mode::Asap => ModeV1::Asap,
            },
            rule: match config.rule {
                Rule::Level => RuleV1::Level,
                Rule::Pulse { window, refractory } => {
                    RuleV1::Pulse { window: nanos(window), refractory: nanos(refractory) }
                }
            },
            patience: nanos(config.patience),
            lease: nanos(config.lease),
        }
    }
}

/// Returns the neuron and its state.
///
/// # Errors
/// Returns a description of what is wrong with the bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<(NeuronId, Saved), String> {
    let file: FileV1 = format().with_limit(bytes.len() as u64).deserialize(bytes).map_err(|error| error.to_string())?;
    file.into_saved()
}

impl FileV1 {
    /// Returns the neuron and its state.
    ///
    /// # Errors
    /// Returns a description of what is wrong with the fields.
    pub(super) fn into_saved(self) -> Result<(NeuronId, Saved), String> {
        let file = self;
        let neuron = file.neuron.parse().map_err(bad_name)?;
        let config = Config {
            threshold: file.threshold.map(finite).transpose()?,
            weights: names(file.weights, finite)?,
            sensors: names(file.sensors, |weight| finite(weight).map(Sensor::new))?,
            inputs: names(file.inputs, |delay| Ok(delay.map(Duration::from_nanos)))?,
            hold: Duration::from_nanos(file.hold),
            linger: Duration::from_nanos(file.linger),
            mode: match file.mode {
                ModeV1::Coherent => Mode::Coherent,
                ModeV1::Asap => Mode::Asap,
            },
            rule: match file.rule {
                RuleV1::Level => Rule::Level,
                RuleV1::Pulse { window, refractory } => {
                    Rule::Pulse { window: Duration::from_nanos(window), refractory: Duration::from_nanos(refractory) }
                }
            },
            patience: Duration::from_nanos(file.patience),
            lease: Duration::from_nanos(file.lease),
        };
        let saved = Saved {
            config,
            incarnation: file.incarnation,
            ceiling: Tag::from_bits(file.ceiling),
            subscribers: names(file.subscribers, to_incarnation)?,
            sources: names(file.sources, to_incarnation)?,
            changes: Vec::new(),
        };
        Ok((neuron, saved))
    }
}

fn texts<K: ToString, V, T>(map: &BTreeMap<K, V>, value: impl Fn(&V) -> T) -> Vec<(String, T)> {
    map.iter().map(|(name, of_it)| (name.to_string(), value(of_it))).collect()
}

fn names<K, V, T>(list: Vec<(String, T)>, value: impl Fn(T) -> Result<V, String>) -> Result<BTreeMap<K, V>, String>
where
    K: Ord + std::str::FromStr<Err = NameError>,
{
    list.into_iter().map(|(name, of_it)| Ok((name.parse().map_err(bad_name)?, value(of_it)?))).collect()
}

pub(super) fn bad_name(error: NameError) -> String {
    error.to_string()
}

fn finite(number: f64) -> Result<f64, String> {
    if is_finite(number) { Ok(number) } else { Err(format!("{number} is no weight and no threshold")) }
}

fn incarnation_fields(incarnation: &Incarnation) -> IncarnationV1 {
    (incarnation.number, incarnation.nonce)
}

fn to_incarnation((number, nonce): IncarnationV1) -> Result<Incarnation, String> {
    Ok(Incarnation { number, nonce })
}

/// Returns a duration in nanoseconds; 584 years if it is longer.
pub(super) fn nanos(span: Duration) -> Span {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
