//! Any text, as a network file.
//!
//! A text is a network, or a list of problems with positions inside the text; reading it never
//! panics. A network that was read is the same when it is written and read again, and each of its
//! neurons can start.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuron_core::{
    Network, Time,
    network::{NetworkError, Problem},
    neuron::{Input, Neuron},
    transport::Guarantees,
};

fuzz_target!(|text: &str| {
    match Network::from_toml(text) {
        Ok(network) => {
            round_trip(&network);
            all_neurons_start(&network);
        }
        Err(error) => problems_have_positions(text, &error),
    }
});

fn round_trip(network: &Network) {
    let written = network.to_toml();
    match Network::from_toml(&written) {
        Ok(again) => assert_eq!(again, *network, "it was written as\n{written}"),
        Err(error) => panic!("{network:?}\nwas written as\n{written}\nand cannot be read: {error}"),
    }
    assert_eq!(network.to_toml(), written, "the same network has two texts");
}

/// Checks that every configuration that a network file allows works.
fn all_neurons_start(network: &Network) {
    for (id, config) in network.configs() {
        let mut neuron = Neuron::start(id, config, Guarantees::IN_PROCESS, 0, Time::ZERO);
        neuron.handle(Input::Wake, Time::ZERO);
        assert!(std::iter::from_fn(|| neuron.poll_output()).count() < 20_000, "it talks without end");
    }
}

fn problems_have_positions(text: &str, error: &NetworkError) {
    assert!(!error.problems().is_empty(), "refused for no reason");
    assert!(!error.to_string().is_empty());
    for problem in error.problems() {
        assert!(points_into(text, problem), "{problem} points out of the text");
    }
}

fn points_into(text: &str, problem: &Problem) -> bool {
    let Some(position) = problem.position else { return false };
    // The last position is behind the last character, which may be the end of a line.
    let Some(index) = position.line.checked_sub(1) else { return false };
    let line = text.split('\n').nth(index);
    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&position.column))
}
