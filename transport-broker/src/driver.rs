//! The task that owns a connection: it connects, serves, reconnects and migrates.

use std::{fmt, future::Future, pin::Pin};

use tokio::{runtime::Handle, time::Instant};

use crate::{Backoff, ConnectionState, DriverContext};

/// Why a connection is made again on its home runtime.
const HOST_ENDED: &str = "the host whose thread ran the connection has ended";

/// Why a connection that was left in order is announced as lost all the same.
const HOST_STOPPED: &str = "the host whose thread ran the connection stops; inboxes of others are subscribed anew";

/// What is particular to a broker: how to make a connection, and how to work over it.
///
/// [`start_driver`] runs the loop around these: back-off, giving up, announcing losses, migration.
pub trait ConnectionDriver: Send + Sized + 'static {
    /// A connection that stands, with what belongs to it.
    type Session: Send + 'static;
    /// Why an attempt to connect failed.
    type Error: fmt::Display + Send;

    /// Makes one attempt to connect, on the current runtime, and subscribes all open inboxes again.
    ///
    /// # Errors
    /// When the attempt failed; the loop tries again after a pause.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Session, Self::Error>> + Send;

    /// Works over a session until there is a reason to leave it, and returns that reason.
    ///
    /// It carries out the commands of `cx` in order, and opens its pending subscriptions. Once the
    /// connection stands it calls
    /// [`announce_connected`](crate::ConnectionStatus::announce_connected).
    fn serve(&mut self, session: Self::Session, cx: &mut DriverContext) -> impl Future<Output = ExitReason> + Send;

    /// Cleans up after a session that was left with work unfinished: counts the envelopes that may
    /// not have arrived, and moves inboxes that are not open yet to the pending subscriptions.
    ///
    /// It is called after [`ExitReason::Lost`], and when the runtime has ended under the driver. A
    /// driver whose session cannot be left in order, to move to another thread, calls it itself.
    fn on_session_lost(&mut self, cx: &mut DriverContext);
}

/// Why a driver leaves a session.
#[derive(Debug)]
pub enum ExitReason {
    /// The connection is lost, for the reason in the text. It is made again.
    Lost(String),
    /// The connection has been lost for too long. The transport closes.
    GivenUp,
    /// The last handle was dropped. The transport closes.
    Unused,
    /// The driver goes to another runtime, and makes a new connection there. It has finished what
    /// it had begun, or put it back into the context.
    Migrate(Handle),
}

/// Starts the driver of a connection on its home runtime, with the first session. `None` means that
/// the driver has to make it, for as long as that takes.
pub fn start_driver<D: ConnectionDriver>(driver: D, session: Option<D::Session>, cx: DriverContext) {
    let home = cx.home().clone();
    home.spawn_driver(DriverTask { parts: Some((driver, cx)), is_home: true }.run(session));
}

/// A driver and its context, as a task on a runtime. A host that stops in order sends it home; if
/// its runtime ends without that, it goes on at home as well.
struct DriverTask<D: ConnectionDriver> {
    /// `None` once passed to the next task, or ended.
    parts: Option<(D, DriverContext)>,
    is_home: bool,
}

impl<D: ConnectionDriver> DriverTask<D> {
    /// Boxed, because the future contains itself: a task spawns its successor.
    fn run(self, session: Option<D::Session>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.run_until_moved(session))
    }

    async fn run_until_moved(mut self, session: Option<D::Session>) {
        let Some((driver, cx)) = &mut self.parts else { return };
        let next = drive(driver, cx, session).await;
        let Some((driver, cx)) = self.parts.take() else { return };
        let Some(runtime) = next else { return cx.status.set(ConnectionState::Closed) };
        let home = cx.home().clone();
        if runtime.id() == home.handle().id() {
            // What others receive meanwhile may be lost. What is sent waits for the next session.
            let migration = cx.migration().clone();
            if migration.mark_home() {
                cx.status.set(ConnectionState::Reconnecting { attempts: 0, why: HOST_STOPPED.to_owned() });
            }
            return home.spawn_driver(Self { parts: Some((driver, cx)), is_home: true }.run(None));
        }
        runtime.spawn(Self { parts: Some((driver, cx)), is_home: false }.run(None));
    }
}

impl<D: ConnectionDriver> Drop for DriverTask<D> {
    fn drop(&mut self) {
        // The parts are still here only if the runtime has ended under the task.
        let Some((mut driver, mut cx)) = self.parts.take() else { return };
        if self.is_home {
            return cx.status.set(ConnectionState::Closed);
        }
        cx.migration().mark_home();
        driver.on_session_lost(&mut cx);
        // No inbox is subscribed until there is another connection. If the transport is gone as
        // well, there is nothing to announce.
        if cx.status.is_connected() && !cx.commands.is_closed() {
            cx.status.set(ConnectionState::Reconnecting { attempts: 0, why: HOST_ENDED.to_owned() });
        }
        let home = cx.home().clone();
        home.spawn_driver(Self { parts: Some((driver, cx)), is_home: true }.run(None));
    }
}

