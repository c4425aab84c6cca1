//! The end of a connection that a transport holds: what it is given goes to the task that owns the connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use neuron_core::transport::{
    Address, BoxFuture, Envelope, Inbox, Sending, TransportError, TransportErrorKind, runs_neurons,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

use crate::{Counters, Counts, Routes, State, Status, Worker};

/// How many jobs wait for the connection before senders wait.
const JOBS: usize = 8192;

/// How long an inbox may take to be opened, the time to connect again included.
const OPENING: Duration = Duration::from_secs(10);

/// What the connection is to do, in order.
#[derive(Debug)]
pub enum Job {
    /// Give a message to the broker.
    Send {
        /// Where it goes.
        subject: String,
        /// Its bytes.
        frame: Vec<u8>,
    },
    /// Subscribe to what an inbox listens to, and open it once the broker has confirmed that.
    Subscribe {
        /// Whose inbox.
        at: Address,
        /// Who waits for it.
        done: oneshot::Sender<Result<Inbox, TransportError>>,
    },
}

/// Where the jobs come from.
pub type Jobs = mpsc::Receiver<Job>;

/// Tells the task that owns the connection to go to where neurons run. It says itself when it has come back.
#[derive(Clone, Debug)]
pub struct Moves {
    to: mpsc::UnboundedSender<Handle>,
    away: Arc<AtomicBool>,
}

impl Moves {
    /// And where the task hears of it.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Handle>) {
        let (to, moves) = mpsc::unbounded_channel();
        (Self { to, away: Arc::default() }, moves)
    }

    /// The task is on its own thread again.
    pub fn is_home(&self) {
        self.away.store(false, Ordering::Release);
    }

    /// If neurons run here, the task is to come here, unless it is with others already.
    fn come_here(&self) {
        if runs_neurons()
            && let Ok(here) = Handle::try_current()
            && !self.away.swap(true, Ordering::AcqRel)
        {
            // If the task has ended, it cannot come.
            let _ = self.to.send(here);
        }
    }
}

/// The end of a connection that a transport holds. Clones share the connection; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct Link {
    routes: Arc<Routes>,
    jobs: mpsc::Sender<Job>,
    counters: Arc<Counters>,
    status: Arc<Status>,
    worker: Arc<Worker>,
    moves: Option<Moves>,
}

impl Link {
    /// A connection that does its work on `worker`, and where its jobs come from.
    pub fn new(routes: Arc<Routes>, counters: Arc<Counters>, status: Arc<Status>, worker: Worker) -> (Self, Jobs) {
        let (jobs, receiver) = mpsc::channel(JOBS);
        (Self { routes, jobs, counters, status, worker: Arc::new(worker), moves: None }, receiver)
    }

    /// Lets the task that owns the connection move to the thread of a host.
    #[must_use]
    pub fn with_moves(mut self, moves: Moves) -> Self {
        self.moves = Some(moves);
        self
    }

    /// Hands an envelope to the connection.
    pub fn send(&self, envelope: &Envelope) -> Sending {
        if !self.status.is_connected() {
            self.counters.unsent(1);
            return Sending::done(Err(self.not_connected()));
        }
        let (subject, frame) = match self.routes.seal(envelope) {
            Ok(sealed) => sealed,
            Err(error) => return Sending::done(Err(TransportError::new(TransportErrorKind::Unsendable, error))),
        };
        match self.jobs.try_send(Job::Send { subject, frame }) {
            Ok(()) => Sending::done(Ok(())),
            Err(mpsc::error::TrySendError::Closed(_)) => Sending::done(Err(TransportErrorKind::Closed.into())),
            Err(mpsc::error::TrySendError::Full(job)) => {
                let jobs = self.jobs.clone();
                Sending::later(async move { jobs.send(job).await.map_err(|_| TransportErrorKind::Closed.into()) })
            }
        }
    }

    /// Opens an inbox, as soon as there is a connection.
    pub fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        let (link, at) = (self.clone(), at.clone());
        Box::pin(async move {
            if let Some(moves) = &link.moves {
                moves.come_here();
            }
            let (done, opened) = oneshot::channel();
            link.jobs.send(Job::Subscribe { at, done }).await.map_err(|_| TransportErrorKind::Closed)?;
            // On the worker, because whoever waits may have no timer.
            let opened = link.worker.run(tokio::time::timeout(OPENING, opened)).await;
            match opened {
                Ok(Ok(Ok(result))) => result,
                Ok(Err(_)) => Err(link.not_connected()),
                Ok(Ok(Err(_))) | Err(_) => Err(TransportErrorKind::Closed.into()),
            }
        })
    }

    fn not_connected(&self) -> TransportError {
        match self.status.get() {
            State::Closed => TransportErrorKind::Closed.into(),
            State::Reconnecting { why, .. } => {
                let why = format!("{} is not connected: {why}", self.status.broker());
                TransportError::new(TransportErrorKind::Unreachable, why)
            }
            State::Connected => TransportError::new(
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
    pub fn state(&self) -> watch::Receiver<State> {
        self.status.watch()
    }

    /// The thread that does the work.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }
}
