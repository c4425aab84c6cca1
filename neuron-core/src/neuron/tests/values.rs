//! Short names for the values that tests are full of.

use std::time::Duration;

use crate::{
    NeuronId, SensorId, Tag, Time,
    command::{Command, Sample, Stimulus},
    signal::Incarnation,
    transport::{Delivery, Guarantees},
    value::Missing,
};

/// How long an input may be silent before it is probed.
pub(super) const GRACE: Duration = Guarantees::IN_PROCESS.pace.grace;
/// Longer than any test: the patience of a neuron whose inputs may be silent in a test about
/// something else.
pub(super) const AGES: Duration = Duration::from_secs(1_000_000_000);
/// A transport that may lose messages.
pub(super) const LOSSY: Guarantees = Guarantees { delivery: Delivery::AtMostOnce, ..Guarantees::IN_PROCESS };

pub(super) fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

pub(super) fn time(millis: u64) -> Time {
    Time::ZERO.after(ms(millis))
}

/// The tag of an event at this time that shares its time with no other event.
pub(super) fn tag(millis: u64) -> Tag {
    Tag::at(time(millis))
}

pub(super) fn id(name: &str) -> NeuronId {
    name.parse().unwrap()
}

pub(super) fn sensor(name: &str) -> SensorId {
    name.parse().unwrap()
}

/// Returns an incarnation. Those of the driver's neurons and of outsiders all have the nonce 0.
pub(super) fn incarnation(number: u32) -> Incarnation {
    Incarnation { number, nonce: 0 }
}

/// Returns a set of missing neurons.
pub(super) fn missing<const N: usize>(names: [&str; N]) -> Missing {
    names.map(id).into_iter().collect()
}

/// Returns a plain level at a tag.
pub(super) fn sample(level: f64, tag: Tag) -> Sample {
    Sample { level, tag, missing: Missing::NONE }
}

pub(super) fn stimulus(level: f64) -> Stimulus {
    Stimulus { sensor: None, level: Some(level), hold: None }
}

pub(super) fn reading(from: &str, level: f64) -> Stimulus {
    Stimulus { sensor: Some(sensor(from)), level: Some(level), hold: None }
}

/// Returns the command for a stimulus at a tag that the neuron chooses.
pub(super) fn now(stimulus: Stimulus) -> Command {
    Command::Stimulate { stimulus, at: None, within: Duration::ZERO }
}

/// Returns the command for a stimulus at a given tag.
pub(super) fn stamped_at(at: Tag, stimulus: Stimulus) -> Command {
    Command::Stimulate { stimulus, at: Some(at), within: Duration::ZERO }
}
