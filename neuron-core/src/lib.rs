//! Neurons as pure state machines, networks of them, and actors that give them a body.

#[cfg(feature = "actor")]
pub mod actor;
mod collections;
pub mod command;
mod config;
mod counters;
mod id;
pub mod network;
pub mod neuron;
pub mod oracle;
pub mod record;
pub mod signal;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
mod tag;
mod text;
pub mod transport;
mod value;
pub mod wire;

pub use id::{ControllerId, HostId, MAX_NAME, NameError, NetworkId, NeuronId, SensorId, Source};
pub use network::Network;
pub use tag::{Tag, Time};
pub use value::{Missing, Value};
