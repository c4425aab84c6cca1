//! The task that owns a connection, and where it works: on the thread of its transport, or on that of a host.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use neuron_core::transport::{Address, runs_neurons};
use tokio::{runtime::Handle, sync::mpsc, time::sleep};

use crate::{Counters, Home, Job, Jobs, Opening, State, Status};

/// Owns a connection. Its thread is the one of the transport at first; it moves to where neurons run, because a message that
/// changes threads on its way costs more than all that is done with it.
pub trait Owner: Send + Sized + 'static {
    /// A connection that stands.
    type Line: Send + 'static;

    /// Works until nobody needs the connection any more, or it has to go elsewhere; then it tells where to. Without a connection
    /// it makes one, where it is.
    fn run(&mut self, line: Option<Self::Line>, desk: &mut Desk) -> impl Future<Output = Option<Handle>> + Send;

    /// The runtime has ended under it. What was being done has to be begun again.
    fn interrupted(&mut self, desk: &mut Desk);
}

/// What the owner of a connection works on.
#[derive(Debug)]
pub struct Desk {
    /// What it is to do, in order.
    pub jobs: Jobs,
    /// Whose inboxes have been dropped.
    pub closed: mpsc::UnboundedReceiver<Address>,
    /// Where it is to go.
    pub moves: mpsc::UnboundedReceiver<Handle>,
    /// Inboxes that are to be opened when there is a connection again.
    pub waiting: Vec<(Address, Opening)>,
    /// What is told of the connection.
    pub status: Arc<Status>,
    counters: Arc<Counters>,
    moved: Moves,
    home: Home,
}

impl Desk {
    pub(crate) fn new(
        jobs: Jobs,
        closed: mpsc::UnboundedReceiver<Address>,
        counters: Arc<Counters>,
        status: Arc<Status>,
        home: Home,
    ) -> (Moves, Self) {
        let (to, moves) = mpsc::unbounded_channel();
        let moved = Moves { to, away: Arc::default() };
        (moved.clone(), Self { jobs, closed, moves, waiting: Vec::new(), status, counters, moved, home })
    }

    /// Has the owner begin, at home, with the connection that there is.
    pub fn begin<O: Owner>(self, owner: O, line: O::Line) {
        let home = self.home.clone();
        home.spawn_last(Working { owner: Some((owner, self)), at_home: true }.run(Some(line)));
    }

    /// Waits. What is told to send meanwhile is lost, and counted; what is told to subscribe is put off. Tells whether anybody is
    /// left who tells anything.
    pub async fn pause(&mut self, pause: Duration) -> bool {
        let over = sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return true,
                job = self.jobs.recv() => match job {
                    Some(Job::Send { .. }) => self.counters.unsent(1),
                    Some(Job::Subscribe { at, done }) => {
                        // Those who have given up are not opened for any more.
                        self.waiting.retain(|(_, waiting)| !waiting.is_closed());
                        self.waiting.push((at, done));
                    }
                    None => return false,
                },
            }
        }
    }
}

/// Tells the owner of a connection to go to where neurons run. It says itself when it has come back.
#[derive(Clone, Debug)]
pub(crate) struct Moves {
    to: mpsc::UnboundedSender<Handle>,
    away: Arc<AtomicBool>,
}

impl Moves {
    /// If neurons run here, the owner is to come here, unless it is with others already.
    pub(crate) fn come_here(&self) {
        if runs_neurons()
            && let Ok(here) = Handle::try_current()
            && !self.away.swap(true, Ordering::AcqRel)
        {
            // If it has ended, it cannot come.
            let _ = self.to.send(here);
        }
    }
}

/// The owner and its desk, wherever it works. If the runtime that it has gone to ends, it goes on at home.
struct Working<O: Owner> {
    owner: Option<(O, Desk)>,
    at_home: bool,
}

impl<O: Owner> Working<O> {
    fn run(self, line: Option<O::Line>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.work(line))
    }

    async fn work(mut self, line: Option<O::Line>) {
        let Some((owner, desk)) = &mut self.owner else { return };
        let next = owner.run(line, desk).await;
        let Some((owner, desk)) = self.owner.take() else { return };
        let Some(there) = next else { return desk.status.set(State::Closed) };
        there.spawn(Self { owner: Some((owner, desk)), at_home: false }.run(None));
    }
}

impl<O: Owner> Drop for Working<O> {
    fn drop(&mut self) {
        // The runtime has ended under it.
        let Some((mut owner, mut desk)) = self.owner.take() else { return };
        if self.at_home {
            return desk.status.set(State::Closed);
        }
        desk.moved.away.store(false, Ordering::Release);
        owner.interrupted(&mut desk);
        let home = desk.home.clone();
        home.spawn_last(Self { owner: Some((owner, desk)), at_home: true }.run(None));
    }
}
