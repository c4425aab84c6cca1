//! Behaviour of the pure neuron, one file per behaviour. [`driver`] moves the time.

mod asap;
mod commands;
mod delay;
mod driver;
mod firing;
mod holds;
mod linger;
mod pulse;
mod restart;
mod waves;
