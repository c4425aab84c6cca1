//! What a host counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a host counts beside what its neurons count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounters {
    /// Panics in the body of a neuron. Each time it was restarted with its configuration.
    pub panics: u64,
    /// Neurons that panicked again while they were being restarted, and are gone.
    pub deaths: u64,
    /// Neurons that could not be saved, and are gone: what is not saved must not be said.
    pub unsaved: u64,
    /// Neurons that have fallen silent, because others have heard of another life of them.
    pub fenced: u64,
    /// Envelopes that could not be handed over, because nobody listens at their address. A neuron whose statement is among
    /// them is told, and calls the receiver to subscribe again.
    pub undelivered: u64,
    /// Envelopes left out because their receiver was too slow: more than a thousand were waiting for it. A neuron that lacks
    /// a statement therefore subscribes again and gets the newest level; the rest is repeated when it is missed.
    pub left_out: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    panics: AtomicU64,
    deaths: AtomicU64,
    unsaved: AtomicU64,
    fenced: AtomicU64,
    undelivered: AtomicU64,
    left_out: AtomicU64,
}

impl Counts {
    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_death(&self) {
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_unsaved(&self) {
        self.unsaved.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_fenced(&self) {
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_undelivered(&self) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_left_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> HostCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HostCounters {
            panics: read(&self.panics),
            deaths: read(&self.deaths),
            unsaved: read(&self.unsaved),
            fenced: read(&self.fenced),
            undelivered: read(&self.undelivered),
            left_out: read(&self.left_out),
        }
    }
}
