//! The networks of the benches. Each contestant builds them with its own means.

use std::time::Duration;

use neuron_core::{Network, neuron::Mode};

/// The source of an input.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// The source with this number.
    Source(usize),
    /// The neuron with this number, which is lower than that of the receiver.
    Neuron(usize),
}

/// The receiver of a message: a neuron, and one of its inputs.
#[derive(Clone, Copy, Debug)]
pub struct To {
    /// The number of the neuron, from 0.
    pub neuron: usize,
    /// The number of the input, from 0.
    pub input: u32,
}

/// A neuron of a plan.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// The sum at which it fires.
    pub threshold: f64,
    /// Its inputs, each with its weight.
    pub inputs: Vec<(Input, f64)>,
    /// The inputs that it sends its level to.
    pub outputs: Vec<To>,
}

/// A network without cycles. A wave ends with the decision of the last neuron.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For each source the inputs that it sends its level to. The level of the first source changes
    /// with each wave; the others stay at 0.
    pub sources: Vec<Vec<To>>,
    /// The neurons; each has inputs from lower numbers only.
    pub neurons: Vec<Unit>,
}

impl Plan {
    /// Creates a plan with that many sources, and neurons with these thresholds and inputs.
    pub fn new(sources: usize, neurons: impl IntoIterator<Item = (f64, Vec<(Input, f64)>)>) -> Self {
        let mut plan = Self { sources: vec![Vec::new(); sources], neurons: Vec::new() };
        for (neuron, (threshold, inputs)) in neurons.into_iter().enumerate() {
            for (input, (from, _)) in (0..).zip(&inputs) {
                let to = To { neuron, input };
                match *from {
                    Input::Source(source) => plan.sources[source].push(to),
                    Input::Neuron(source) => plan.neurons[source].outputs.push(to),
                }
            }
            plan.neurons.push(Unit { threshold, inputs, outputs: Vec::new() });
        }
        plan
    }

    /// XOR: the sources x and y, the neurons h1, h2, h3 and z.
    pub fn xor() -> Self {
        use Input::{Neuron, Source};
        Self::new(
            2,
            [
                (0.9, vec![(Source(0), 1.0)]),
                (1.9, vec![(Source(0), 1.0), (Source(1), 1.0)]),
                (0.9, vec![(Source(1), 1.0)]),
                (0.9, vec![(Neuron(0), 1.0), (Neuron(1), -2.0), (Neuron(2), 1.0)]),
            ],
        )
    }

    /// A source and that many neurons, each of which follows the one before.
    pub fn chain(neurons: usize) -> Self {
        let from = |neuron: usize| neuron.checked_sub(1).map_or(Input::Source(0), Input::Neuron);
        Self::new(1, (0..neurons).map(|neuron| (0.9, vec![(from(neuron), 1.0)])))
    }

    /// A source, that many neurons that follow it, and one that has them all as inputs.
    pub fn fan(neurons: usize) -> Self {
        let wide = (0..neurons).map(|_| (0.9, vec![(Input::Source(0), 1.0)]));
        let all = (0..neurons).map(|neuron| (Input::Neuron(neuron), 1.0)).collect();
        Self::new(1, wide.chain([(0.9, all)]))
    }

    /// Two sources and neurons with two inputs and two outputs each.
    pub fn braid(neurons: usize) -> Self {
        let inputs = |neuron: usize| match neuron {
            0 => vec![(Input::Source(0), 1.0), (Input::Source(1), 1.0)],
            1 => vec![(Input::Source(1), 1.0), (Input::Neuron(0), 1.0)],
            _ => vec![(Input::Neuron(neuron - 1), 1.0), (Input::Neuron(neuron - 2), 1.0)],
        };
        Self::new(2, (0..neurons).map(|neuron| (0.5, inputs(neuron))))
    }

    /// Ten sources and neurons with that many inputs each, chosen at random among those before
    /// them; half of the weights are negative.
    pub fn random(neurons: usize, inputs: usize) -> Self {
        const SOURCES: usize = 10;
        let mut rng = fastrand::Rng::with_seed(2016);
        let mut chosen = |neuron: usize| {
            let mut from = std::collections::BTreeSet::new();
            while from.len() < inputs.min(SOURCES + neuron) {
                from.insert(rng.usize(0..SOURCES + neuron));
            }
            let weighted = from.into_iter().map(|index| {
                let input = index.checked_sub(SOURCES).map_or(Input::Source(index), Input::Neuron);
                (input, if rng.bool() { 1.0 } else { -1.0 })
            });
            weighted.collect()
        };
        Self::new(SOURCES, (0..neurons).map(|neuron| (0.9, chosen(neuron))))
    }

    /// Returns how many messages with a level one wave takes.
    pub fn hops(&self) -> usize {
        self.neurons.iter().map(|unit| unit.inputs.len()).sum()
    }

    /// Returns the plan as a network of neuron-core. Sources are neurons, too: `s0`, `s1`; the
    /// others are `n0`, `n1` and so on.
    pub fn network(&self, mode: Mode) -> Network {
        self.clone().into_network(mode)
    }

    /// Turns the plan into a network of neuron-core. Unlike [`Plan::network`], it does not keep
    /// both a large plan and its network in memory.
    pub fn into_network(self, mode: Mode) -> Network {
        let mut builder = Network::builder("plan").mode(mode).hold(Duration::from_secs(600));
        for source in 0..self.sources.len() {
            builder = builder.neuron(&format!("s{source}"), |neuron| neuron.threshold(0.9));
        }
        for (number, unit) in self.neurons.into_iter().enumerate() {
            builder = builder.neuron(&format!("n{number}"), |mut neuron| {
                neuron = neuron.threshold(unit.threshold);
                for (from, weight) in &unit.inputs {
                    neuron = neuron.weight(&name(*from), *weight);
                }
                neuron
            });
        }
        builder.build().expect("a plan is a valid network")
    }

    /// Returns the name of the last neuron in the network of neuron-core.
    pub fn last(&self) -> String {
        name(Input::Neuron(self.neurons.len() - 1))
    }
}

fn name(from: Input) -> String {
    match from {
        Input::Source(number) => format!("s{number}"),
        Input::Neuron(number) => format!("n{number}"),
    }
}
