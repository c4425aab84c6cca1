//! One task for each inbox, which takes messages from the broker.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use neuron_core::transport::Address;
use tokio::{
    sync::Mutex as AsyncMutex,
    task::{JoinHandle, JoinSet},
};
use transport_broker::Inboxes;

/// A task that is aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct InboxTask(JoinHandle<()>);

impl InboxTask {
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    /// Returns whether the task still takes messages.
    pub(crate) fn is_running(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for InboxTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The task of one address. A caller that opens the inbox holds the lock until it is open, so that
/// the later of two callers gets it.
pub(crate) type InboxSlot = Arc<AsyncMutex<Option<InboxTask>>>;

/// The tasks of all inboxes of a connection, and the tasks that open inboxes.
#[derive(Debug, Default)]
pub(crate) struct InboxTasks {
    slots: Mutex<HashMap<Address, InboxSlot>>,
    opening: Mutex<JoinSet<()>>,
}

impl InboxTasks {
    fn slots(&self) -> MutexGuard<'_, HashMap<Address, InboxSlot>> {
        // A panic elsewhere cannot leave the table half changed.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opening(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns a task that opens an inbox.
    pub(crate) fn spawn_opening(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut opening = self.opening();
        while opening.try_join_next().is_some() {}
        opening.spawn(task);
    }

    /// Aborts all tasks, because their connection is left.
    pub(crate) fn abort_all(&self) {
        self.opening().abort_all();
        self.slots().clear();
    }

    /// Returns the slot of an address.
    pub(crate) fn slot(&self, at: &Address) -> InboxSlot {
        self.slots().entry(at.clone()).or_default().clone()
    }

    /// Stops the task of an address if its inbox is not open. To be called after each attempt to
    /// open one, with its slot unlocked: [`stop`](Self::stop) skips an inbox that is dropped
    /// meanwhile.
    pub(crate) fn stop_if_closed(&self, at: &Address, inboxes: &Inboxes) {
        if !inboxes.is_open(at) {
            self.stop(at);
        }
    }

    /// Stops the task of an address whose inbox has been closed.
    ///
    /// Does nothing while the inbox is being opened again: the new task takes the place of the old
    /// one.
    pub(crate) fn stop(&self, at: &Address) {
        let mut slots = self.slots();
        let Some(slot) = slots.get(at) else { return };
        let Ok(mut task) = slot.try_lock() else { return };
        drop(task.take());
        drop(task);
        if Arc::strong_count(slot) == 1 {
            slots.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use transport_broker::ConnectionCounters;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_task_of_an_inbox_that_is_dropped_while_it_is_opened_again_ends() {
        let (inboxes, _closed) = Inboxes::new(1, Arc::new(ConnectionCounters::default()));
        let (tasks, at) = (InboxTasks::default(), Address::Neuron("z".parse().expect("a name")));
        let (slot, inbox) = (tasks.slot(&at), inboxes.open(&at));
        let (runs, mut ended) = mpsc::channel::<()>(1);
        let mut opening = slot.lock().await;
        *opening = Some(InboxTask::spawn(async move {
            let _runs = runs;
            std::future::pending().await
        }));
        drop(inbox);
        tasks.stop(&at);
        drop(opening);
        assert!(ended.try_recv() == Err(mpsc::error::TryRecvError::Empty), "it was left alone");
        tasks.stop_if_closed(&at, &inboxes);
        assert_eq!(ended.recv().await, None);
    }
}
