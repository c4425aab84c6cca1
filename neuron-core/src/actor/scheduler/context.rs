//! What all neurons of a host have in common.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

use super::listeners::Listeners;
use crate::{
    actor::{
        ceiling::HostCeiling,
        claims::{HostEnd, SharedClaims},
        clock::Clock,
        counters::SharedHostCounters,
        links::SharedLinks,
        store_thread::StoreThread,
    },
    id::NeuronId,
    record::Record,
    transport::Transport,
};

/// What all neurons of a host have in common. It stays the same while the host runs.
pub(in crate::actor) struct HostContext {
    pub(in crate::actor) transport: Arc<dyn Transport>,
    /// Signals between neurons of this host may bypass the transport.
    pub(in crate::actor) local_bypass: bool,
    /// What comes through an inbox comes from this process. Over a broker it may come from another
    /// process that runs a neuron of the same name.
    pub(in crate::actor) local_inboxes: bool,
    pub(in crate::actor) clock: Clock,
    pub(in crate::actor) counters: Arc<SharedHostCounters>,
    /// Where neurons are saved; `None` means that none outlives a crash.
    pub(in crate::actor) store: Option<Arc<StoreThread>>,
    /// Up to which tag neurons may speak without a save; empty before the start, and without a
    /// store.
    pub(in crate::actor) ceiling: OnceCell<HostCeiling>,
    pub(in crate::actor) running: RunningSet,
    pub(in crate::actor) listeners: Listeners,
    /// The links to other hosts.
    pub(in crate::actor) links: Arc<SharedLinks>,
    /// The claims of this host to its neurons.
    pub(in crate::actor) claims: SharedClaims,
    /// Why this host has ended by itself.
    pub(in crate::actor) end: Arc<HostEnd>,
    /// Receives everything that is stamped and answered; `None` means that no record is kept.
    pub(in crate::actor) record: Option<mpsc::Sender<(NeuronId, Record)>>,
}

/// The names of the neurons that a host runs, shared with the threads that use the host.
#[derive(Clone, Debug, Default)]
pub(in crate::actor) struct RunningSet(Arc<Mutex<BTreeSet<NeuronId>>>);

impl RunningSet {
    /// Replaces all names at once. A tree that they are inserted into one by one, in order, is only
    /// half full.
    pub(in crate::actor) fn set(&self, neurons: impl Iterator<Item = NeuronId>) {
        *self.lock() = neurons.collect();
    }

    /// Adds a neuron.
    pub(in crate::actor) fn insert(&self, neuron: NeuronId) {
        self.lock().insert(neuron);
    }

    /// Removes a neuron; nothing happens if it is not in the set.
    pub(in crate::actor) fn remove(&self, neuron: &NeuronId) {
        self.lock().remove(neuron);
    }

    /// Returns how many there are.
    pub(in crate::actor) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns all names, in order.
    pub(in crate::actor) fn names(&self) -> Vec<NeuronId> {
        self.lock().iter().cloned().collect()
    }

    /// Returns whether the host runs this neuron.
    pub(in crate::actor) fn contains(&self, neuron: &NeuronId) -> bool {
        self.lock().contains(neuron)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<NeuronId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
