//! What arrives, and how often.

use neuron_core::{
    ControllerId,
    command::{Answer, Command, Report, Request, Stimulus},
    transport::{Address, Delivery, Envelope},
};

use crate::harness::{Harness, id, neuron, next, number, numbered, open, send};

/// An envelope that arrives equals the one that was sent, whether it was encoded on the way or not.
pub async fn an_envelope_arrives_as_it_was_sent<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    let envelope = numbered("h1", "z", 7);
    send(&transport, envelope.clone()).await;
    assert_eq!(next(&mut inbox).await, envelope);
}

/// Neurons get requests and controllers get reports, also if a neuron and a controller have one
/// name.
pub async fn signals_requests_and_reports_find_their_address<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let controller: ControllerId = "z".parse().expect("a name");
    let mut of_neuron = open(&transport, &neuron("z")).await;
    let mut of_controller = open(&transport, &Address::Controller(controller.clone())).await;
    let stimulus = Stimulus { sensor: None, level: Some(1.0), hold: None };
    let command = Command::Stimulate { stimulus, at: None, within: std::time::Duration::ZERO };
    let request = Box::new(Request::new(1, command));
    let request = Envelope::Request { from: controller.clone(), to: id("z"), request };
    let report = Box::new(Report::Reply { request: 1, result: Ok(Answer::Done) });
    let report = Envelope::Report { from: id("z"), to: controller, report };
    send(&transport, report.clone()).await;
    send(&transport, request.clone()).await;
    assert_eq!(next(&mut of_neuron).await, request);
    assert_eq!(next(&mut of_controller).await, report);
}

/// Each of a thousand envelopes arrives as often as [`Delivery`] promises.
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

/// An envelope to an address without an inbox is not delivered, and later ones to others are.
pub async fn an_envelope_without_an_inbox_disturbs_no_other_inbox<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    // Not every transport can tell that there is no inbox.
    let _ = transport.send(numbered("a", "absent", 1)).await;
    send(&transport, numbered("a", "z", 2)).await;
    assert_eq!(number(&next(&mut inbox).await).1, 2);
}
