//! What the neurons of one host have in common.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as mpsc_std},
};

use crate::{
    actor::{clock::Clock, counters::Counts},
    id::NeuronId,
    record::Record,
    store::Store,
    transport::Transport,
};

/// What the neurons of one host have in common.
pub(in crate::actor) struct HostContext {
    pub(in crate::actor) transport: Arc<dyn Transport>,
    /// What they say to each other need not go over it.
    pub(in crate::actor) is_direct: bool,
    pub(in crate::actor) clock: Clock,
    pub(in crate::actor) counters: Arc<Counts>,
    pub(in crate::actor) store: Option<Arc<dyn Store>>,
    pub(in crate::actor) register: RunningSet,
    /// Who wants to know what is stamped and answered.
    pub(in crate::actor) record: Option<mpsc_std::Sender<(NeuronId, Record)>>,
}

/// The neurons that a host runs.
#[derive(Clone, Debug, Default)]
pub(in crate::actor) struct RunningSet(Arc<Mutex<BTreeSet<NeuronId>>>);

impl RunningSet {
    pub(in crate::actor) fn lock(&self) -> MutexGuard<'_, BTreeSet<NeuronId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
