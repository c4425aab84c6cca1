//! The bounded queue behind an inbox.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use thin_vec::ThinVec;

/// A bounded FIFO of envelopes with one receiver and any number of senders.
///
/// The receiver takes the whole queue in one lock and is woken once per burst; what it has taken no
/// longer counts towards `capacity`. A full queue rejects the envelope and hands it back; with a
/// waker, the sender is woken when there is room. Closing lets the receiver drain what is queued
/// and fails every later push. Dropping the receiver closes the queue.
///
/// A hundred thousand idle neurons have a queue each, so an empty one takes 64 bytes and keeps a
/// buffer only if its owner asks for that.
///
/// ```
/// use neuron_core::transport::{BoundedQueue, PushError};
///
/// let (queue, receiver) = BoundedQueue::new(1, 0);
/// assert!(queue.push("first", None).is_ok());
/// assert!(matches!(queue.push("second", None), Err(PushError::Full("second"))));
/// drop(receiver);
/// assert!(matches!(queue.push("third", None), Err(PushError::Closed)));
/// ```
#[derive(Debug)]
pub struct BoundedQueue<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// What has been pushed since the receiver last took the queue, oldest first.
    items: ThinVec<T>,
    /// Wakes the receiver at the next push; `None` while it is not waiting for one.
    receiver: Option<Waker>,
    /// Wake the senders that wait for room.
    senders: ThinVec<Waker>,
    /// How many items the queue holds, besides those that the receiver has taken.
    capacity: u32,
    /// How many places the two buffers keep each while the queue is empty.
    idle_capacity: u16,
    is_closed: bool,
}

/// Why an item is not in the queue.
#[derive(Debug, thiserror::Error)]
pub enum PushError<T> {
    /// There is no room for the item, which is handed back.
    #[error("the queue is full")]
    Full(T),
    /// The queue is closed. The item is dropped: no receiver will take it.
    #[error("the queue is closed")]
    Closed,
}

/// The queue was closed before there was room for the item, which is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is closed")]
pub struct QueueClosed;

