//! A store in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Store, StoreError};
use crate::{id::NeuronId, neuron::Saved};

/// A store in memory, for tests. Clones share their content, so a test can restart a host from what
/// another host has saved.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    states: Arc<Mutex<BTreeMap<NeuronId, Saved>>>,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NeuronId, Saved>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an independent store with the same content, like a backup.
    pub fn copied(&self) -> Self {
        Self { states: Arc::new(Mutex::new(self.lock().clone())) }
    }
}

impl Store for MemoryStore {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        Ok(self.lock().get(neuron).cloned())
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        self.lock().insert(neuron.clone(), saved.clone());
        Ok(())
    }

    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError> {
        self.lock().remove(neuron);
        Ok(())
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        Ok(self.lock().keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_store_keeps_the_contract() {
        super::super::tests::keeps_its_contract(&MemoryStore::default());
    }

    #[test]
    fn a_copy_is_independent() {
        let store = MemoryStore::default();
        let copy = store.copied();
        store.save(&"a".parse().unwrap(), &super::super::tests::full()).unwrap();
        assert!(copy.names().unwrap().is_empty());
    }
}
