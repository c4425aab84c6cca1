//! What a call says whose request a carrier has refused after it was handed over.

use std::{
    error::Error as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use neuron_core::{
    Network,
    actor::{ControlError, Host},
    hosts::Claim,
    transport::{
        Address, BrokerRefusal, ClaimInbox, Envelope, Guarantees, Inbox, Sending, Transport, TransportError,
        TransportErrorKind, async_trait,
    },
};
use transport_local::LocalTransport;

/// How long a call waits.
const PATIENCE: Duration = Duration::from_millis(300);

/// Swallows the requests to one neuron, and says how long ago it has refused the last one.
#[derive(Debug)]
struct Refusing {
    inner: LocalTransport,
    to: &'static str,
    refused: Mutex<Option<Duration>>,
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for Refusing {
    fn send(&self, envelope: Envelope) -> Sending {
        match &envelope {
            Envelope::Request { to, .. } if to.as_str() == self.to => Sending::done(Ok(())),
            _ => self.inner.send(envelope),
        }
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }

    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        let elapsed = (*self.refused.lock().unwrap()).filter(|_| to.name() == self.to)?;
        Some(BrokerRefusal { reason: "no memory left".to_owned(), elapsed, count: 1 })
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        self.inner.send_claim(claim)
    }

    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        self.inner.subscribe_claims().await
    }

    fn attach_to_current_thread(&self) {
        self.inner.attach_to_current_thread();
    }

    async fn detach_from_current_thread(&self) {
        self.inner.detach_from_current_thread().await;
    }
}

#[tokio::test]
async fn a_call_without_an_answer_says_what_was_refused_in_its_time_and_nothing_older() {
    let network = Network::builder("refusals").neuron("y", |y| y).neuron("z", |z| z).build().unwrap();
    let transport = Arc::new(Refusing { inner: LocalTransport::new(), to: "y", refused: Mutex::new(None) });
    let host = Host::start(network, transport.clone()).await.unwrap();
    let controller = host.controller().timeout(PATIENCE);
    for (refused, is_told) in [(None, false), (Some(PATIENCE / 2), true), (Some(PATIENCE * 10), false)] {
        *transport.refused.lock().unwrap() = refused;
        let error = controller.stimulate("y", 1.0).await.unwrap_err();
        let ControlError::NoAnswer { source, .. } = &error else { panic!("{refused:?}: {error:?}") };
        assert_eq!(source.is_some(), is_told, "{refused:?}: {error:?}");
        if let Some(source) = source {
            assert_eq!(source.kind(), TransportErrorKind::Refused);
            assert_eq!(source.source().expect("the broker has said something").to_string(), "no memory left");
            assert!(format!("{error:?}").ends_with("the broker refuses this: no memory left"), "{error:?}");
        }
    }
    controller.stimulate("z", 1.0).await.unwrap();
    host.stop().await;
}
