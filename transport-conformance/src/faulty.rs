//! A carrier that misbehaves, from a seed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use neuron_core::transport::{
    Address, BoxFuture, Delivery, Envelope, FullInbox, Guarantees, Inbox, Pace, Sending, Transport, TransportError,
};

/// Delays every envelope, so that they overtake each other, and delivers some twice. It loses none, unless it is
/// [told to](Faulty::losing).
///
/// What is delayed by how much, what is doubled and what is lost follows from the seed and the order of sending. It needs a
/// tokio runtime to be running; [`Faulty::new`] must be called from within it.
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
    /// Wraps a transport: up to `max_delay` for each envelope, and `doubled_percent` in a hundred come twice.
    pub fn new(inner: Arc<dyn Transport>, seed: u64, max_delay: Duration, doubled_percent: u8) -> Self {
        let rng = Mutex::new(fastrand::Rng::with_seed(seed));
        let runtime = tokio::runtime::Handle::current();
        Self { inner, rng, max_delay, doubled_percent, lost_percent: 0, retry: None, runtime }
    }

    /// Loses so many in a hundred, of all kinds, and says that it may.
    pub fn losing(mut self, percent: u8) -> Self {
        self.lost_percent = percent;
        self
    }

    /// Says that messages are sent again after so long, instead of what follows from the transport within and the delay:
    /// what is lost is made up for sooner, and a test takes less time.
    pub fn retrying_after(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }
}

#[deny(clippy::missing_trait_methods)] // A method added later must not bypass the wrapper.
impl Transport for Faulty {
    fn send(&self, envelope: Envelope) -> Sending {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if rng.u8(0..100) < self.lost_percent {
            return Sending::done(Ok(()));
        }
        let copies = 1 + usize::from(rng.u8(0..100) < self.doubled_percent);
        for _ in 0..copies {
            let delay = Duration::from_micros(rng.u64(0..=self.max_delay.as_micros() as u64));
            let (inner, envelope) = (self.inner.clone(), envelope.clone());
            self.runtime.spawn(async move {
                tokio::time::sleep(delay).await;
                // A receiver that is gone by now is no concern of a carrier.
                let _ = inner.send(envelope).await;
            });
        }
        Sending::done(Ok(()))
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.inner.subscribe(at)
    }

    fn attach_to_current_thread(&self) {
        self.inner.attach_to_current_thread();
    }

    fn guarantees(&self) -> Guarantees {
        let inner = self.inner.guarantees();
        let Pace { grace, retry } = inner.pace;
        Guarantees {
            ordered_per_sender: false,
            delivery: match inner.delivery {
                // Even if some come twice: nothing weaker can be said, and neurons take every message only once.
                _ if self.lost_percent > 0 => Delivery::AtMostOnce,
                Delivery::AtMostOnce => Delivery::AtMostOnce,
                Delivery::AtLeastOnce | Delivery::ExactlyOnce => Delivery::AtLeastOnce,
            },
            // What is delayed waits outside.
            full_inbox: FullInbox::CarrierKeeps,
            pace: Pace { grace: grace + self.max_delay, retry: self.retry.unwrap_or(retry + self.max_delay * 2) },
            local_bypass: false,
        }
    }
}
