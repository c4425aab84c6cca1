//! A thread that does the work of a connection.

use std::{future::Future, io, thread::JoinHandle};

use tokio::{runtime, sync::oneshot};

/// A thread with a runtime of its own. Dropping it ends what runs on it.
#[derive(Debug)]
pub struct Worker {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    handle: runtime::Handle,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give, or no timer.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // It ends when the sender is dropped.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), handle })
    }

    /// Runs a task on the thread.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(task)
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

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The last clone of a transport may be dropped on the thread itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}
