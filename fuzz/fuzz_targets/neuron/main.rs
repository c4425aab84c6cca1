//! Anything that can happen to a neuron.
//!
//! The bytes become a [`Scenario`](scenario::Scenario): how a neuron is set up, and what happens to
//! it. Three other neurons and two controllers send messages to it, mostly according to the
//! protocol, sometimes not. Time passes, in steps of all sizes. The neuron restarts, and it crashes
//! and resumes from its store. A [`Judge`](judge::Judge) checks all of its outputs, by nothing but
//! the messages.
#![no_main]

#[macro_use]
mod pick;
mod commands;
mod driver;
mod judge;
mod length;
mod peer;
mod scenario;
mod signals;

use libfuzzer_sys::fuzz_target;
use neuron_fuzz::memory::Counting;

#[global_allocator]
static MEMORY: Counting = Counting;

fuzz_target!(|scenario: scenario::Scenario| driver::Driver::start(&scenario.setup).run(&scenario));