impl<T> BoundedQueue<T> {
    /// Returns an empty queue for `capacity` items and its receiver.
    ///
    /// `idle_capacity` is how many items the buffers of an empty queue keep room for. 0 frees them,
    /// which suits a queue that is mostly idle; a few save an allocation for each burst.
    pub fn new(capacity: usize, idle_capacity: usize) -> (Arc<Self>, QueueReceiver<T>) {
        let queue = Arc::new(Self(Mutex::new(State {
            items: ThinVec::new(),
            receiver: None,
            senders: ThinVec::new(),
            capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            idle_capacity: u16::try_from(idle_capacity).unwrap_or(u16::MAX),
            is_closed: false,
        })));
        (queue.clone(), QueueReceiver { queue, taken: ThinVec::new() })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A panic elsewhere cannot leave a queue half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a burst of `count` items, so that pushing them allocates at most once.
    pub fn reserve(&self, count: usize) {
        let mut state = self.state();
        let room = (state.capacity as usize).saturating_sub(state.items.len());
        state.items.reserve(count.min(room));
    }

    /// Adds an item if there is room, and wakes the receiver if it waits.
    ///
    /// # Errors
    /// [`PushError::Full`] with the item if there is no room; then `waker`, if there is one, is
    /// woken when there may be room or the queue is closed. [`PushError::Closed`] if the queue is
    /// closed.
    pub fn push(&self, item: T, waker: Option<&Waker>) -> Result<(), PushError<T>> {
        let mut state = self.state();
        if state.is_closed {
            return Err(PushError::Closed);
        }
        if state.items.len() >= state.capacity as usize {
            if let Some(waker) = waker
                && !state.senders.iter().any(|sender| sender.will_wake(waker))
            {
                state.senders.push(waker.clone());
            }
            return Err(PushError::Full(item));
        }
        state.items.push(item);
        let receiver = state.receiver.take();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Ok(())
    }

    /// Adds an item as soon as there is room. Dropping the future before that drops the item.
    ///
    /// Senders that wait at the same time compete for the room; their order is not kept.
    ///
    /// # Errors
    /// [`QueueClosed`] if the queue is closed first.
    pub async fn push_async(&self, item: T) -> Result<(), QueueClosed> {
        let mut waiting = Some(item);
        poll_fn(|context| {
            let Some(item) = waiting.take() else { return Poll::Ready(Ok(())) };
            match self.push(item, Some(context.waker())) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(PushError::Closed) => Poll::Ready(Err(QueueClosed)),
                Err(PushError::Full(item)) => {
                    waiting = Some(item);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Closes the queue: the receiver drains what is queued and then ends, every later push fails,
    /// and the senders that wait for room are woken to fail.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let receiver = state.receiver.take();
        let senders = mem::take(&mut state.senders);
        drop(state);
        receiver.into_iter().chain(senders).for_each(Waker::wake);
    }
}

/// The receiving end of a [`BoundedQueue`]: a stream of its items in the order in which they were
/// pushed. It ends when the queue is closed and drained.
#[derive(Debug)]
pub struct QueueReceiver<T> {
    queue: Arc<BoundedQueue<T>>,
    /// What has been taken out of the queue in one go, the oldest at the end.
    taken: ThinVec<T>,
}

impl<T> QueueReceiver<T> {
    /// Returns the queue that this receives from.
    pub fn queue(&self) -> &Arc<BoundedQueue<T>> {
        &self.queue
    }
}

impl<T: Unpin> Stream for QueueReceiver<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Self { queue, taken } = self.get_mut();
        if let Some(item) = taken.pop() {
            return Poll::Ready(Some(item));
        }
        let mut state = queue.state();
        if state.items.is_empty() {
            if state.is_closed {
                return Poll::Ready(None);
            }
            if !state.receiver.as_ref().is_some_and(|receiver| receiver.will_wake(context.waker())) {
                state.receiver = Some(context.waker().clone());
            }
            let idle_capacity = usize::from(state.idle_capacity);
            for buffer in [&mut state.items, taken] {
                if buffer.capacity() > idle_capacity {
                    *buffer = ThinVec::with_capacity(idle_capacity);
                }
            }
            return Poll::Pending;
        }
        mem::swap(&mut state.items, taken);
        if state.senders.is_empty() {
            drop(state);
        } else {
            let senders = mem::take(&mut state.senders);
            drop(state);
            senders.into_iter().for_each(Waker::wake);
        }
        taken.reverse();
        Poll::Ready(taken.pop())
    }
}

impl<T> Drop for QueueReceiver<T> {
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

    use super::*;

    /// Counts how often it has been woken.
    #[derive(Debug, Default)]
    struct WakeCounter(AtomicUsize);

    impl WakeCounter {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for WakeCounter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn next(receiver: &mut QueueReceiver<u32>) -> Poll<Option<u32>> {
        Pin::new(receiver).poll_next(&mut Context::from_waker(Waker::noop()))
    }

    fn push(queue: &BoundedQueue<u32>, item: u32) -> bool {
        queue.push(item, None).is_ok()
    }

    #[test]
    fn it_holds_what_it_may_and_gives_it_back_in_order() {
        let (queue, mut receiver) = BoundedQueue::new(3, 0);
        queue.reserve(100);
        assert_eq!([1, 2, 3, 4].map(|item| push(&queue, item)), [true, true, true, false]);
        assert_eq!(next(&mut receiver), Poll::Ready(Some(1)));
        // What has been taken makes room, and comes first.
        assert_eq!([5, 6, 7, 8].map(|item| push(&queue, item)), [true, true, true, false]);
        for item in [2, 3, 5, 6, 7] {
            assert_eq!(next(&mut receiver), Poll::Ready(Some(item)));
        }
        assert_eq!(next(&mut receiver), Poll::Pending);
    }

    #[test]
    fn an_idle_one_takes_little_memory() {
        for idle_capacity in [0, 16] {
            let (queue, mut receiver) = BoundedQueue::new(1000, idle_capacity);
            for round in 0..3 {
                assert!((0..1000).all(|item| push(&queue, item)), "round {round}");
                while next(&mut receiver).is_ready() {}
                assert!(queue.state().items.capacity() <= idle_capacity);
                assert!(receiver.taken.capacity() <= idle_capacity);
            }
        }
        // With the two counters of its `Arc` that makes 64 bytes.
        assert!(size_of::<BoundedQueue<u32>>() <= 48);
        assert!(size_of::<QueueReceiver<u32>>() <= 16);
    }

    #[test]
    fn a_sender_that_waits_for_room_is_woken_by_the_receiver_and_by_the_end() {
        let (queue, mut receiver) = BoundedQueue::new(1, 0);
        assert!(push(&queue, 1));
        let mut waiting = Box::pin(queue.push_async(2));
        let woken = Arc::<WakeCounter>::default();
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!(next(&mut receiver), Poll::Ready(Some(1)));
        assert_eq!(woken.get(), 1);
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        let mut waiting = Box::pin(queue.push_async(3));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        queue.close();
        assert_eq!(woken.get(), 2);
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(Err(QueueClosed)));
        assert_eq!(next(&mut receiver), Poll::Ready(Some(2)));
        assert_eq!(next(&mut receiver), Poll::Ready(None));
    }

    #[test]
    fn the_receiver_is_woken_once_for_what_comes_at_once() {
        let (queue, mut receiver) = BoundedQueue::new(10, 0);
        let woken = Arc::<WakeCounter>::default();
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(&mut receiver).poll_next(&mut context).is_pending());
        assert!((0..5).all(|item| push(&queue, item)));
        assert_eq!(woken.get(), 1);
        drop(receiver);
        assert!(!push(&queue, 5));
    }
}
