//! Generates how long readings count, and what the silence of sensors means.

use std::time::Duration;

use crate::{
    Network,
    network::NeuronSpec,
    neuron::{Rule, Sensor, SensorHold, WhenSilent},
    sim::{Action, Plan},
};

/// Gives some sensors a hold of their own, and with `unknown` lets some be unknown while they are
/// silent, and some readings be unknown.
///
/// `rng` is apart from the one of the plan, so that the rest of a plan does not depend on this.
pub(super) fn vary_sensors(plan: &mut Plan, unknown: bool, rng: &mut fastrand::Rng) {
    let network = &plan.network;
    let mut builder = Network::builder(network.name().as_str()).settings(*network.settings());
    for (id, spec) in network.neurons() {
        let mut spec: NeuronSpec = spec.clone();
        let may_be_unknown = unknown && spec.rule == Rule::Level;
        spec.sensors.values_mut().for_each(|sensor| vary(sensor, may_be_unknown, rng));
        builder = builder.spec(id.as_str(), spec);
    }
    plan.network = builder.build().expect("only sensors have changed");
    for (_, action) in &mut plan.actions {
        if let Action::Feed { level, .. } = action
            && unknown
            && rng.u8(0..6) == 0
        {
            *level = None;
        }
    }
}

fn vary(sensor: &mut Sensor, may_be_unknown: bool, rng: &mut fastrand::Rng) {
    sensor.hold = match rng.u8(0..6) {
        0 => SensorHold::UntilNext,
        1 | 2 => SensorHold::For(Duration::from_millis(rng.u64(1..8_000))),
        _ => SensorHold::OfNeuron,
    };
    if may_be_unknown && rng.u8(0..6) == 0 {
        sensor.when_silent = WhenSilent::Unknown;
    }
}
