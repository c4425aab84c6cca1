//! A thread that does the work of a connection.

use std::{
    future::Future,
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{runtime, sync::oneshot, task::JoinHandle};

/// How long the task that owns the connection may take to tidy up.
const ENDING: Duration = Duration::from_secs(1);

/// A thread with a runtime of its own. Dropping it ends what runs on it.
#[derive(Debug)]
pub struct WorkerThread {
    stop: Option<oneshot::Sender<Option<JoinHandle<()>>>>,
    thread: Option<thread::JoinHandle<()>>,
    home: HomeRuntime,
}

/// Where the task that owns a connection works at first, and goes on when the thread of the host that it has gone to ends.
#[derive(Clone, Debug)]
pub(crate) struct HomeRuntime {
    /// What is waited for at the end.
    last: Arc<Mutex<Option<JoinHandle<()>>>>,
    handle: runtime::Handle,
}

impl HomeRuntime {
    /// Runs the task that owns the connection. When the worker is dropped it may go on for a second, to end by itself.
    pub(crate) fn spawn_last(&self, task: impl Future<Output = ()> + Send + 'static) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.handle.spawn(task));
    }
}

impl WorkerThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give, or no timer.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<Option<JoinHandle<()>>>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                if let Ok(Some(last)) = stopped.await {
                    // Whether it ends in time or not, that is the end.
                    let _ = tokio::time::timeout(ENDING, last).await;
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), home: HomeRuntime { last: Arc::default(), handle } })
    }

    /// Runs a task on the thread.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.home.handle.spawn(task)
    }

    /// Where the task that owns the connection is at home.
    pub(crate) fn home(&self) -> &HomeRuntime {
        &self.home
    }

    /// Runs a task on the thread and waits for it, on whatever runtime, or on none.
    ///
    /// # Errors
    /// When the task panicked, or the thread is gone.
    pub async fn run<F>(&self, task: F) -> io::Result<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (done, result) = oneshot::channel();
        self.spawn(async move {
            // Whoever waited may have gone.
            let _ = done.send(task.await);
        });
        result.await.map_err(io::Error::other)
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        let last = self.home.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(last);
        }
        // The last clone of a transport may be dropped on the thread itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}
