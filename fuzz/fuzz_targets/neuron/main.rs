//! Anything that can happen to a neuron, to a real one.
//!
//! The bytes become a [`Scenario`](scenario::Scenario): how a neuron is set up, and what befalls it. Three other neurons
//! and two controllers speak to it, mostly as the protocol has it, sometimes not; time passes, in steps of all sizes; it is
//! restarted, and it crashes and comes back with what its store holds. Whatever it says is looked at by a
//! [`Judge`](judge::Judge), which knows nothing but what has been said.
#![no_main]

#[macro_use]
mod pick;
mod driver;
mod judge;
mod orders;
mod peer;
mod scenario;

use libfuzzer_sys::fuzz_target;
use neuron_fuzz::memory::Counting;

#[global_allocator]
static MEMORY: Counting = Counting;

fuzz_target!(|scenario: scenario::Scenario| driver::Driver::start(&scenario.setup).go_through(&scenario));
