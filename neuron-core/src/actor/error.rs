//! What can go wrong with a host or a controller.

use std::time::Duration;

use crate::{
    command::Refusal,
    id::{NameError, NeuronId},
    transport::TransportError,
};

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The system gave no thread.
    #[error("cannot start the host's thread")]
    Thread(#[source] std::io::Error),
    /// An inbox could not be opened.
    #[error("cannot open the inbox of {address}")]
    Subscribe {
        /// Whose inbox.
        address: String,
        /// Why.
        source: TransportError,
    },
    /// The host's thread ended before all neurons were ready.
    #[error("the host stopped before its neurons were ready")]
    Stopped,
}

/// Why a controller's call did not succeed. Whatever it was meant to change is as it was, unless the variant says that
/// this is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A name is none.
    #[error("{name:?} is not a name")]
    BadName {
        /// The text that was given.
        name: String,
        /// Why it is none.
        source: NameError,
    },
    /// There is no neuron of this name.
    #[error("{}", unknown("neuron", name, nearest))]
    UnknownNeuron {
        /// The name that was given.
        name: String,
        /// The nearest one there is, if one is near.
        nearest: Option<String>,
    },
    /// There is no sensor of this name.
    #[error("{}", unknown("sensor", name, nearest))]
    UnknownSensor {
        /// The name that was given.
        name: String,
        /// The nearest one there is, if one is near.
        nearest: Option<String>,
    },
    /// There is neither a neuron nor a sensor of this name.
    #[error("{}", unknown("neuron or sensor", name, nearest))]
    UnknownSource {
        /// The name that was given.
        name: String,
        /// The nearest one there is, if one is near.
        nearest: Option<String>,
    },
    /// A sensor cannot have the name of a neuron.
    #[error("`{0}` is a neuron here; connect it, or give the sensor another name")]
    IsANeuron(String),
    /// A neuron would be presented twice in one wave.
    #[error("{0} is named twice; a wave gives each source one level")]
    Twice(String),
    /// A wave without members.
    #[error("a wave needs at least one source")]
    Empty,
    /// The connection would close a loop without a delay.
    #[error("the connection would close a loop without a delay: {}; connect with a delay", spell(.0))]
    Loop(Vec<NeuronId>),
    /// The neuron refused.
    #[error("{neuron} refused")]
    Refused {
        /// Which one.
        neuron: NeuronId,
        /// Why.
        source: Refusal,
    },
    /// The neuron did not answer in time. Whether it did what it was asked to is not known.
    #[error("{neuron} did not answer within {} s", after.as_secs_f64())]
    NoAnswer {
        /// Which one.
        neuron: NeuronId,
        /// How long it was waited for.
        after: Duration,
    },
    /// The request could not be sent.
    #[error("cannot send to {neuron}")]
    Send {
        /// To whom.
        neuron: NeuronId,
        /// Why.
        source: TransportError,
    },
    /// The host has stopped.
    #[error("the host has stopped")]
    Stopped,
}

fn unknown(what: &str, name: &str, nearest: &Option<String>) -> String {
    match nearest {
        Some(nearest) => format!("`{name}` is not a {what} here; did you mean `{nearest}`?"),
        None => format!("`{name}` is not a {what} here"),
    }
}

fn spell(path: &[NeuronId]) -> String {
    let names: Vec<&str> = path.iter().map(NeuronId::as_str).collect();
    names.join(" → ")
}
