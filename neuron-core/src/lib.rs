//! Neurons as pure state machines, networks of them, and actors that run them.
//!
//! A [`Network`] of neurons computes levels from stimuli and sensor readings, spread over as many
//! processes as there are hosts. Every event carries a [`Tag`], and a neuron answers a tag once it
//! knows everything that could change the answer. So answers are correct at every tag, or they are
//! degraded and name the neurons that are missing; see [`Value`].
//!
//! There is no broker code in this crate, and only the module `actor` reads a clock. The core takes
//! the time as an argument:
//!
//! ```
//! use neuron_core::{Network, Time, command::{Command, Request, Stimulus}};
//! use neuron_core::{neuron::{Input, Neuron}, transport::Guarantees};
//! use std::time::Duration;
//!
//! let network = Network::builder("porch")
//!     .neuron("lamp", |lamp| lamp.threshold(1.5).sensor("dark", 1.0).sensor("motion", 1.0))
//!     .build()?;
//! let (id, config) = network.configs().next().expect("there is one neuron");
//! let mut lamp = Neuron::start(id, config, Guarantees::IN_PROCESS, 0, Time::ZERO);
//! for (number, sensor) in [(1, "dark"), (2, "motion")] {
//!     let stimulus = Stimulus { sensor: Some(sensor.parse()?), level: Some(1.0), hold: None };
//!     let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
//!     let request = Request::new(number, command);
//!     lamp.handle(Input::Request { from: "me".parse()?, request }, Time::from_micros(number));
//! }
//! assert_eq!(lamp.level(), 1.0); // it is dark, and there is motion
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//! - [`network`]: what a network consists of, and the network file. **Start here.**
//! - [`neuron`]: one neuron as a state machine without input and output of its own.
//! - `actor` (feature `actor`, on by default): hosts that run neurons on a transport, and the
//!   controller that steers them. Most programs need nothing else.
//! - [`transport`]: the trait that a broker backend implements.
//! - [`store`]: what a neuron saves in order to survive a crash.
//! - [`command`], [`signal`]: what controllers send to neurons, and neurons to each other.
//! - [`hosts`]: what hosts tell each other.
//! - [`wire`]: the bytes of all these.
//! - [`record`], [`oracle`]: what neurons have stamped and claimed, and whether it is correct.
//! - `sim` (feature `sim`): whole networks in virtual time, under all faults, from one seed.

#[cfg(feature = "actor")]
pub mod actor;
mod collections;
pub mod command;
mod config;
mod counters;
mod descriptors;
mod error_text;
pub mod hosts;
mod id;
mod name_text;
pub mod network;
pub mod neuron;
pub mod oracle;
pub mod record;
mod sensor;
mod serialize;
pub mod signal;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
mod tag;
pub mod transport;
mod value;
#[cfg(any(feature = "actor", feature = "sim"))]
#[cfg_attr(
    not(feature = "actor"),
    allow(dead_code, unreachable_pub, reason = "a controller uses more of it than the simulator")
)]
mod watch;
pub mod wire;

pub use id::{ControllerId, HostId, MAX_NAME, NameError, NetworkId, NeuronId, SensorId, Source, SourceId};
pub use network::Network;
pub use tag::{Tag, Time};
pub use value::{Missing, Value};
