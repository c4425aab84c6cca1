//! Neurons as pure state machines, networks of them, and actors that give them a body.

pub mod command;
mod id;
pub mod neuron;
pub mod oracle;
pub mod record;
pub mod signal;
mod tag;

pub use id::{ControllerId, MAX_NAME, NameError, NetworkId, NeuronId, SensorId, Source};
pub use tag::{Tag, Time};
