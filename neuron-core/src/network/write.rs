//! Writes a network as the text of a network file.

use std::{fmt::Write as _, time::Duration};

use super::{Network, NetworkSettings, NeuronSpec, file::UNTIL_NEXT};
use crate::neuron::{Mode, Rule, Sensor, SensorHold, WhenSilent};

/// Returns the text of a file that reads as `network`. Settings with their default are left out.
pub(super) fn write(network: &Network) -> String {
    let mut text = format!("[network]\nname = \"{}\"\n", network.name);
    let NetworkSettings { hold, coincidence, patience, lease, mode } = network.settings;
    let default = NetworkSettings::default();
    for (key, span, default) in [
        ("hold", hold, default.hold),
        ("coincidence", coincidence, default.coincidence),
        ("patience", patience, default.patience),
        ("lease", lease, default.lease),
    ] {
        if span != default {
            line(&mut text, key, &quoted(span));
        }
    }
    if mode != default.mode {
        line(&mut text, "mode", mode_name(mode));
    }
    for (id, spec) in &network.neurons {
        let _ = write!(text, "\n[neurons.{id}]\n");
        neuron(&mut text, spec);
    }
    text
}

fn neuron(text: &mut String, spec: &NeuronSpec) {
    if let Some(threshold) = spec.threshold {
        line(text, "threshold", &format!("{threshold:?}"));
    }
    if !spec.weights.is_empty() {
        let entries = spec.weights.iter().map(|(source, synapse)| match synapse.delay {
            None => format!("{source} = {:?}", synapse.weight),
            Some(delay) => format!("{source} = {{ weight = {:?}, delay = {} }}", synapse.weight, quoted(delay)),
        });
        table(text, "weights", entries);
    }
    if !spec.sensors.is_empty() {
        table(text, "sensors", spec.sensors.iter().map(|(id, attached)| format!("{id} = {}", sensor(attached))));
    }
    if let Some(hold) = spec.hold {
        line(text, "hold", &quoted(hold));
    }
    if !spec.linger.is_zero() {
        line(text, "linger", &quoted(spec.linger));
    }
    if let Some(mode) = spec.mode {
        line(text, "mode", mode_name(mode));
    }
    if let Rule::Pulse { window, refractory } = spec.rule {
        line(text, "rule", "\"pulse\"");
        line(text, "window", &quoted(window));
        line(text, "refractory", &quoted(refractory));
    }
    if let Some(host) = &spec.host {
        line(text, "host", &format!("\"{host}\""));
    }
}

/// Returns the weight alone, or a table if there is more to say.
fn sensor(attached: &Sensor) -> String {
    let mut text = format!("weight = {:?}", attached.weight);
    match attached.hold {
        SensorHold::OfNeuron => {}
        SensorHold::For(hold) => text += &format!(", hold = {}", quoted(hold)),
        SensorHold::UntilNext => text += &format!(", hold = \"{UNTIL_NEXT}\""),
    }
    if attached.when_silent == WhenSilent::Unknown {
        text += ", when_silent = \"unknown\"";
    }
    if *attached == Sensor::new(attached.weight) { format!("{:?}", attached.weight) } else { format!("{{ {text} }}") }
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {value}");
}

fn table(text: &mut String, key: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<String> = entries.collect();
    line(text, key, &format!("{{ {} }}", entries.join(", ")));
}

fn quoted(span: Duration) -> String {
    format!("\"{}\"", humantime::format_duration(span))
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Coherent => "\"coherent\"",
        Mode::Asap => "\"asap\"",
    }
}
