//! The end of a connection that a transport holds: what it is given goes to the task that owns the connection.

use std::{sync::Arc, time::Duration};

use neuron_core::transport::{Address, BoxFuture, Envelope, Inbox, Sending, TransportError, TransportErrorKind};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Counters, Counts, Desk, State, Status, Way, Worker, owner::Moves};

/// How many jobs wait for the connection before senders wait.
const JOBS: usize = 8192;

/// How long an inbox may take to be opened, the time to connect again included.
const OPENING: Duration = Duration::from_secs(10);

/// What the connection is to do, in order.
#[derive(Debug)]
pub enum Job {
    /// Give an envelope to the broker.
    Send {
        /// From whom to whom.
        way: Way,
        /// Its bytes.
        frame: Vec<u8>,
    },
    /// Subscribe to what an inbox listens to, and open it once the broker has confirmed that.
    Subscribe {
        /// Whose inbox.
        at: Address,
        /// Who waits for it.
        done: Opening,
    },
}

/// Who waits for an inbox.
pub type Opening = oneshot::Sender<Result<Inbox, TransportError>>;

/// Where the jobs come from.
pub type Jobs = mpsc::Receiver<Job>;

/// The end of a connection that a transport holds. Clones share the connection; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct Link {
    jobs: mpsc::Sender<Job>,
    counters: Arc<Counters>,
    status: Arc<Status>,
    worker: Arc<Worker>,
    moves: Moves,
}

impl Link {
    /// A connection that does its work on `worker`, unless it moves, and what its owner works on. Whoever drops an inbox is told
    /// on `closed`.
    pub fn new(
        counters: Arc<Counters>,
        status: Arc<Status>,
        worker: Worker,
        closed: mpsc::UnboundedReceiver<Address>,
    ) -> (Self, Desk) {
        let (sender, jobs) = mpsc::channel(JOBS);
        let (moves, desk) = Desk::new(jobs, closed, counters.clone(), status.clone(), worker.home().clone());
        (Self { jobs: sender, counters, status, worker: Arc::new(worker), moves }, desk)
    }

    /// Hands an envelope to the connection.
    pub fn send(&self, envelope: Envelope) -> Sending {
        if !self.status.is_connected() {
            self.counters.unsent(1);
            return Sending::done(Err(self.not_connected()));
        }
        let (way, frame) = match Way::seal(envelope) {
            Ok(sealed) => sealed,
            Err(error) => return Sending::done(Err(TransportError::new(TransportErrorKind::Unsendable, error))),
        };
        match self.jobs.try_send(Job::Send { way, frame }) {
            Ok(()) => Sending::done(Ok(())),
            Err(mpsc::error::TrySendError::Closed(_)) => Sending::done(Err(TransportErrorKind::Closed.into())),
            Err(mpsc::error::TrySendError::Full(job)) => {
                let jobs = self.jobs.clone();
                Sending::later(async move { jobs.send(job).await.map_err(|_| TransportErrorKind::Closed.into()) })
            }
        }
    }

    /// Has the connection work on this thread, which runs neurons, unless it does so on another one already.
    pub fn attach_to_current_thread(&self) {
        self.moves.come_here();
    }

    /// Opens an inbox, as soon as there is a connection.
    pub fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        let (link, at) = (self.clone(), at.clone());
        Box::pin(async move {
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
}
