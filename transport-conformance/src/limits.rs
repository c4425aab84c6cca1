//! What is too large for one message, and controllers that want too much.

use std::time::Duration;

use neuron_core::{
    Network,
    actor::{ControlError, Controller, Host},
    command::{Command, Refusal, Request},
    transport::{Address, Envelope},
};

use crate::harness::Harness;

/// More questions than wait at a neuron.
const QUESTIONS: u64 = 5_000;

/// How far ahead the tags are that the greedy controller asks for.
const HOUR: Duration = Duration::from_secs(3600);

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

/// A controller that asks for thousands of tags that are far ahead does not keep another one from
/// asking. What is refused is counted.
pub async fn a_greedy_controller_leaves_room_for_others<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let network = Network::builder("asked").hold(Duration::from_secs(600)).neuron("n", |n| n.threshold(0.5));
    let host = Host::start(network.build().expect("it is right"), harness.transport()).await.expect("it starts");
    let controller = host.controller();
    let stamp = controller.stimulate("n", 1.0).await.expect("it takes it");
    let transport = harness.transport();
    let greedy = "greedy".parse().expect("a name");
    let inbox = transport.subscribe(&Address::Controller(greedy)).await.expect("it may have an inbox");
    let to_ask = async |number: u64| {
        let tag = stamp.tag.after(HOUR + Duration::from_micros(number));
        let request = Box::new(Request::new(number, Command::OutputAt { tag }));
        let (from, to) = ("greedy".parse().expect("a name"), "n".parse().expect("a name"));
        transport.send(Envelope::Request { from, to, request }).await.expect("n has an inbox");
    };
    let mut number = 0;
    while number < QUESTIONS || controller.counters("n").await.expect("it answers").refused == 0 {
        number += 1;
        to_ask(number).await;
    }
    let soon = stamp.tag.after(Duration::from_millis(500));
    assert_eq!(controller.output_at("n", soon).await.expect("there is room for its question").level, 1.0);
    drop(inbox);
    host.stop().await;
}
