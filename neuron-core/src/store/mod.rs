//! Where neurons keep what must outlive a crash.
//!
//! A [`Store`] keeps one [`Saved`] for each neuron. [`FileStore`] keeps them in a folder; [`MemoryStore`] keeps them for as
//! long as it lives itself, which is enough for tests.
//!
//! ```
//! use neuron_core::{NeuronId, Time, neuron::{Config, Neuron}, store::{MemoryStore, Store}, transport::Guarantees};
//!
//! let store = MemoryStore::default();
//! let id: NeuronId = "lamp".parse()?;
//! assert!(store.load(&id)?.is_none());
//! let first = Neuron::start(id.clone(), Config::new().threshold(0.9), Guarantees::IN_PROCESS, 7, Time::ZERO);
//! store.save(&id, &first.saved())?;
//!
//! // After a crash:
//! let saved = store.load(&id)?.expect("it was saved");
//! let second = Neuron::resume(id, saved, Guarantees::IN_PROCESS, 8, Time::from_micros(1));
//! assert_eq!(second.incarnation().number, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod crc;
mod error;
mod file;
mod memory;
#[cfg(test)]
mod tests;
mod v1;

use std::fmt::Debug;

pub use error::StoreError;
pub use file::FileStore;
pub use memory::MemoryStore;

use crate::{id::NeuronId, neuron::Saved};

/// Keeps what neurons need in order to come back after a crash.
///
/// # Contract
/// - [`save`](Self::save) returns once what it was given is durable: it is there after a crash of the process, or of the
///   machine if the store is to survive that. What a neuron says next relies on it.
/// - A save takes the place of the one before as a whole. A crash in the middle leaves either of the two, never a mixture.
/// - [`load`](Self::load) returns what was saved last, or nothing if nothing was. What is there but cannot be read is an
///   error, never nothing: a neuron that forgets its former lives is silenced by those that have heard of them.
/// - One store belongs to one host at a time. If two use it, a neuron lives twice.
pub trait Store: Send + Sync + Debug + 'static {
    /// What was saved last for a neuron; nothing if nothing was.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError>;

    /// Keeps this for a neuron, in place of what was there.
    ///
    /// # Errors
    /// When it cannot be made durable. Whether it is there all the same is not known then.
    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError>;

    /// Forgets a neuron. One that is not there is forgotten already.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError>;

    /// The neurons that something is kept for, in any order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn names(&self) -> Result<Vec<NeuronId>, StoreError>;
}
