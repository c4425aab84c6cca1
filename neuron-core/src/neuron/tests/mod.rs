//! Behaviour of the pure neuron, one file for each behaviour. The [`driver`] advances the time.

mod ahead;
mod asap;
mod clock_step;
#[cfg(feature = "actor")]
mod colocated;
mod commands;
mod delay;
mod delivery;
mod driver;
mod ends;
mod firing;
mod holds;
mod incarnations;
mod lapse;
mod linger;
mod prepare;
mod pulse;
mod restart;
mod sensors;
mod shares;
mod silence;
mod values;
mod watch;
mod waves;
