//! A transport that misbehaves, from a seed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use neuron_core::{
    hosts::Claim,
    transport::{
        Address, BrokerRefusal, ClaimInbox, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport,
        TransportError, async_trait,
    },
};

/// A wrapper that delays every envelope, so that they overtake each other, and delivers some twice.
/// It loses none, unless it is [told to](Faulty::losing).
///
/// The seed and the order of sending decide what is delayed by how much, what is duplicated and
/// what is lost. The delays run on the tokio runtime in which [`Faulty::new`] is called.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Transport>,
    rng: Mutex<fastrand::Rng>,
    max_delay: Duration,
    doubled_percent: u8,
    lost_percent: u8,
    retry: Option<Duration>,
    runtime: tokio::runtime::Handle,
}

impl Faulty {
    /// Wraps a transport. Each envelope is delayed by up to `max_delay`, and `doubled_percent` in a
    /// hundred arrive twice.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(inner: Arc<dyn Transport>, seed: u64, max_delay: Duration, doubled_percent: u8) -> Self {
        let rng = Mutex::new(fastrand::Rng::with_seed(seed));
        let runtime = tokio::runtime::Handle::current();
        Self { inner, rng, max_delay, doubled_percent, lost_percent: 0, retry: None, runtime }
    }

    /// Loses `percent` in a hundred envelopes of all kinds, and declares [`Delivery::AtMostOnce`].
    pub fn losing(mut self, percent: u8) -> Self {
        self.lost_percent = percent;
        self
    }

    /// Declares `retry` as the pace of retries, instead of what follows from the wrapped transport
    /// and the delay. What is lost is then made up for sooner, and a test takes less time.
    pub fn retrying_after(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }
}

#[deny(clippy::missing_trait_methods)] // A method added later must not bypass the wrapper.
#[async_trait]
impl Transport for Faulty {
    fn send(&self, envelope: Envelope) -> Sending {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if rng.u8(0..100) < self.lost_percent {
            return Sending::done(Ok(()));
        }
        let copies = 1 + usize::from(rng.u8(0..100) < self.doubled_percent);
        for _ in 0..copies {
            let delay = Duration::from_micros(rng.u64(0..=self.max_delay.as_micros() as u64));
            let inner = self.inner.clone();
            let envelope = envelope.clone();
            self.runtime.spawn(async move {
                tokio::time::sleep(delay).await;
                // The receiver may be gone by now; that is not a fault.
                let _ = inner.send(envelope).await;
            });
        }
        Sending::done(Ok(()))
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        self.inner.last_refusal(to)
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if rng.u8(0..100) < self.lost_percent {
            return Sending::done(Ok(()));
        }
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

    fn guarantees(&self) -> Guarantees {
        let inner = self.inner.guarantees();
        let Pace { grace, retry } = inner.pace;
        Guarantees {
            ordered_per_sender: false,
            delivery: match inner.delivery {
                // Some arrive twice even so. No weaker promise exists, and neurons accept a message
                // once.
                _ if self.lost_percent > 0 => Delivery::AtMostOnce,
                Delivery::AtMostOnce => Delivery::AtMostOnce,
                Delivery::AtLeastOnce | Delivery::ExactlyOnce => Delivery::AtLeastOnce,
            },
            // The delayed envelopes wait in their tasks.
            full_inbox: FullInbox::TransportQueues,
            pace: Pace { grace: grace + self.max_delay, retry: self.retry.unwrap_or(retry + self.max_delay * 2) },
            local_bypass: false,
        }
    }
}
