//! A request that its caller has given up is not carried out any more.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use neuron_core::{
    Network,
    actor::{ControlError, Controller, Host},
    command::{Refusal, Report},
    transport::{Address, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, async_trait},
};
use transport_local::LocalTransport;

/// How far the clock of z is ahead.
const AHEAD: Duration = Duration::from_secs(3_600);

/// Carries messages between two hosts, one of which runs z.
#[derive(Debug, Default)]
struct Carrier {
    inner: LocalTransport,
    /// Requests are kept here instead of being delivered; `None` while they are delivered.
    kept: Mutex<Option<Vec<Envelope>>>,
    /// The clock of z is ahead of that of the controller.
    has_clocks_apart: bool,
    /// How many requests z has found to be too late.
    too_late: Mutex<u32>,
}

#[async_trait]
impl Transport for Carrier {
    fn send(&self, mut envelope: Envelope) -> Sending {
        match &mut envelope {
            Envelope::Request { request, .. } => {
                if self.has_clocks_apart {
                    request.deadline = request.deadline.map(|deadline| deadline.before(AHEAD));
                }
                if let Some(kept) = &mut *self.kept.lock().unwrap() {
                    kept.push(envelope);
                    return Sending::done(Ok(()));
                }
            }
            Envelope::Report { report, .. } => {
                if let Report::Reply { result: Err(Refusal::TooLate { now }), .. } = &mut **report {
                    *self.too_late.lock().unwrap() += 1;
                    if self.has_clocks_apart {
                        *now = now.after(AHEAD);
                    }
                }
            }
            _ => {}
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }
}

fn network() -> Network {
    Network::builder("apart").neuron("z", |z| z.threshold(0.5)).build().unwrap()
}

async fn start(carrier: Carrier) -> (Arc<Carrier>, Host, Controller) {
    let carrier = Arc::new(carrier);
    let host = Host::start(network(), carrier.clone()).await.unwrap();
    let controller = Controller::join(network(), carrier.clone()).await.unwrap();
    (carrier, host, controller)
}

#[tokio::test]
async fn a_change_that_arrives_after_its_caller_has_given_up_is_not_made() {
    let (carrier, host, controller) = start(Carrier::default()).await;
    *carrier.kept.lock().unwrap() = Some(Vec::new());
    let hurried = controller.timeout(Duration::from_millis(20));
    let error = hurried.set_threshold("z", 7.0).await.unwrap_err();
    assert!(matches!(error, ControlError::NoAnswer { .. }), "{error}");
    let error = hurried.stimulate("z", 1.0).await.unwrap_err();
    assert!(matches!(error, ControlError::NoAnswer { .. }), "{error}");
    let kept = carrier.kept.lock().unwrap().take().unwrap();
    for envelope in kept {
        carrier.inner.send(envelope).await.unwrap();
    }
    // They are before this question in the inbox.
    assert_eq!(controller.config("z").await.unwrap().threshold, Some(0.5));
    assert_eq!(controller.log("z").await.unwrap(), []);
    assert_eq!(*carrier.too_late.lock().unwrap(), 2);
    assert_eq!(host.controller().counters("z").await.unwrap().refused, 2);
}

#[tokio::test]
async fn clocks_that_differ_cost_one_more_round_and_no_request() {
    let (carrier, _host, controller) = start(Carrier { has_clocks_apart: true, ..Carrier::default() }).await;
    for threshold in [1.0, 2.0, 3.0] {
        controller.timeout(Duration::from_secs(5)).set_threshold("z", threshold).await.unwrap();
    }
    assert_eq!(controller.config("z").await.unwrap().threshold, Some(3.0));
    assert_eq!(*carrier.too_late.lock().unwrap(), 1, "the controller knows the clock from then on");
}
