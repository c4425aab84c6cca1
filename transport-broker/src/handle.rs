//! The transport's end of a connection.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use neuron_core::{
    signal::SignalBody,
    transport::{Address, BrokerRefusal, Envelope, Inbox, Sending, TransportError, TransportErrorKind},
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    ConnectionCommand, ConnectionCounters, ConnectionState, ConnectionStatus, Counts, DriverContext, Inboxes, Route,
    WorkerThread, context::Migration,
};

/// How many commands wait for the connection before senders have to wait.
const COMMAND_CAPACITY: usize = 8192;

/// How long opening an inbox may take, including the time to connect again.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take to leave the thread of a host that stops: it waits for what is in
/// flight.
const DETACH_TIMEOUT: Duration = Duration::from_secs(1);

/// How a connection behaves, whatever the broker.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionOptions {
    /// Envelopes for inboxes of this process do not travel over the broker, and inboxes are opened
    /// also while there is no connection.
    pub local_first: bool,
    /// After how long without a session the connection closes for good; `None` means never.
    pub give_up_after: Option<Duration>,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self { local_first: true, give_up_after: None }
    }
}

/// The transport's end of a connection. Clones share the connection, which ends with the last one.
///
/// Why: docs/decisions/0042-what-is-here-is-reached-here.md
#[derive(Clone, Debug)]
pub struct ConnectionHandle {
    commands: mpsc::Sender<ConnectionCommand>,
    counters: Arc<ConnectionCounters>,
    status: Arc<ConnectionStatus>,
    worker: Arc<WorkerThread>,
    migration: Migration,
    /// Gone once the connection has ended: the driver owns the inboxes.
    inboxes: Weak<Inboxes>,
    /// The addresses whose inboxes were opened on another thread than the one that the connection
    /// works on. Some may be closed.
    opened_elsewhere: Arc<Mutex<HashSet<Address>>>,
    local_first: bool,
}

impl ConnectionHandle {
    /// Creates the handle of a connection whose driver starts on `worker`, and the context for that
    /// driver. `inboxes` are those of the driver, with what reports that they were dropped.
    pub fn new(
        counters: Arc<ConnectionCounters>,
        status: Arc<ConnectionStatus>,
        worker: WorkerThread,
        inboxes: (Arc<Inboxes>, mpsc::UnboundedReceiver<Address>),
        options: ConnectionOptions,
    ) -> (Self, DriverContext) {
        let (commands, receiver) = mpsc::channel(COMMAND_CAPACITY);
        let home = worker.home().clone();
        let (inboxes, closed) = inboxes;
        let ConnectionOptions { local_first, give_up_after } = options;
        let context = DriverContext::new(receiver, closed, counters.clone(), status.clone(), home, give_up_after);
        let migration = context.migration().clone();
        let worker = Arc::new(worker);
        let inboxes = Arc::downgrade(&inboxes);
        let opened_elsewhere = Arc::default();
        (Self { commands, counters, status, worker, migration, inboxes, opened_elsewhere, local_first }, context)
    }

    /// Returns whether envelopes for inboxes of this process do not travel over the broker.
    pub fn is_local_first(&self) -> bool {
        self.local_first
    }

    pub(crate) fn commands(&self) -> &mpsc::Sender<ConnectionCommand> {
        &self.commands
    }

    /// Returns the inboxes of this process; `None` once the connection has ended.
    pub(crate) fn inboxes(&self) -> Option<Arc<Inboxes>> {
        self.inboxes.upgrade()
    }

    /// Puts an envelope into its inbox if that is in this process, and hands it to the connection
    /// otherwise. The result waits only while the inbox, or the command queue, is full.
    pub fn send(&self, envelope: Envelope) -> Sending {
        if !self.local_first {
            return self.send_remote(envelope);
        }
        let Some(inboxes) = self.inboxes.upgrade() else {
            return Sending::done(Err(TransportErrorKind::Closed.into()));
        };
        // What excludes an incarnation concerns one that runs elsewhere, if there are two.
        let is_fencing =
            matches!(&envelope, Envelope::Signal { signal, .. } if matches!(signal.body, SignalBody::Fenced { .. }));
        let copy = is_fencing.then(|| envelope.clone());
        match inboxes.send(envelope) {
            Ok(sending) => {
                copy.into_iter().for_each(|copy| drop(self.send_remote(copy)));
                sending
            }
            Err(envelope) => self.send_remote(envelope),
        }
    }

