//! The bounded queue of an inbox: one reader, and whoever brings what has come.
//!
//! It is taken out in one go, and what comes in one go wakes the reader once. What the reader has taken out counts as read.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use neuron_core::transport::Envelope;

/// How many places an empty queue keeps: enough for a wave, little enough for many idle neurons.
const KEPT: usize = 16;

/// What those hold who bring something.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    envelopes: VecDeque<Envelope>,
    reader: Option<Waker>,
    /// Those who wait for room.
    writers: Vec<Waker>,
    is_closed: bool,
}

/// Why an envelope is not in the queue.
pub(crate) enum Trouble {
    /// There is no room for it; here it is again.
    Full(Envelope),
    /// Nobody reads any more.
    Closed,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), capacity })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave a queue half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many envelopes are about to come.
    pub(crate) fn expect(&self, count: usize) {
        let mut state = self.state();
        let room = self.capacity.saturating_sub(state.envelopes.len());
        state.envelopes.reserve(count.min(room));
    }

    /// Adds an envelope, if there is room. If not, and a waker is given, it is woken when there is.
    pub(crate) fn push(&self, envelope: Envelope, when_there_is_room: Option<&Waker>) -> Result<(), Trouble> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Trouble::Closed);
        }
        if state.envelopes.len() >= self.capacity {
            if let Some(waker) = when_there_is_room
                && !state.writers.iter().any(|writer| writer.will_wake(waker))
            {
                state.writers.push(waker.clone());
            }
            return Err(Trouble::Full(envelope));
        }
        state.envelopes.push_back(envelope);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    /// Adds an envelope as soon as there is room. Tells whether somebody still reads.
    pub(crate) async fn push_later(&self, envelope: Envelope) -> bool {
        let mut waiting = Some(envelope);
        poll_fn(|context| {
            let Some(envelope) = waiting.take() else { return Poll::Ready(true) };
            match self.push(envelope, Some(context.waker())) {
                Ok(()) => Poll::Ready(true),
                Err(Trouble::Closed) => Poll::Ready(false),
                Err(Trouble::Full(envelope)) => {
                    waiting = Some(envelope);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The reader gets what is there, and then the end; whoever brings something is told that nobody reads it.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let wakers: Vec<Waker> = state.reader.take().into_iter().chain(state.writers.drain(..)).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What the one who reads holds.
#[derive(Debug)]
pub(crate) struct Reader {
    queue: Arc<Queue>,
    /// What has been taken out.
    taken: VecDeque<Envelope>,
}

impl Reader {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, taken: VecDeque::new() }
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Stream for Reader {
    type Item = Envelope;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        let this = &mut *self;
        if let Some(envelope) = this.taken.pop_front() {
            return Poll::Ready(Some(envelope));
        }
        let mut state = this.queue.state();
        if state.envelopes.is_empty() {
            if state.is_closed {
                return Poll::Ready(None);
            }
            if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
                state.reader = Some(context.waker().clone());
            }
            for queue in [&mut state.envelopes, &mut this.taken] {
                if queue.capacity() > KEPT {
                    queue.shrink_to(KEPT);
                }
            }
            return Poll::Pending;
        }
        std::mem::swap(&mut state.envelopes, &mut this.taken);
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
        Poll::Ready(this.taken.pop_front())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use futures_util::{FutureExt as _, StreamExt as _};
    use neuron_core::command::{Command, Request};

    use super::*;

    fn envelope(id: u64) -> Envelope {
        let (from, to) = ("a".parse().expect("a name"), "z".parse().expect("a name"));
        Envelope::Request { from, to, request: Box::new(Request { id, command: Command::Output }) }
    }

    /// How often it has been woken.
    #[derive(Debug, Default)]
    struct Woken(AtomicUsize);

    impl Woken {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn push(queue: &Queue, id: u64) -> bool {
        queue.push(envelope(id), None).is_ok()
    }

    #[test]
    fn it_holds_what_it_may_and_gives_it_back_in_order() {
        let queue = Queue::new(3);
        let mut reader = Reader::new(queue.clone());
        queue.expect(100);
        assert_eq!([1, 2, 3, 4].map(|id| push(&queue, id)), [true, true, true, false]);
        for id in 1..=3 {
            assert_eq!(reader.next().now_or_never(), Some(Some(envelope(id))));
        }
        assert_eq!(reader.next().now_or_never(), None);
    }

    #[test]
    fn an_idle_one_takes_little_memory() {
        let queue = Queue::new(1000);
        let mut reader = Reader::new(queue.clone());
        for round in 0..3 {
            assert!((0..1000).all(|id| push(&queue, id)), "round {round}");
            while reader.next().now_or_never().is_some() {}
            assert!(queue.state().envelopes.capacity() <= KEPT && reader.taken.capacity() <= KEPT);
        }
    }

    #[test]
    fn who_waits_for_room_is_woken_by_the_reader_and_by_the_end() {
        let queue = Queue::new(1);
        let mut reader = Reader::new(queue.clone());
        assert!(push(&queue, 1));
        let mut waiting = Box::pin(queue.push_later(envelope(2)));
        let woken = Arc::<Woken>::default();
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!(reader.next().now_or_never(), Some(Some(envelope(1))));
        assert_eq!(woken.get(), 1);
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(true));
        let mut waiting = Box::pin(queue.push_later(envelope(3)));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        queue.close();
        assert_eq!(woken.get(), 2);
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(false));
        assert_eq!(reader.next().now_or_never(), Some(Some(envelope(2))));
        assert_eq!(reader.next().now_or_never(), Some(None));
    }

    #[test]
    fn the_reader_is_woken_once_for_what_comes_at_once() {
        let queue = Queue::new(10);
        let mut reader = Reader::new(queue.clone());
        let woken = Arc::<Woken>::default();
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);
        assert!(reader.poll_next_unpin(&mut context).is_pending());
        assert!((0..5).all(|id| push(&queue, id)));
        assert_eq!(woken.get(), 1);
        drop(reader);
        assert!(!push(&queue, 5));
    }
}
