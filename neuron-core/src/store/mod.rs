//! Stores for the state of neurons that must survive a crash.
//!
//! A [`Store`] holds one [`Saved`] for each neuron. [`FileStore`] holds them in a folder.
//! [`MemoryStore`] holds them in memory, which is enough for tests.
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

mod ceiling;
mod crc;
mod error;
mod file;
mod lock;
mod memory;
mod private;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::fmt::Debug;

pub use error::StoreError;
pub use file::FileStore;
pub use memory::MemoryStore;

use crate::{id::NeuronId, neuron::Saved, tag::Tag};

/// A durable map from neurons to the state that they need to resume after a crash.
///
/// The methods are not `async`: what may take long is called where it may block, before neurons
/// start or on a thread of its own, so a store needs no runtime and is plain calls to files or a
/// database.
///
/// # Contract
/// - [`save`](Self::save) returns once the state is durable: it survives a crash of the process,
///   and of the machine if the store is meant to. What the neuron sends next relies on it.
/// - A save replaces the one before as a whole. A crash in the middle leaves one of the two, never
///   a mixture.
/// - [`load`](Self::load) returns the state that was saved last. State that exists but cannot be
///   read is an error, never `None`: a neuron that forgets its earlier incarnations is fenced by
///   the neurons that know them.
/// - The *ceiling* of a store is a tag: no neuron that uses the store has spoken about a later one. It
///   allows all neurons of a host to speak without a save of each. [`save_ceiling`](Self::save_ceiling)
///   is called by a thread of its own, every 78 s, except in the first minutes; [`note_ceiling`](Self::note_ceiling)
///   by the host's thread, once a second.
/// - A store belongs to one host at a time. If two hosts use it, neurons run twice.
pub trait Store: Send + Sync + Debug + 'static {
    /// Returns the state that was saved last for a neuron; `None` if there is none.
    ///
    /// # Errors
    /// If the state cannot be read, or is damaged.
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError>;

    /// Saves the state of a neuron, in place of the state before.
    ///
    /// # Errors
    /// If the state cannot be made durable. Either state may be there then. The neuron is silent from
    /// then on; its host saves the state that was there before again and again, with pauses of up to
    /// five seconds, until that succeeds.
    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError>;

    /// Removes the state of a neuron; no effect if there is none.
    ///
    /// # Errors
    /// If the state cannot be removed.
    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError>;

    /// Returns the neurons that have a saved state, in any order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn names(&self) -> Result<Vec<NeuronId>, StoreError>;

    /// Returns the ceiling: the one that was noted last if that is known to be the last, else the
    /// one that was saved last; `None` if there is none. It is asked for before neurons start.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn ceiling(&self) -> Result<Option<Tag>, StoreError>;

    /// Saves a ceiling, in place of the one before. It is durable like the state of a neuron.
    ///
    /// Each ceiling is higher than the one before, except that the first one after the store was
    /// opened may be lower than all before: the host gives up what was saved by a clock that was
    /// far ahead (`HostBuilder::forget_future`). Then it counts, and a ceiling that was noted
    /// before does not.
    ///
    /// # Errors
    /// If it cannot be made durable. It is saved again, with pauses of up to five seconds;
    /// meanwhile neurons are saved one by one.
    fn save_ceiling(&self, ceiling: Tag) -> Result<(), StoreError>;

    /// Notes a ceiling that is lower than the one saved last, and higher than the one noted last.
    /// It should survive a crash of the process; it need not survive one of the machine. This must
    /// not take longer than writing to memory.
    ///
    /// A store that has no place for it does nothing: then neurons leave out up to 90 s of tags
    /// after each crash.
    ///
    /// # Errors
    /// If a ceiling that was noted before would be taken for the last one.
    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        let _ = ceiling;
        Ok(())
    }
}
