//! What is too large for one message.

use std::time::Duration;

use neuron_core::{
    Network,
    actor::{ControlError, Controller, Host},
    command::Refusal,
};

use crate::harness::Harness;

/// How many sensors a neuron has whose configuration does not fit into a frame.
const SENSORS: usize = 20_000;

/// A neuron whose configuration is too large for one message refuses to tell it, instead of being
/// silent, and answers everything else. A carrier without frames carries it.
pub async fn an_answer_that_is_too_large_is_refused<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let network = Network::builder("large").hold(Duration::from_secs(600)).neuron("n", |neuron| {
        let sensors =
            (0..SENSORS).map(|index| format!("sensor-with-quite-a-long-name-so-that-it-takes-room-{index:05}"));
        sensors.fold(neuron.threshold(0.5), |neuron, sensor| neuron.sensor(&sensor, 1.0))
    });
    let network = network.build().expect("it is right");
    let host = Host::start(network.clone(), harness.transport()).await.expect("it starts");
    let elsewhere = Controller::join(network, harness.transport()).await.expect("it joins");
    match elsewhere.config("n").await {
        Ok(config) => assert_eq!(config.sensors.len(), SENSORS),
        Err(ControlError::Refused { refusal: Refusal::TooLarge, .. }) => {}
        Err(error) => panic!("it was to be told or refused, not: {error}"),
    }
    let stamp = elsewhere.stimulate("n", 1.0).await.expect("it takes it");
    assert_eq!(elsewhere.output_at("n", stamp.tag).await.expect("it answers").level, 1.0);
    host.stop().await;
}
