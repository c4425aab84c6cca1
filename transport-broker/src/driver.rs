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

use crate::{
    Commands, ConnectionCommand, ConnectionCounters, ConnectionState, ConnectionStatus, HomeRuntime, SubscribeReply,
};

/// Why a connection is made anew at home.
const ENDED: &str = "the host that it worked for has ended";

/// Owns a connection. Its thread is the one of the transport at first; it moves to where neurons run, because a message that
/// changes threads on its way costs more than all that is done with it.
pub trait ConnectionDriver: Send + Sized + 'static {
    /// A connection that stands.
    type Line: Send + 'static;

    /// Works until nobody needs the connection any more, or it has to go elsewhere; then it tells where to. Without a connection
    /// it makes one, where it is, and tells when it stands, should the state be another one.
    fn run(&mut self, line: Option<Self::Line>, cx: &mut DriverContext) -> impl Future<Output = Option<Handle>> + Send;

    /// The runtime has ended under it, and the connection with it. What was being done has to be begun again, and what may not have
    /// left is to be counted.
    fn interrupted(&mut self, cx: &mut DriverContext);
}

/// What the owner of a connection works on.
#[derive(Debug)]
pub struct DriverContext {
    /// What it is to do, in order.
    pub commands: Commands,
    /// Whose inboxes have been dropped.
    pub closed: mpsc::UnboundedReceiver<Address>,
    /// Where it is to go.
    pub moves: mpsc::UnboundedReceiver<Handle>,
    /// Inboxes that are to be opened when there is a connection again.
    pub waiting: Vec<(Address, SubscribeReply)>,
    /// What is told of the connection.
    pub status: Arc<ConnectionStatus>,
    counters: Arc<ConnectionCounters>,
    moved: Migration,
    home: HomeRuntime,
}

impl DriverContext {
    pub(crate) fn new(
        commands: Commands,
        closed: mpsc::UnboundedReceiver<Address>,
        counters: Arc<ConnectionCounters>,
        status: Arc<ConnectionStatus>,
        home: HomeRuntime,
    ) -> (Migration, Self) {
        let (to, moves) = mpsc::unbounded_channel();
        let moved = Migration { to, away: Arc::default() };
        (moved.clone(), Self { commands, closed, moves, waiting: Vec::new(), status, counters, moved, home })
    }

    /// Has the owner begin, at home, with the connection that there is.
    pub fn begin<O: ConnectionDriver>(self, owner: O, line: O::Line) {
        let home = self.home.clone();
        home.spawn_last(DriverTask { owner: Some((owner, self)), at_home: true }.run(Some(line)));
    }

    /// Waits. What is told to send meanwhile is lost, and counted; what is told to subscribe is put off. Tells whether anybody is
    /// left who tells anything.
    pub async fn pause(&mut self, pause: Duration) -> bool {
        let over = sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return true,
                command = self.commands.recv() => match command {
                    Some(ConnectionCommand::Send { .. }) => self.counters.unsent(1),
                    Some(ConnectionCommand::Subscribe { at, done }) => {
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
pub(crate) struct Migration {
    to: mpsc::UnboundedSender<Handle>,
    away: Arc<AtomicBool>,
}

impl Migration {
    /// If neurons run here, the owner is to come here, unless it is with others already.
    pub(crate) fn migrate_to_current(&self) {
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
struct DriverTask<O: ConnectionDriver> {
    owner: Option<(O, DriverContext)>,
    at_home: bool,
}

impl<O: ConnectionDriver> DriverTask<O> {
    fn run(self, line: Option<O::Line>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.work(line))
    }

    async fn work(mut self, line: Option<O::Line>) {
        let Some((owner, cx)) = &mut self.owner else { return };
        let next = owner.run(line, cx).await;
        let Some((owner, cx)) = self.owner.take() else { return };
        let Some(there) = next else { return cx.status.set(ConnectionState::Closed) };
        there.spawn(Self { owner: Some((owner, cx)), at_home: false }.run(None));
    }
}

impl<O: ConnectionDriver> Drop for DriverTask<O> {
    fn drop(&mut self) {
        // The runtime has ended under it.
        let Some((mut owner, mut cx)) = self.owner.take() else { return };
        if self.at_home {
            return cx.status.set(ConnectionState::Closed);
        }
        cx.moved.away.store(false, Ordering::Release);
        owner.interrupted(&mut cx);
        // Nobody is subscribed until there is another connection. Where nobody is left to use it, nobody need know.
        if cx.status.is_connected() && !cx.commands.is_closed() {
            cx.status.set(ConnectionState::Reconnecting { attempts: 0, why: ENDED.to_owned() });
        }
        let home = cx.home.clone();
        home.spawn_last(Self { owner: Some((owner, cx)), at_home: true }.run(None));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::{runtime::Builder, sync::mpsc, time::timeout};

    use super::*;
    use crate::{ConnectionHandle, ConnectionStatus, Inboxes, WorkerThread};

    /// Tells on which line it works: the first is there, each other it makes.
    struct Scripted {
        lines: u32,
        interrupted: u32,
        told: mpsc::UnboundedSender<(u32, u32)>,
    }

    impl ConnectionDriver for Scripted {
        type Line = ();

        async fn run(&mut self, line: Option<()>, cx: &mut DriverContext) -> Option<Handle> {
            if line.is_none() {
                self.lines += 1;
            }
            self.told.send((self.lines, self.interrupted)).expect("the test listens");
            tokio::select! {
                there = cx.moves.recv() => there,
                () = async { while cx.commands.recv().await.is_some() {} } => None,
            }
        }

        fn interrupted(&mut self, _: &mut DriverContext) {
            self.interrupted += 1;
        }
    }

    #[test]
    fn a_host_that_ends_under_a_connection_others_use_is_told_of() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let second = Duration::from_secs(1);
        runtime.block_on(async {
            let worker = WorkerThread::start("test").expect("a thread");
            let (told, mut tells) = mpsc::unbounded_channel();
            let (counters, status) =
                (Arc::new(ConnectionCounters::default()), Arc::new(ConnectionStatus::connected("test".to_owned())));
            let (_inboxes, closed) = Inboxes::new(1, counters.clone());
            let (handle, cx) = ConnectionHandle::new(counters, status, worker, closed);
            let moves = cx.moved.clone();
            cx.begin(Scripted { lines: 1, interrupted: 0, told }, ());
            assert_eq!(timeout(second, tells.recv()).await.expect("it works"), Some((1, 0)));
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let host = thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    moves.to.send(Handle::current()).expect("the owner is there");
                    while ended.try_recv().is_err() {
                        sleep(Duration::from_millis(1)).await;
                    }
                });
            });
            assert_eq!(timeout(second, tells.recv()).await.expect("it moves"), Some((2, 0)));
            assert_eq!(*handle.state().borrow(), ConnectionState::Connected, "moving is no reason to say anything");
            end.send(()).expect("the host runs");
            host.join().expect("it ends");
            assert_eq!(timeout(second, tells.recv()).await.expect("it goes home"), Some((3, 1)));
            let is_told =
                matches!(&*handle.state().borrow(), ConnectionState::Reconnecting { why, .. } if why == ENDED);
            assert!(is_told, "{:?}", handle.state());
        });
    }
}
