//! Generates a network.

use std::time::Duration;

use super::draw::{Draw, name, sensor_name};
use crate::{
    Network,
    network::{NeuronSpec, Synapse},
    neuron::{Mode, Rule, Sensor},
};

/// Returns a valid network of `count` neurons on `hosts` hosts.
pub(super) fn network(draw: &mut Draw, count: usize, hosts: usize) -> Network {
    let mut builder = Network::builder("random");
    if draw.one_in(2) {
        builder = builder.hold(Duration::from_millis(draw.rng.u64(20..5_000)));
    }
    for index in 0..count {
        let spec = neuron(draw, index, count, hosts);
        builder = builder.spec(&format!("n{index:02}"), spec);
    }
    builder.build().expect("made so that it is valid")
}

fn neuron(draw: &mut Draw, index: usize, count: usize, hosts: usize) -> NeuronSpec {
    let mut spec = NeuronSpec { threshold: Some(draw.eighths(-11, 15)), ..NeuronSpec::default() };
    for _ in 0..draw.rng.usize(0..=3) {
        // Backwards, so that edges without a delay never close a cycle.
        let back = draw.rng.usize(1..=8);
        if let Some(source) = index.checked_sub(back) {
            spec.weights.insert(name('n', source), Synapse { weight: draw.eighths(-8, 8), delay: None });
        }
    }
    if draw.one_in(5) {
        let source = if draw.profile.cycles { draw.rng.usize(0..count) } else { draw.rng.usize(0..=index) };
        let delay = Some(Duration::from_millis(if draw.one_in(50) { 1 } else { draw.rng.u64(20..300) }));
        let synapse = Synapse { weight: draw.eighths(-8, 8), delay };
        if draw.profile.cycles || source < index {
            spec.weights.entry(name('n', source)).or_insert(synapse);
        }
    }
    for sensor in 0..draw.rng.usize(0..=2) {
        spec.sensors.insert(sensor_name(index, sensor), Sensor::new(0.5));
    }
    spec.host = (hosts < count).then(|| name('h', draw.rng.usize(0..hosts)));
    if draw.profile.neuron_kinds {
        match draw.rng.u8(0..12) {
            0 => spec.linger = Duration::from_millis(draw.rng.u64(1..2_000)),
            1 => {
                let window = Duration::from_millis(draw.rng.u64(50..500));
                let refractory = Duration::from_millis(draw.rng.u64(10..100));
                spec.rule = Rule::Pulse { window, refractory };
            }
            2 => spec.mode = Some(Mode::Asap),
            _ => {}
        }
    }
    spec
}
