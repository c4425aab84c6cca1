//! One task for each inbox, which brings what comes from the broker; and those who wait for an inbox.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use neuron_core::transport::{Address, Inbox, TransportError};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::{JoinHandle, JoinSet},
};
use transport_broker::{Inboxes, SubscribeReply};

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

/// All readers of a connection, and those who are about to open an inbox.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    places: Mutex<HashMap<Address, Place>>,
    opening: Mutex<JoinSet<()>>,
}

impl Readers {
    fn places(&self) -> MutexGuard<'_, HashMap<Address, Place>> {
        // A panic elsewhere cannot leave the table half changed.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opening(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has somebody open an inbox, without anybody waiting for that.
    pub(crate) fn open(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut opening = self.opening();
        while opening.try_join_next().is_some() {}
        opening.spawn(task);
    }

    /// Ends them all: they belong to a connection that is left.
    pub(crate) fn end_all(&self) {
        self.opening().abort_all();
        self.places().clear();
    }

    /// The place for the reader of an address.
    pub(crate) fn place(&self, at: &Address) -> Place {
        self.places().entry(at.clone()).or_default().clone()
    }

    /// Whoever has opened an inbox, or has tried to, has left its place: if it was dropped meanwhile, its reader was left for this to
    /// end.
    pub(crate) fn tidy(&self, at: &Address, inboxes: &Inboxes) {
        if !inboxes.has(at) {
            self.end(at);
        }
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

/// Somebody who waits for an inbox. If what was to open it ends before it has, because its connection is left, it is asked for
/// again over the next one.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) at: Address,
    done: Option<SubscribeReply>,
    again: Again,
}

/// Where inboxes are asked for again.
pub(crate) type Again = mpsc::UnboundedSender<(Address, SubscribeReply)>;

impl Asking {
    pub(crate) fn new(at: Address, done: SubscribeReply, again: Again) -> Self {
        Self { at, done: Some(done), again }
    }

    /// Done when whoever asked has given up.
    pub(crate) async fn given_up(&mut self) {
        if let Some(done) = &mut self.done {
            done.closed().await;
        }
    }

    /// If whoever asked has gone, the inbox is dropped with the answer, and its reader after it.
    pub(crate) fn answer(mut self, result: Result<Inbox, TransportError>) {
        if let Some(done) = self.done.take() {
            let _ = done.send(result);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            // If nobody owns a connection any more, there is none to ask.
            let _ = self.again.send((self.at.clone(), done));
        }
    }
}

#[cfg(test)]
mod tests {
    use transport_broker::ConnectionCounters;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_reader_of_an_inbox_that_was_dropped_while_it_was_opened_again_ends() {
        let (inboxes, _closed) = Inboxes::new(1, Arc::new(ConnectionCounters::default()));
        let (readers, at) = (Readers::default(), Address::Neuron("z".parse().expect("a name")));
        let (place, inbox) = (readers.place(&at), inboxes.open(&at));
        let (reads, mut ended) = mpsc::channel::<()>(1);
        let mut opening = place.lock().await;
        *opening = Some(Reader::spawn(async move {
            let _reads = reads;
            std::future::pending().await
        }));
        drop(inbox);
        readers.end(&at);
        drop(opening);
        assert!(ended.try_recv() == Err(mpsc::error::TryRecvError::Empty), "it was left alone");
        readers.tidy(&at, &inboxes);
        assert_eq!(ended.recv().await, None);
    }
}
