//! The checks that every network passes, from a file or from code.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::{
    Network, NeuronSpec,
    cycles::{has_cycle, shortest_cycles, spell_cycle},
    did_you_mean,
};
use crate::{
    id::NeuronId,
    neuron::{MAX_MAGNITUDE, Rule, SensorHold, WhenSilent, is_finite},
};

/// The longest duration in a network: 100 years, because tag time ends in 2112.
const MAX_SPAN: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A problem and the path of keys that leads to it.
pub(super) struct Finding {
    pub(super) path: Vec<String>,
    pub(super) message: String,
    /// The word that a file would contain if the problem did not exist; `None` if the problem is not
    /// that something is absent.
    pub(super) absent: Option<String>,
}

impl Finding {
    fn absent(mut self, word: &str) -> Self {
        self.absent = Some(word.to_owned());
        self
    }
}

fn finding<const N: usize>(path: [&str; N], message: String) -> Finding {
    Finding { path: path.map(str::to_owned).to_vec(), message, absent: None }
}

/// Returns every problem of a network; empty if it is valid.
pub(super) fn check(network: &Network) -> Vec<Finding> {
    let mut findings = Vec::new();
    if network.neurons.is_empty() {
        findings.push(finding(["neurons"], "a network needs at least one neuron".to_owned()).absent("neurons"));
    }
    let settings = &network.settings;
    for (key, span) in [("hold", settings.hold), ("patience", settings.patience), ("lease", settings.lease)] {
        findings.extend(check_span(span, ["network", key]));
    }
    if settings.coincidence > MAX_SPAN {
        findings.extend(check_span(settings.coincidence, ["network", "coincidence"]));
    }
    let indices: Indices = network.neurons.keys().zip(0..).collect();
    let mut waits = Vec::with_capacity(network.len());
    for (id, spec) in &network.neurons {
        waits.push(check_neuron(network, &indices, id, spec, &mut findings));
    }
    if has_cycle(&waits) {
        report_cycles(network, &waits, &mut findings);
    }
    findings
}

/// The index of each neuron: its position in the order of the names.
type Indices<'a> = HashMap<&'a NeuronId, u32>;

/// Checks one neuron, adds its problems to `findings`, and returns the indices of its inputs
/// without a delay.
fn check_neuron(
    network: &Network,
    indices: &Indices<'_>,
    id: &NeuronId,
    spec: &NeuronSpec,
    findings: &mut Vec<Finding>,
) -> Box<[u32]> {
    let mut waits = Vec::with_capacity(spec.weights.len());
    let neuron = id.as_str();
    if let Some(threshold) = spec.threshold {
        findings.extend(check_number(threshold, ["neurons", neuron, "threshold"]));
    }
    for (source, synapse) in &spec.weights {
        let path = ["neurons", neuron, "weights", source.as_str()];
        findings.extend(check_number(synapse.weight, path));
        if let Some(delay) = synapse.delay {
            findings.extend(check_span(delay, path));
        }
        match indices.get(source) {
            Some(index) if synapse.delay.is_none() => waits.push(*index),
            Some(_) => {}
            None => {
                let hint = findings.len() < MAX_HINTS;
                findings.push(finding(path, unknown_neuron(network, spec, source, hint)).absent(source.as_str()));
            }
        }
    }
    for (sensor, attached) in &spec.sensors {
        let path = ["neurons", neuron, "sensors", sensor.as_str()];
        findings.extend(check_number(attached.weight, path));
        if let SensorHold::For(hold) = attached.hold {
            findings.extend(check_span(hold, path));
        }
        if attached.when_silent == WhenSilent::Unknown && matches!(spec.rule, Rule::Pulse { .. }) {
            let message = "a pulse neuron counts kicks, and a silent sensor brings none; leave `when_silent` out";
            findings.push(finding(path, message.to_owned()));
        }
        if network.neurons.contains_key(sensor.as_str()) {
            let message = format!("`{sensor}` is the name of a neuron; weigh it under `weights`, or rename the sensor");
            findings.push(finding(path, message));
        }
    }
    if let Some(hold) = spec.hold {
        findings.extend(check_span(hold, ["neurons", neuron, "hold"]));
    }
    if spec.linger > MAX_SPAN {
        findings.extend(check_span(spec.linger, ["neurons", neuron, "linger"]));
    }
    if let Rule::Pulse { window, refractory } = spec.rule {
        findings.extend(check_span(window, ["neurons", neuron, "window"]));
        findings.extend(check_span(refractory, ["neurons", neuron, "refractory"]));
        if !spec.linger.is_zero() {
            let message = "a pulse does not linger; leave `linger` out, or `rule = \"pulse\"`".to_owned();
            findings.push(finding(["neurons", neuron, "linger"], message));
        }
    }
    waits.into_boxed_slice()
}

/// The most problems with a suggested name: each suggestion compares a name with those of all
/// neurons.
const MAX_HINTS: usize = 50;

fn unknown_neuron(network: &Network, spec: &NeuronSpec, source: &NeuronId, hint: bool) -> String {
    if spec.sensors.contains_key(source.as_str()) {
        return format!("`{source}` is a sensor here; its weight stands under `sensors`");
    }
    let known = if hint { &network.neurons } else { &BTreeMap::new() };
    match did_you_mean(source.as_str(), known.keys().map(NeuronId::as_str)) {
        Some(name) => format!("`{source}` is not a neuron here; did you mean `{name}`?"),
        None => format!("`{source}` is not a neuron here; a sensor's weight stands under `sensors`"),
    }
}

fn check_number<const N: usize>(number: f64, path: [&str; N]) -> Option<Finding> {
    let message = || format!("{number:e} is not usable; a number must be finite and between ±{MAX_MAGNITUDE:e}");
    (!is_finite(number)).then(|| finding(path, message()))
}

fn check_span<const N: usize>(span: Duration, path: [&str; N]) -> Option<Finding> {
    if span < Duration::from_micros(1) {
        let message =
            "a duration below a microsecond counts as 0, which has no meaning here; make it longer, or leave it out";
        return Some(finding(path, message.to_owned()));
    }
    (span > MAX_SPAN).then(|| finding(path, "a duration of more than 100 years does not fit into tag time".to_owned()))
}

/// Adds a finding for each neuron that is its own input without a delay, and for the cycles that
/// [`shortest_cycles`] returns. `waits` holds the inputs without a delay of each neuron.
fn report_cycles(network: &Network, waits: &[Box<[u32]>], findings: &mut Vec<Finding>) {
    let names: Vec<&NeuronId> = network.neurons.keys().collect();
    for (index, inputs) in (0..).zip(waits) {
        // An edge from a neuron to itself is reported apart from the longer cycle it may be on.
        if inputs.contains(&index) {
            findings.push(cycle_finding(&names, &[index, index], ""));
        }
    }
    let cycles = shortest_cycles(waits);
    let last = cycles.paths.len().saturating_sub(1);
    for (index, path) in cycles.paths.iter().enumerate() {
        let more = if cycles.has_more && index == last { "; there are more loops" } else { "" };
        findings.push(cycle_finding(&names, path, more));
    }
}

fn cycle_finding(names: &[&NeuronId], path: &[u32], more: &str) -> Finding {
    let name = |index: &u32| names[*index as usize];
    let (first, second) = (name(&path[0]), name(&path[1]));
    let message = format!(
        "a loop without a delay: {}; give one of its edges a delay, such as {first} = {{ weight = 1, delay = \
         \"10ms\" }}{more}",
        spell_cycle(path.iter().map(name)),
    );
    finding(["neurons", second.as_str(), "weights", first.as_str()], message).absent("delay")
}
