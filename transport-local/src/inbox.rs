//! A bounded queue with one reader and any number of writers, which wait while it is full.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use neuron_core::transport::Envelope;

/// How many envelopes an inbox holds before its senders wait.
///
/// Far above what a network at work has under way to one neuron, so that waiting is a sign of trouble; an inbox takes
/// memory only for what is in it.
pub const CAPACITY: usize = 16_384;

/// What the writers hold.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    envelopes: VecDeque<Envelope>,
    reader: Option<Waker>,
    writers: Vec<Waker>,
    closed: bool,
}

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
        Arc::new(Self { state: Mutex::default(), capacity })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave a queue half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an envelope if there is room. If not, and a waker is given, it is woken when there is.
    pub(crate) fn push(&self, envelope: Envelope, when_there_is_room: Option<&Waker>) -> Pushed {
        let mut state = self.state();
        if state.closed {
            return Pushed::Closed;
        }
        if state.envelopes.len() >= self.capacity {
            if let Some(waker) = when_there_is_room
                && !state.writers.iter().any(|writer| writer.will_wake(waker))
            {
                state.writers.push(waker.clone());
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
        let wakers: Vec<Waker> = state.reader.take().into_iter().chain(state.writers.drain(..)).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Takes the address of a queue off the hub.
pub(crate) type Forget = Box<dyn Fn(&Weak<Queue>) + Send>;

/// What the reader holds.
pub(crate) struct Reader {
    pub(crate) queue: Arc<Queue>,
    /// Takes the address off the hub, if this queue still has it.
    pub(crate) forget: Forget,
}

impl Stream for Reader {
    type Item = Envelope;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        let mut state = self.queue.state();
        let Some(envelope) = state.envelopes.pop_front() else {
            if state.closed {
                return Poll::Ready(None);
            }
            // A hundred thousand idle neurons have an inbox each.
            state.envelopes = VecDeque::new();
            if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
                state.reader = Some(context.waker().clone());
            }
            return Poll::Pending;
        };
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(envelope))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue.close();
        (self.forget)(&Arc::downgrade(&self.queue));
    }
}
