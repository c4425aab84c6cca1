//! One task for each inbox, which brings what comes from the broker.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use neuron_core::transport::Address;
use tokio::{sync::Mutex as AsyncMutex, task::JoinHandle};

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader(JoinHandle<()>);

impl Reader {
    /// Starts it.
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The reader of one address. Whoever opens an inbox holds the lock until it is open, so that of two who open the same one, the
/// later one gets it.
pub(crate) type Place = Arc<AsyncMutex<Option<Reader>>>;

/// All readers of a connection.
#[derive(Debug, Default)]
pub(crate) struct Readers(Mutex<HashMap<Address, Place>>);

impl Readers {
    fn places(&self) -> MutexGuard<'_, HashMap<Address, Place>> {
        // A panic elsewhere cannot leave the table half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place for the reader of an address.
    pub(crate) fn place(&self, at: &Address) -> Place {
        self.places().entry(at.clone()).or_default().clone()
    }

    /// Ends the reader of an address that has no inbox any more. One that is just being opened is left alone: it takes the place
    /// of the old one by itself.
    pub(crate) fn end(&self, at: &Address) {
        let mut places = self.places();
        let Some(place) = places.get(at) else { return };
        let Ok(mut reader) = place.try_lock() else { return };
        drop(reader.take());
        drop(reader);
        if Arc::strong_count(place) == 1 {
            places.remove(at);
        }
    }
}
