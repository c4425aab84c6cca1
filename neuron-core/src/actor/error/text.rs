//! What the errors of hosts and controllers have in common.

use crate::id::NeuronId;

/// Says that a name is unknown, and which one is nearest.
pub(super) fn unknown(what: &str, name: &str, nearest: &Option<String>) -> String {
    match nearest {
        Some(nearest) => format!("`{name}` is not a {what} here; did you mean `{nearest}`?"),
        None => format!("`{name}` is not a {what} here"),
    }
}

/// Says which hosts a network names.
pub(super) fn hosts(known: &[String]) -> String {
    if known.is_empty() { "none names any".to_owned() } else { format!("it names {}", known.join(", ")) }
}

/// Returns the names of neurons, separated by commas.
pub(super) fn list(neurons: &[NeuronId]) -> String {
    let names: Vec<&str> = neurons.iter().map(NeuronId::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
