//! A simulator: whole networks in virtual time, with everything that goes wrong in the real world, from one seed.
//!
//! The neurons are the real state machines. The carrier, the clocks, the disks and the crashes are not: they follow a
//! [`Plan`]. One plan gives one trace, on every machine. What the neurons answered is judged by the
//! [oracle](crate::oracle): every plain answer, and every tag up to the next one, must be what the network means.
//!
//! Test a network of your own under faults:
//!
//! ```
//! use neuron_core::{Network, sim::{Act, Plan}};
//! use std::time::Duration;
//!
//! let network = Network::from_toml(
//!     r#"
//!     [network]
//!     name = "alarm"
//!
//!     [neurons.door]
//!     [neurons.window]
//!     [neurons.siren]
//!     threshold = 0.9
//!     weights = { door = 1, window = 1 }
//!     "#,
//! )?;
//! let plan = Plan::new(network, 7)
//!     .loses(20) // of a hundred messages
//!     .at(Duration::from_secs(1), Act::stimulate("door", 1.0))
//!     .at(Duration::from_secs(2), Act::crash("window"));
//! let outcome = plan.run();
//! assert_eq!(outcome.failures, []);
//! assert_eq!(outcome.present("siren").level, 0.0); // the door's five seconds are over
//! assert_eq!(outcome.present("siren").missing.to_string(), "window"); // which is down, and could make it 1
//! # Ok::<(), neuron_core::network::NetworkError>(())
//! ```
//!
//! [`Plan::random`] makes up a network and its misfortunes from a seed, and [`Plan::shrink`] makes a plan that fails as
//! short as it can.

mod carrier;
mod clock;
mod controller;
mod judge;
mod outcome;
mod plan;
mod queue;
mod random;
mod shrink;
mod totals;
mod trace;
mod world;

pub use carrier::{Delay, Link};
pub use outcome::{Asked, Failure, Outcome};
pub use plan::{Act, Disk, Machine, Plan};
pub use random::Torment;
pub use totals::Totals;
