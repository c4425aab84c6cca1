//! A store in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Store, StoreError};
use crate::{id::NeuronId, neuron::Saved, tag::Tag};

/// A store in memory, for tests. Clones share their content, so a test can restart a host from what
/// another host has saved.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    states: BTreeMap<NeuronId, Saved>,
    ceiling: Option<Tag>,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an independent store with the same content, like a backup.
    pub fn copied(&self) -> Self {
        Self { content: Arc::new(Mutex::new(self.lock().clone())) }
    }
}

impl Store for MemoryStore {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        Ok(self.lock().states.get(neuron).cloned())
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        self.lock().states.insert(neuron.clone(), saved.clone());
        Ok(())
    }

    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError> {
        self.lock().states.remove(neuron);
        Ok(())
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        Ok(self.lock().states.keys().cloned().collect())
    }

    fn ceiling(&self) -> Result<Option<Tag>, StoreError> {
        Ok(self.lock().ceiling)
    }

    fn save_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        let known = &mut self.lock().ceiling;
        // What was noted counts, and is lower, unless it is given up now.
        *known = Some(known.map_or(ceiling, |noted| noted.min(ceiling)));
        Ok(())
    }

    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.lock().ceiling = Some(ceiling);
        Ok(())
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
