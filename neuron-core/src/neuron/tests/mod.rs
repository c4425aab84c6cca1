//! Behaviour of the pure neuron, one file per behaviour. [`driver`] moves the time.

mod asap;
#[cfg(feature = "actor")]
mod beside;
mod commands;
mod delay;
mod delivery;
mod driver;
mod firing;
mod holds;
mod linger;
mod lives;
mod prepare;
mod pulse;
mod restart;
mod silence;
mod waves;
