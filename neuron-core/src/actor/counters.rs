//! What a host counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a host has counted since it was started, beside what its neurons count. Returned by
/// [`Host::counters`](super::Host::counters).
///
/// Counters never fall. They are read one by one, so two of them may be from different moments.
///
/// ```
/// # use neuron_core::actor::Host;
/// /// Returns whether all neurons of a host still run, and none has restarted.
/// fn is_healthy(host: &Host) -> bool {
///     let counters = host.counters();
///     counters.panics + counters.deaths + counters.unsaved + counters.fenced == 0
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounters {
    /// Panics in a turn of a neuron, or in its inbox. After a panic in a turn the neuron restarts
    /// with its configuration.
    pub panics: u64,
    /// Neurons that have stopped because they panicked again while they restarted, or because their
    /// inbox panicked.
    pub deaths: u64,
    /// How often a neuron has fallen silent because it could not be saved: unsaved state must not be
    /// sent. It refuses each request ([`Refusal::Unsaved`](crate::command::Refusal::Unsaved)), and goes
    /// on in its next incarnation once it can be saved.
    pub unsaved: u64,
    /// How often such a neuron has gone on. While this is less than `unsaved`, neurons are silent,
    /// unless they have been removed meanwhile.
    pub saved_again: u64,
    /// Neurons that were fenced: they send no signal, and refuse each request.
    pub fenced: u64,
    /// Envelopes that were not delivered, usually because there is no inbox at their address. A
    /// neuron whose statement was among them is told, and asks the receiver to subscribe again.
    pub undelivered: u64,
    /// Envelopes that were discarded because their receiver was too slow: more than a thousand were
    /// waiting for it. A neuron that lacks a statement because of that subscribes again and gets
    /// the newest level; the rest is repeated when it is missed.
    pub shed: u64,
    /// Reports to the host's controller that were not believed: they answer a request to another
    /// neuron, tell of a watch of another one, or answer something else than what was asked. The
    /// log names the senders.
    pub forged: u64,
    /// How often the time of day was set forward while the host ran. Its neurons have followed: see
    /// [`HostBuilder::time_of_day`](super::HostBuilder::time_of_day).
    pub clock_forward: u64,
    /// How often the time of day was set back while the host ran. Its neurons have not followed,
    /// and go on with tags ahead of the time of day until the host is started again, or the time of
    /// day has come up with them.
    pub clock_back: u64,
}

/// The counters of a host, which its thread writes and other threads read.
#[derive(Debug, Default)]
pub(super) struct SharedHostCounters {
    panics: AtomicU64,
    deaths: AtomicU64,
    unsaved: AtomicU64,
    saved_again: AtomicU64,
    fenced: AtomicU64,
    undelivered: AtomicU64,
    shed: AtomicU64,
    forged: AtomicU64,
    clock_forward: AtomicU64,
    clock_back: AtomicU64,
}

impl SharedHostCounters {
    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_death(&self) {
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_unsaved(&self) {
        self.unsaved.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_saved_again(&self) {
        self.saved_again.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_fenced(&self) {
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_undelivered(&self) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts this many envelopes that were discarded.
    pub(super) fn count_all_shed(&self, count: usize) {
        self.shed.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn count_shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a report that is not believed, and returns how many there were.
    pub(super) fn count_forged(&self) -> u64 {
        self.forged.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn count_clock_forward(&self) {
        self.clock_forward.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_clock_back(&self) {
        self.clock_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the present values.
    pub(super) fn read(&self) -> HostCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HostCounters {
            panics: read(&self.panics),
            deaths: read(&self.deaths),
            unsaved: read(&self.unsaved),
            saved_again: read(&self.saved_again),
            fenced: read(&self.fenced),
            undelivered: read(&self.undelivered),
            shed: read(&self.shed),
            forged: read(&self.forged),
            clock_forward: read(&self.clock_forward),
            clock_back: read(&self.clock_back),
        }
    }
}
