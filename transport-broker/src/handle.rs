//! The end of a connection that a transport holds: what it is given goes to the task that owns the connection.

use std::{sync::Arc, time::Duration};

use neuron_core::transport::{Address, BoxFuture, Envelope, Inbox, Sending, TransportError, TransportErrorKind};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    ConnectionCounters, ConnectionState, ConnectionStatus, Counts, DriverContext, Route, WorkerThread,
    driver::Migration,
};

/// How many jobs wait for the connection before senders wait.
const JOBS: usize = 8192;

/// How long an inbox may take to be opened, the time to connect again included.
const OPENING: Duration = Duration::from_secs(10);

/// What the connection is to do, in order.
#[derive(Debug)]
pub enum ConnectionCommand {
    /// Give an envelope to the broker.
    Send {
        /// From whom to whom.
        route: Route,
        /// Its bytes.
        frame: Vec<u8>,
    },
    /// Subscribe to what an inbox listens to, and open it once the broker has confirmed that.
    Subscribe {
        /// Whose inbox.
        at: Address,
        /// Who waits for it.
        done: SubscribeReply,
    },
}

/// Who waits for an inbox.
pub type SubscribeReply = oneshot::Sender<Result<Inbox, TransportError>>;

/// Where the jobs come from.
pub type Commands = mpsc::Receiver<ConnectionCommand>;

/// The end of a connection that a transport holds. Clones share the connection; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct ConnectionHandle {
    commands: mpsc::Sender<ConnectionCommand>,
    counters: Arc<ConnectionCounters>,
    status: Arc<ConnectionStatus>,
    worker: Arc<WorkerThread>,
    moves: Migration,
}

impl ConnectionHandle {
    /// A connection that does its work on `worker`, unless it moves, and what its owner works on. Whoever drops an inbox is told
    /// on `closed`.
    pub fn new(
        counters: Arc<ConnectionCounters>,
        status: Arc<ConnectionStatus>,
        worker: WorkerThread,
        closed: mpsc::UnboundedReceiver<Address>,
    ) -> (Self, DriverContext) {
        let (sender, commands) = mpsc::channel(JOBS);
        let (moves, cx) = DriverContext::new(commands, closed, counters.clone(), status.clone(), worker.home().clone());
        (Self { commands: sender, counters, status, worker: Arc::new(worker), moves }, cx)
    }

    /// Hands an envelope to the connection.
    pub fn send(&self, envelope: Envelope) -> Sending {
        if !self.status.is_connected() {
            self.counters.unsent(1);
            return Sending::done(Err(self.not_connected()));
        }
        let (route, frame) = match Route::seal(envelope) {
            Ok(sealed) => sealed,
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

    /// Opens an inbox, as soon as there is a connection.
    pub fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        let (handle, at) = (self.clone(), at.clone());
        Box::pin(async move {
            handle.moves.migrate_to_current();
            let (done, opened) = oneshot::channel();
            handle
                .commands
                .send(ConnectionCommand::Subscribe { at, done })
                .await
                .map_err(|_| TransportErrorKind::Closed)?;
            // On the worker, because whoever waits may have no timer.
            let opened = handle.worker.run(tokio::time::timeout(OPENING, opened)).await;
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

    /// What has been counted.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// The state of the connection, and every change of it from now on.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.status.watch()
    }
}
