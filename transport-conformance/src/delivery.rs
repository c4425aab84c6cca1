//! What arrives, and how often.

use neuron_core::{
    ControllerId,
    command::{Answer, Command, Report, Request, Stimulus},
    transport::{Address, Delivery, Envelope},
};

use crate::harness::{Harness, id, neuron, next, number, numbered, open, send};

/// Typed or encoded on the way: what comes out equals what went in.
pub async fn an_envelope_arrives_as_it_was_sent<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    let envelope = numbered("h1", "z", 7);
    send(&transport, envelope.clone()).await;
    assert_eq!(next(&mut inbox).await, envelope);
}

/// Neurons get signals and requests, controllers get reports; a neuron and a controller of one name do not mix.
pub async fn signals_requests_and_reports_find_their_address<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let controller: ControllerId = "z".parse().expect("a name");
    let mut of_neuron = open(&transport, &neuron("z")).await;
    let mut of_controller = open(&transport, &Address::Controller(controller.clone())).await;
    let stimulus = Stimulus { sensor: None, level: 1.0, hold: None };
    let command = Command::Stimulate { stimulus, at: None, within: std::time::Duration::ZERO };
    let request = Box::new(Request { id: 1, command });
    let request = Envelope::Request { from: controller.clone(), to: id("z"), request };
    let report = Box::new(Report::Reply { request: 1, result: Ok(Answer::Done) });
    let report = Envelope::Report { from: id("z"), to: controller, report };
    send(&transport, report.clone()).await;
    send(&transport, request.clone()).await;
    assert_eq!(next(&mut of_neuron).await, request);
    assert_eq!(next(&mut of_controller).await, report);
}

/// Of a thousand envelopes each arrives: exactly once where that is promised, at least once where that is.
pub async fn an_envelope_arrives_once_if_that_is_promised<H: Harness>() {
    const COUNT: u64 = 1000;
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let delivery = transport.guarantees().delivery;
    let mut inbox = open(&transport, &neuron("z")).await;
    for number in 0..COUNT {
        send(&transport, numbered("a", "z", number)).await;
    }
    send(&transport, numbered("end", "z", 0)).await;
    let mut seen = vec![0u32; COUNT as usize];
    loop {
        let (from, number) = number(&next(&mut inbox).await);
        if from == "end" {
            break;
        }
        seen[number as usize] += 1;
    }
    match delivery {
        Delivery::ExactlyOnce => assert!(seen.iter().all(|count| *count == 1)),
        Delivery::AtLeastOnce => assert!(seen.iter().all(|count| *count >= 1)),
        Delivery::AtMostOnce => assert!(seen.iter().all(|count| *count <= 1)),
    }
}

/// Whoever has no inbox gets nothing, and the others get theirs.
pub async fn an_envelope_to_nobody_disturbs_nobody<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    // Whether the transport can tell is its own affair.
    let _ = transport.send(numbered("a", "nobody", 1)).await;
    send(&transport, numbered("a", "z", 2)).await;
    assert_eq!(number(&next(&mut inbox).await).1, 2);
}
