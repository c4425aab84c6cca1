//! What the log tells of a neuron: one line when something changes, never one for each wave. With
//! the feature `actor` only.

use crate::{id::NeuronId, value::Value};

/// Notes that a message is not believed which would have ended this incarnation.
#[cold]
pub(super) fn fencing_refused(neuron: &NeuronId, from: &NeuronId) {
    #[cfg(feature = "actor")]
    tracing::warn!(%neuron, %from, "a message that would fence this neuron is not believed");
    #[cfg(not(feature = "actor"))]
    let _ = (neuron, from);
}

/// Notes that an input is silent: it is not waited for any more.
#[cold]
pub(super) fn input_silent(neuron: &NeuronId, input: &NeuronId) {
    #[cfg(feature = "actor")]
    tracing::info!(%neuron, %input, "an input is silent");
    #[cfg(not(feature = "actor"))]
    let _ = (neuron, input);
}

/// Notes that an input is heard again.
#[cold]
pub(super) fn input_back(neuron: &NeuronId, input: &NeuronId) {
    #[cfg(feature = "actor")]
    tracing::info!(%neuron, %input, "an input is back");
    #[cfg(not(feature = "actor"))]
    let _ = (neuron, input);
}

/// Notes that the answer has become degraded, or plain again.
#[cold]
pub(super) fn certainty_changed(neuron: &NeuronId, value: &Value) {
    #[cfg(feature = "actor")]
    if value.is_degraded() {
        tracing::warn!(%neuron, missing = %value.missing, "the answer is degraded");
    } else {
        tracing::info!(%neuron, "the answer is plain again");
    }
    #[cfg(not(feature = "actor"))]
    let _ = (neuron, value);
}