/// Serves session after session. Returns the runtime to migrate to; `None` means that the transport
/// closes.
async fn drive<D: ConnectionDriver>(
    driver: &mut D,
    cx: &mut DriverContext,
    session: Option<D::Session>,
) -> Option<Handle> {
    let mut session = match session {
        Some(session) => session,
        // A move is no loss: the state changes only if the first attempt fails.
        None => connect(driver, cx, None).await?,
    };
    loop {
        match driver.serve(session, cx).await {
            ExitReason::Unused => return None,
            ExitReason::GivenUp => {
                tracing::error!(broker = cx.status.broker(), "the connection is given up");
                return None;
            }
            ExitReason::Migrate(runtime) => return Some(runtime),
            ExitReason::Lost(why) => {
                driver.on_session_lost(cx);
                cx.status.set(ConnectionState::Reconnecting { attempts: 0, why: why.clone() });
                session = connect(driver, cx, Some(why)).await?;
            }
        }
    }
}

/// Tries to connect until it succeeds: at once if nothing was lost, after a pause otherwise.
/// Returns `None` if it has given up, or the transport is gone.
async fn connect<D: ConnectionDriver>(
    driver: &mut D,
    cx: &mut DriverContext,
    mut why: Option<String>,
) -> Option<D::Session> {
    let start = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        if let Some(why) = why {
            if cx.give_up_after.is_some_and(|limit| start.elapsed() > limit) {
                tracing::error!(broker = cx.status.broker(), %why, "the connection is given up");
                return None;
            }
            if !cx.wait_disconnected(backoff.next_pause()).await {
                return None;
            }
        }
        let error = match driver.connect().await {
            Ok(session) => return Some(session),
            Err(error) => error.to_string(),
        };
        cx.status.set(ConnectionState::Reconnecting { attempts: backoff.attempts(), why: error.clone() });
        why = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Arc, thread, time::Duration};

    use tokio::{
        runtime::Builder,
        sync::mpsc,
        time::{sleep, timeout},
    };

    use super::*;
    use crate::{ConnectionCounters, ConnectionHandle, ConnectionOptions, ConnectionStatus, Inboxes, WorkerThread};

    /// Reports the number of its session and how many were lost, each time it begins to serve.
    struct Scripted {
        sessions: u32,
        lost: u32,
        reports: mpsc::UnboundedSender<(u32, u32)>,
    }

    impl ConnectionDriver for Scripted {
        type Session = ();
        type Error = Infallible;

        async fn connect(&mut self) -> Result<(), Infallible> {
            self.sessions += 1;
            Ok(())
        }

        async fn serve(&mut self, (): (), cx: &mut DriverContext) -> ExitReason {
            self.reports.send((self.sessions, self.lost)).expect("the test listens");
            tokio::select! {
                runtime = cx.migrations.recv() => runtime.map_or(ExitReason::Unused, ExitReason::Migrate),
                () = async { while cx.commands.recv().await.is_some() {} } => ExitReason::Unused,
            }
        }

        fn on_session_lost(&mut self, _: &mut DriverContext) {
            self.lost += 1;
        }
    }

    #[test]
    fn the_end_of_a_host_under_a_connection_that_others_use_is_announced() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let second = Duration::from_secs(1);
        runtime.block_on(async {
            let worker = WorkerThread::start("test").expect("a thread");
            let (reports, mut reported) = mpsc::unbounded_channel();
            let counters = Arc::new(ConnectionCounters::default());
            let status = Arc::new(ConnectionStatus::connected("test".to_owned()));
            let inboxes = Inboxes::new(1, counters.clone());
            let (handle, cx) = ConnectionHandle::new(counters, status, worker, inboxes, ConnectionOptions::default());
            let migration = cx.migration().clone();
            start_driver(Scripted { sessions: 1, lost: 0, reports }, Some(()), cx);
            assert_eq!(timeout(second, reported.recv()).await.expect("it serves"), Some((1, 0)));
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let host = thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    migration.request(Handle::current());
                    while ended.try_recv().is_err() {
                        sleep(Duration::from_millis(1)).await;
                    }
                });
            });
            assert_eq!(timeout(second, reported.recv()).await.expect("it migrates"), Some((2, 0)));
            assert_eq!(*handle.state().borrow(), ConnectionState::Connected, "a migration is not announced");
            end.send(()).expect("the host runs");
            host.join().expect("it ends");
            assert_eq!(timeout(second, reported.recv()).await.expect("it goes home"), Some((3, 1)));
            let is_announced =
                matches!(&*handle.state().borrow(), ConnectionState::Reconnecting { why, .. } if why == HOST_ENDED);
            assert!(is_announced, "{:?}", handle.state());
        });
    }

    /// What a scripted driver on its own and a host have to do with each other.
    struct Stage {
        handle: ConnectionHandle,
        reported: mpsc::UnboundedReceiver<(u32, u32)>,
        inboxes: Arc<Inboxes>,
    }

    /// Starts a driver, and a host that takes it over and stops in order.
    async fn stage(before: impl FnOnce(&Stage)) -> Stage {
        let second = Duration::from_secs(1);
        let worker = WorkerThread::start("test").expect("a thread");
        let (reports, reported) = mpsc::unbounded_channel();
        let counters = Arc::new(ConnectionCounters::default());
        let status = Arc::new(ConnectionStatus::connected("test".to_owned()));
        let inboxes = Inboxes::new(1, counters.clone());
        let open = inboxes.0.clone();
        let (handle, cx) = ConnectionHandle::new(counters, status, worker, inboxes, ConnectionOptions::default());
        start_driver(Scripted { sessions: 1, lost: 0, reports }, Some(()), cx);
        let mut stage = Stage { handle, reported, inboxes: open };
        assert_eq!(timeout(second, stage.reported.recv()).await.expect("it serves"), Some((1, 0)));
        before(&stage);
        let of_host = stage.handle.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let host = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                of_host.attach_to_current_thread();
                let _ = stopped.await;
                of_host.detach_from_current_thread().await;
            });
        });
        assert_eq!(timeout(second, stage.reported.recv()).await.expect("it migrates"), Some((2, 0)));
        assert_eq!(*stage.handle.state().borrow(), ConnectionState::Connected, "a migration is not announced");
        stop.send(()).expect("the host runs");
        assert_eq!(
            timeout(second, stage.reported.recv()).await.expect("it goes home"),
            Some((3, 0)),
            "nothing is lost"
        );
        host.join().expect("it ends");
        stage
    }

    #[test]
    fn a_host_that_stops_in_order_sends_the_connection_home_without_a_loss() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let stage = stage(|_| {}).await;
            assert_eq!(*stage.handle.state().borrow(), ConnectionState::Connected);
            // Another host may have it now.
            let of_next = stage.handle.clone();
            let mut reported = stage.reported;
            thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    of_next.attach_to_current_thread();
                    assert_eq!(
                        timeout(Duration::from_secs(1), reported.recv()).await.expect("it migrates"),
                        Some((4, 0))
                    );
                    of_next.detach_from_current_thread().await;
                });
            })
            .join()
            .expect("it has the connection");
        });
    }

    #[test]
    fn a_stop_that_leaves_inboxes_of_others_unsubscribed_is_announced() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let at = neuron_core::transport::Address::Neuron("z".parse().expect("a name"));
            let mut inbox = None;
            let stage = stage(|stage| {
                stage.handle.note_opened(&at);
                inbox = Some(stage.inboxes.open(&at));
            })
            .await;
            let is_announced = matches!(
                &*stage.handle.state().borrow(),
                ConnectionState::Reconnecting { why, .. } if why == HOST_STOPPED
            );
            assert!(is_announced, "{:?}", stage.handle.state());
            drop(inbox);
        });
    }

    /// Loses its first session, and cannot connect again.
    struct Broken;

    impl ConnectionDriver for Broken {
        type Session = ();
        type Error = &'static str;

        async fn connect(&mut self) -> Result<(), &'static str> {
            Err("no broker")
        }

        async fn serve(&mut self, (): (), _: &mut DriverContext) -> ExitReason {
            ExitReason::Lost("a cable was pulled".to_owned())
        }

        fn on_session_lost(&mut self, _: &mut DriverContext) {}
    }

    #[test]
    fn a_connection_that_cannot_be_made_again_is_given_up_after_its_time() {
        let limit = Duration::from_millis(100);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let worker = WorkerThread::start("test").expect("a thread");
            let counters = Arc::new(ConnectionCounters::default());
            let status = Arc::new(ConnectionStatus::connected("test".to_owned()));
            let inboxes = Inboxes::new(1, counters.clone());
            let options = ConnectionOptions { give_up_after: Some(limit), ..ConnectionOptions::default() };
            let (handle, cx) = ConnectionHandle::new(counters, status, worker, inboxes, options);
            let mut state = handle.state();
            let start = Instant::now();
            start_driver(Broken, Some(()), cx);
            let mut last_attempts = 0;
            loop {
                timeout(Duration::from_secs(5), state.changed()).await.expect("in time").expect("it is announced");
                match &*state.borrow_and_update() {
                    ConnectionState::Reconnecting { attempts, why } => {
                        assert!(*attempts >= last_attempts, "{attempts} after {last_attempts}");
                        assert!(why == "a cable was pulled" || why == "no broker", "{why}");
                        last_attempts = *attempts;
                    }
                    ConnectionState::Closed => break,
                    ConnectionState::Connected | ConnectionState::Refusing { .. } => panic!("it cannot connect"),
                }
            }
            assert!(last_attempts >= 1 && start.elapsed() > limit, "{last_attempts} in {:?}", start.elapsed());
            let at = neuron_core::transport::Address::Neuron("z".parse().expect("a name"));
            let error = handle.subscribe(&at).await.expect_err("it is closed");
            assert_eq!(error.kind(), neuron_core::transport::TransportErrorKind::Closed);
            assert_eq!(handle.counts().reconnects, 0);
        });
    }
}
