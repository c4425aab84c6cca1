//! A store that lives no longer than its process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Store, StoreError};
use crate::{id::NeuronId, neuron::Saved};

/// Keeps everything in memory. Clones share it, so a test can start a host again from what another one has left.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    kept: Arc<Mutex<BTreeMap<NeuronId, Saved>>>,
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<NeuronId, Saved>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A store of its own with the same content, as if somebody had copied it.
    pub fn copied(&self) -> Self {
        Self { kept: Arc::new(Mutex::new(self.kept().clone())) }
    }
}

impl Store for MemoryStore {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        Ok(self.kept().get(neuron).cloned())
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        self.kept().insert(neuron.clone(), saved.clone());
        Ok(())
    }

    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError> {
        self.kept().remove(neuron);
        Ok(())
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        Ok(self.kept().keys().cloned().collect())
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
    fn a_copy_goes_its_own_way() {
        let store = MemoryStore::default();
        let copy = store.copied();
        store.save(&"a".parse().unwrap(), &super::super::tests::full()).unwrap();
        assert!(copy.names().unwrap().is_empty());
    }
}
