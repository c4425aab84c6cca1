//! How long it takes to read, check and write a network file of 100,000 neurons and a million
//! weights.

use std::{fmt::Write as _, time::Instant};

use neuron_core::Network;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut text = "[network]\nname = \"large\"\n".to_owned();
    for neuron in 0..100_000 {
        let inputs: Vec<String> = (1..=10.min(neuron)).map(|back| format!("n{} = 0.25", neuron - back)).collect();
        let _ = write!(text, "[neurons.n{neuron}]\nthreshold = 0.5\nweights = {{ {} }}\n", inputs.join(", "));
    }
    let begun = Instant::now();
    let network = Network::from_toml(&text).expect("the file is right");
    println!("{:.1} MB read and checked in {:.2} s", text.len() as f64 / 1e6, begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let written = network.to_toml();
    println!("{:.1} MB written in {:.2} s", written.len() as f64 / 1e6, begun.elapsed().as_secs_f64());
}