    fn send_remote(&self, envelope: Envelope) -> Sending {
        if !self.status.is_connected() {
            self.counters.unsent(1);
            return Sending::done(Err(self.not_connected()));
        }
        let (route, frame) = match Route::encode(envelope) {
            Ok(encoded) => encoded,
            Err(error) => return Sending::done(Err(TransportError::new(TransportErrorKind::Unsendable, error))),
        };
        let limit = self.status.max_message();
        if frame.len() > limit {
            return Sending::done(Err(self.refuse_too_long(&route, frame.len(), limit)));
        }
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

    /// Returns the error for a frame that the broker would refuse, and counts it as refused.
    #[cold]
    fn refuse_too_long(&self, route: &Route, length: usize, limit: usize) -> TransportError {
        let broker = self.status.broker();
        let what = format!(
            "it has {length} bytes, and {broker} takes at most {limit} in one message: send less at once, or raise the \
             limit of the broker"
        );
        self.counters.refused(1);
        self.status.refusals().refused("too long", &what, route.kind(), Some(route.target()), 1);
        TransportError::new(TransportErrorKind::Unsendable, what)
    }

    /// Returns the last message to an address that the broker has refused; `None` if none is
    /// remembered.
    pub fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        self.status.refusals().last(to)
    }

    /// Asks the connection to migrate to the current thread, which runs neurons, unless it works
    /// for another host already.
    pub fn attach_to_current_thread(&self) {
        self.migration.migrate_to_current();
    }

    /// Lets a connection that works on the current thread go home, and waits until it has left. Does
    /// nothing if it works elsewhere, or is lost.
    ///
    /// The state changes only if another thread has inboxes open: they are not subscribed for a
    /// moment.
    pub async fn detach_from_current_thread(&self) {
        if !self.migration.is_on_current_thread() || !self.status.is_connected() {
            return;
        }
        let leaving = self.migration.migrate_home(self.worker.home(), self.is_used_elsewhere());
        // The caller's runtime may have no timer. If it takes longer, the end of the thread is
        // noticed in any case.
        let _ = self.worker.run(async move { tokio::time::timeout(DETACH_TIMEOUT, leaving).await }).await;
    }

    /// Returns whether an inbox is open that was opened on another thread than the one that the
    /// connection works on.
    fn is_used_elsewhere(&self) -> bool {
        let Some(inboxes) = self.inboxes.upgrade() else { return false };
        let mut opened = self.opened_elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|at| inboxes.is_open(at));
        !opened.is_empty()
    }

    pub(crate) fn note_opened(&self, at: &Address) {
        let mut opened = self.opened_elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        if self.migration.is_on_current_thread() {
            opened.remove(at);
        } else {
            opened.insert(at.clone());
        }
    }

    /// Opens an inbox. While there is no connection it waits for one; or, local first, opens the
    /// inbox for this process, and the broker is told of it later.
    ///
    /// # Errors
    /// `Unreachable` after 10 s, `Refused` for lack of permission, `Closed` if the connection has
    /// ended.
    pub async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.note_opened(at);
        if self.local_first && self.is_reconnecting() {
            return self.open_ahead(at.clone()).await;
        }
        let (reply, mut opened) = oneshot::channel();
        let command = ConnectionCommand::Subscribe { at: at.clone(), reply };
        self.commands.send(command).await.map_err(|_| TransportErrorKind::Closed)?;
        let mut state = self.local_first.then(|| self.status.watch());
        // The caller's runtime may have no timer; the worker's has one.
        let waiting = async move {
            tokio::select! {
                opened = tokio::time::timeout(SUBSCRIBE_TIMEOUT, &mut opened) => Some(opened),
                () = wait_reconnecting(&mut state) => None,
            }
        };
        match self.worker.run(waiting).await {
            Ok(None) => self.open_ahead(at.clone()).await,
            Ok(Some(Ok(Ok(result)))) => result,
            Ok(Some(Err(_))) => Err(self.not_connected()),
            Ok(Some(Ok(Err(_)))) | Err(_) => Err(TransportErrorKind::Closed.into()),
        }
    }

    /// Opens an inbox for this process, and lets the driver subscribe it at the broker when there
    /// is a connection.
    async fn open_ahead(&self, at: Address) -> Result<Inbox, TransportError> {
        let inbox = self.inboxes.upgrade().ok_or(TransportErrorKind::Closed)?.open(&at);
        self.commands.send(ConnectionCommand::Attach { at }).await.map_err(|_| TransportErrorKind::Closed)?;
        Ok(inbox)
    }

    fn is_reconnecting(&self) -> bool {
        matches!(self.status.get(), ConnectionState::Reconnecting { .. })
    }

    fn not_connected(&self) -> TransportError {
        match self.status.get() {
            ConnectionState::Closed => TransportErrorKind::Closed.into(),
            ConnectionState::Reconnecting { why, .. } => {
                let why = format!("{} is not connected: {why}", self.status.broker());
                TransportError::new(TransportErrorKind::Unreachable, why)
            }
            ConnectionState::Connected | ConnectionState::Refusing { .. } => TransportError::new(
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

/// Waits until the connection is lost; for ever without a state.
async fn wait_reconnecting(state: &mut Option<watch::Receiver<ConnectionState>>) {
    let lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    let is_lost = match state {
        Some(state) => state.wait_for(lost).await.is_ok(),
        None => false,
    };
    if !is_lost {
        std::future::pending().await
    }
}
