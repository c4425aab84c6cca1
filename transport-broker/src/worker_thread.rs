//! The thread of a transport, with a runtime of its own.
//!
//! Why: docs/decisions/0032-a-broker-connection-has-a-thread.md

use std::{
    future::Future,
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use neuron_core::transport::check_descriptors;
use tokio::{runtime, sync::oneshot, task::JoinHandle};

/// How long the driver task may take to end by itself once the transport is dropped.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// A thread with a tokio runtime, so that a transport works in any program. Dropping it ends the
/// thread and all its tasks.
#[derive(Debug)]
pub struct WorkerThread {
    stop: Option<oneshot::Sender<Option<JoinHandle<()>>>>,
    thread: Option<thread::JoinHandle<()>>,
    home: HomeRuntime,
}

/// The runtime of a worker thread: where the driver task starts, and where it goes on when the
/// host thread that it has migrated to ends.
#[derive(Clone, Debug)]
pub(crate) struct HomeRuntime {
    /// The task that the shutdown waits for.
    driver: Arc<Mutex<Option<JoinHandle<()>>>>,
    handle: runtime::Handle,
}

impl HomeRuntime {
    pub(crate) fn handle(&self) -> &runtime::Handle {
        &self.handle
    }

    /// Spawns the driver task. When the worker thread is dropped, the task has
    /// [`SHUTDOWN_TIMEOUT`] to end by itself.
    pub(crate) fn spawn_driver(&self, task: impl Future<Output = ()> + Send + 'static) {
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.handle.spawn(task));
    }
}

impl WorkerThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system cannot start a thread, or has no timer.
    pub fn start(name: &str) -> io::Result<Self> {
        check_descriptors()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<Option<JoinHandle<()>>>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                if let Ok(Some(driver)) = stopped.await {
                    // In time or not, the thread ends.
                    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, driver).await;
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), home: HomeRuntime { driver: Arc::default(), handle } })
    }

    /// Spawns a task on the thread.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.home.handle.spawn(task)
    }

    pub(crate) fn home(&self) -> &HomeRuntime {
        &self.home
    }

    /// Runs a task on the thread and returns its output. The caller may be on any runtime, or on
    /// none.
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
            // The receiver is gone if the caller was dropped.
            let _ = done.send(task.await);
        });
        result.await.map_err(io::Error::other)
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        let driver = self.home.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(driver);
        }
        // The last clone of a transport may be dropped on this very thread, which cannot join
        // itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}
