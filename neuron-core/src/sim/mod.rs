//! A simulator: whole networks in virtual time, under all faults of the real world, from one seed.
//!
//! The neurons are the real state machines. The links, clocks, disks and crashes are simulated:
//! they follow a [`Plan`]. Hosts tell each other that they live and a controller watches neurons,
//! with the state machines that real hosts use. A plan gives the same trace on every machine. The
//! [oracle](crate::oracle) judges what the neurons answered: every plain answer must be correct at
//! its tag and at every tag up to the next answer.
//!
//! Test a network of your own under faults:
//!
//! ```
//! use neuron_core::{Network, sim::{Action, Plan}};
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
//!     .loss(20) // percent of all messages
//!     .at(Duration::from_secs(1), Action::stimulate("door", 1.0))
//!     .at(Duration::from_secs(2), Action::crash("window"));
//! let outcome = plan.run();
//! assert_eq!(outcome.failures, []);
//! assert_eq!(outcome.final_value("siren").level, 0.0); // the door's five seconds are over
//! assert_eq!(outcome.final_value("siren").missing.to_string(), "window"); // it is down, and could make it 1
//! # Ok::<(), neuron_core::network::NetworkError>(())
//! ```
//!
//! A plan may have a [`Hostile`] machine: a device with valid credentials that sends random messages
//! in its own name. It must not harm others.
//!
//! [`Plan::random`] generates a network and its faults from a seed, [`Plan::random_hostile`] also such
//! a machine. [`Plan::shrink`] makes a plan that fails as short as possible.

mod action;
mod clock;
mod controller;
mod event_queue;
mod failure;
mod fault_profile;
mod fingerprint;
mod generator;
mod histogram;
mod history;
mod hostile;
mod judge;
mod link_condition;
mod outcome;
mod perform;
mod plan;
mod run;
mod shrink;
mod totals;
mod watches;
mod world;

pub use action::{Action, Disk};
pub use failure::Failure;
pub use fault_profile::FaultProfile;
pub use history::Interval;
pub use hostile::{Afterwards, Habits, Hostile, Liar, Victims, Weakness};
pub use link_condition::{Delay, LinkCondition};
pub use outcome::{Outcome, Query};
pub use plan::{Machine, Plan};
pub use totals::Totals;
