//! What arrives, and how often.

use neuron_core::{
    ControllerId,
    command::{Answer, Command, Report, Request, Stimulus},
    transport::{Address, Envelope},
};

use crate::{
    carrier::{APART, Carrier, WHOLE},
    harness::{Harness, id, numbered},
};

/// An envelope that arrives equals the one that was sent, whether it was encoded on the way or not.
pub async fn an_envelope_arrives_as_it_was_sent<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let mut inbox = carrier.open_neuron("z").await;
    carrier.pass(numbered("h1", "z", 7), &mut inbox, WHOLE).await;
}

/// Neurons get requests and controllers get reports, also if a neuron and a controller have one
/// name.
pub async fn signals_requests_and_reports_find_their_address<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let controller: ControllerId = "z".parse().expect("a name");
    let mut of_neuron = carrier.open_neuron("z").await;
    let mut of_controller = carrier.open(&Address::Controller(controller.clone())).await;
    let stimulus = Stimulus { sensor: None, level: Some(1.0), hold: None };
    let command = Command::Stimulate { stimulus, at: None, within: std::time::Duration::ZERO };
    let request = Box::new(Request::new(1, command));
    let request = Envelope::Request { from: controller.clone(), to: id("z"), request };
    let report = Box::new(Report::Reply { request: 1, result: Ok(Answer::Done) });
    let report = Envelope::Report { from: id("z"), to: controller, report };
    // The first is still in its inbox when the second arrives; or it is lost, and sent again.
    carrier.send(report.clone()).await;
    carrier.pass(request, &mut of_neuron, WHOLE).await;
    let arrived = carrier.next(&mut of_controller, WHOLE, format_args!("{report:?}")).await;
    match arrived {
        Some(arrived) => assert_eq!(arrived, report, "{WHOLE}"),
        None => carrier.pass(report, &mut of_controller, WHOLE).await,
    }
}

/// Each of a thousand envelopes arrives as often as the carrier promises.
///
/// [`Delivery`](neuron_core::transport::Delivery) says how often. A carrier that loses may leave some
/// out, but not nearly all.
pub async fn an_envelope_arrives_once_if_that_is_promised<H: Harness>() {
    const COUNT: u64 = 1000;
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let mut inbox = carrier.open_neuron("z").await;
    for number in 0..COUNT {
        carrier.send(numbered("a", "z", number)).await;
    }
    let arrived = carrier.receive(&mut inbox, COUNT).await;
    for (from, numbers) in carrier.numbers("z", arrived) {
        carrier.check_sequence(&from, &numbers, &(0..COUNT).collect::<Vec<_>>());
    }
    // Nothing is left: what comes next is what is sent next.
    carrier.pass(numbered("end", "z", 0), &mut inbox, &carrier.delivery()).await;
}

/// An envelope to an address without an inbox is not delivered, and later ones to others are.
pub async fn an_envelope_without_an_inbox_disturbs_no_other_inbox<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let carrier = Carrier::of(&harness);
    let mut inbox = carrier.open_neuron("z").await;
    // Not every transport can tell that there is no inbox.
    let _ = carrier.transport.send(numbered("a", "absent", 1)).await;
    carrier.pass(numbered("a", "z", 2), &mut inbox, APART).await;
}
