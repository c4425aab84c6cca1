//! The transport's end of a connection.

use std::{sync::Arc, time::Duration};

use neuron_core::transport::{Address, BoxFuture, Envelope, Inbox, Sending, TransportError, TransportErrorKind};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    ConnectionCommand, ConnectionCounters, ConnectionState, ConnectionStatus, Counts, DriverContext, Route,
    WorkerThread, context::Migration,
};

/// How many commands wait for the connection before senders have to wait.
const COMMAND_CAPACITY: usize = 8192;

/// How long opening an inbox may take, including the time to connect again.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The transport's end of a connection. Clones share the connection, which ends with the last one.
#[derive(Clone, Debug)]
pub struct ConnectionHandle {
    commands: mpsc::Sender<ConnectionCommand>,
    counters: Arc<ConnectionCounters>,
    status: Arc<ConnectionStatus>,
    worker: Arc<WorkerThread>,
    migration: Migration,
}

impl ConnectionHandle {
    /// Creates the handle of a connection whose driver starts on `worker`, and the context for that
    /// driver.
    ///
    /// `closed_inboxes` reports the addresses whose inboxes were dropped. The connection closes for
    /// good after `give_up_after` without a session; `None` means never.
    pub fn new(
        counters: Arc<ConnectionCounters>,
        status: Arc<ConnectionStatus>,
        worker: WorkerThread,
        closed_inboxes: mpsc::UnboundedReceiver<Address>,
        give_up_after: Option<Duration>,
    ) -> (Self, DriverContext) {
        let (commands, receiver) = mpsc::channel(COMMAND_CAPACITY);
        let home = worker.home().clone();
        let context =
            DriverContext::new(receiver, closed_inboxes, counters.clone(), status.clone(), home, give_up_after);
        let migration = context.migration().clone();
        (Self { commands, counters, status, worker: Arc::new(worker), migration }, context)
    }

    /// Hands an envelope to the connection. The result waits only while the command queue is full.
    pub fn send(&self, envelope: Envelope) -> Sending {
        if !self.status.is_connected() {
            self.counters.unsent(1);
            return Sending::done(Err(self.not_connected()));
        }
        let (route, frame) = match Route::encode(envelope) {
            Ok(encoded) => encoded,
            Err(error) => return Sending::done(Err(TransportError::new(TransportErrorKind::Unsendable, error))),
        };
        match self.commands.try_send(ConnectionCommand::Send { route, frame }) {
            Ok(()) => Sending::done(Ok(())),
            Err(mpsc::error::TrySendError::Closed(_)) => Sending::done(Err(TransportErrorKind::Closed.into())),
            Err(mpsc::error::TrySendError::Full(command)) => {
                let commands = self.commands.clone();
                Sending::later(
                    async move { commands.send(command).await.map_err(|_| TransportErrorKind::Closed.into()) },
                )
            }
        }
    }

    /// Asks the connection to migrate to the current thread, which runs neurons, unless it works
    /// for another host already.
    pub fn attach_to_current_thread(&self) {
        self.migration.migrate_to_current();
    }

    /// Opens an inbox as soon as there is a connection.
    ///
    /// # Errors
    /// `Unreachable` after 10 s, `Refused` for lack of permission, `Closed` if the connection has
    /// ended.
    pub fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        let handle = self.clone();
        let at = at.clone();
        Box::pin(async move {
            let (reply, opened) = oneshot::channel();
            let command = ConnectionCommand::Subscribe { at, reply };
            handle.commands.send(command).await.map_err(|_| TransportErrorKind::Closed)?;
            // The caller's runtime may have no timer; the worker's has one.
            let opened = handle.worker.run(tokio::time::timeout(SUBSCRIBE_TIMEOUT, opened)).await;
            match opened {
                Ok(Ok(Ok(result))) => result,
                Ok(Err(_)) => Err(handle.not_connected()),
                Ok(Ok(Err(_))) | Err(_) => Err(TransportErrorKind::Closed.into()),
            }
        })
    }

    fn not_connected(&self) -> TransportError {
        match self.status.get() {
            ConnectionState::Closed => TransportErrorKind::Closed.into(),
            ConnectionState::Reconnecting { why, .. } => {
                let why = format!("{} is not connected: {why}", self.status.broker());
                TransportError::new(TransportErrorKind::Unreachable, why)
            }
            ConnectionState::Connected => TransportError::new(
                TransportErrorKind::Unreachable,
                format!("{} does not answer", self.status.broker()),
            ),
        }
    }

    /// Returns what has been counted so far.
    pub fn counts(&self) -> Counts {
        self.counters.snapshot()
    }

    /// Returns a receiver of the present state and of every later one.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.status.watch()
    }
}
