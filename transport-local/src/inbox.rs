//! A bounded queue with one reader and any number of writers, which wait while it is full.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use neuron_core::transport::{Address, Envelope};

use crate::transport::Hub;

/// How many envelopes an inbox holds before its senders wait.
///
/// Far above what a network at work has under way to one neuron, so that waiting is a sign of trouble; an inbox takes
/// memory only for what is in it.
pub const CAPACITY: usize = 16_384;

/// What the writers hold.
#[derive(Debug)]
pub(crate) struct Queue(Mutex<State>);

/// A hundred thousand idle neurons have an inbox each, so it takes little room.
#[derive(Debug)]
struct State {
    envelopes: VecDeque<Envelope>,
    capacity: u32,
    closed: bool,
    reader: Option<Waker>,
    /// Who waits for room, which hardly ever happens.
    writers: Option<Box<Writers>>,
}

#[derive(Debug, Default)]
struct Writers(Vec<Waker>);

/// What became of an envelope.
pub(crate) enum Pushed {
    Yes,
    /// There is no room; here it is again.
    Full(Envelope),
    /// The reader is gone.
    Closed,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        let capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
        let envelopes = VecDeque::new();
        Arc::new(Self(Mutex::new(State { envelopes, capacity, closed: false, reader: None, writers: None })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave a queue half changed, so a poisoned lock is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an envelope if there is room. If not, and a waker is given, it is woken when there is.
    pub(crate) fn push(&self, envelope: Envelope, when_there_is_room: Option<&Waker>) -> Pushed {
        let mut state = self.state();
        if state.closed {
            return Pushed::Closed;
        }
        if state.envelopes.len() >= state.capacity as usize {
            if let Some(waker) = when_there_is_room {
                let Writers(writers) = &mut **state.writers.get_or_insert_default();
                if !writers.iter().any(|writer| writer.will_wake(waker)) {
                    writers.push(waker.clone());
                }
            }
            return Pushed::Full(envelope);
        }
        state.envelopes.push_back(envelope);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Pushed::Yes
    }

    /// Ends the subscription: the reader gets what is there and then the end, writers are told that it is closed.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let (reader, writers) = (state.reader.take(), state.writers.take());
        drop(state);
        reader.into_iter().chain(writers.into_iter().flat_map(|writers| writers.0)).for_each(Waker::wake);
    }
}

/// What the reader holds.
pub(crate) struct Reader {
    pub(crate) queue: Arc<Queue>,
    pub(crate) address: Address,
    /// Where the address is taken off, if this queue still has it then.
    pub(crate) hub: Weak<RwLock<Hub>>,
}

impl Stream for Reader {
    type Item = Envelope;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        let mut state = self.queue.state();
        let Some(envelope) = state.envelopes.pop_front() else {
            if state.closed {
                return Poll::Ready(None);
            }
            state.envelopes = VecDeque::new();
            if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
                state.reader = Some(context.waker().clone());
            }
            return Poll::Pending;
        };
        let writers = state.writers.take();
        drop(state);
        writers.into_iter().flat_map(|writers| writers.0).for_each(Waker::wake);
        Poll::Ready(Some(envelope))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(hub) = self.hub.upgrade() {
            hub.write().unwrap_or_else(PoisonError::into_inner).remove(&self.address, &self.queue);
        }
    }
}
