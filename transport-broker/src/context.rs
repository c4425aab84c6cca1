//! What a connection driver works with, and the request to migrate to another thread.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use neuron_core::transport::Address;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{ConnectionCommand, ConnectionCounters, ConnectionStatus, SubscribeReply, worker_thread::HomeRuntime};

/// What a connection driver works with, on whichever thread it runs.
#[derive(Debug)]
pub struct DriverContext {
    /// The commands, in order. The channel closes with the last [`ConnectionHandle`].
    ///
    /// [`ConnectionHandle`]: crate::ConnectionHandle
    pub commands: mpsc::Receiver<ConnectionCommand>,
    /// The addresses whose inboxes have been dropped.
    pub closed_inboxes: mpsc::UnboundedReceiver<Address>,
    /// The runtimes that the driver is asked to migrate to.
    pub migrations: mpsc::UnboundedReceiver<Handle>,
    /// The inboxes to open as soon as there is a session.
    pub pending_subscriptions: Vec<(Address, SubscribeReply)>,
    /// Where the state of the connection is announced.
    pub status: Arc<ConnectionStatus>,
    /// The counters of the transport.
    pub counters: Arc<ConnectionCounters>,
    pub(crate) give_up_after: Option<Duration>,
    migration: Migration,
    home: HomeRuntime,
}

impl DriverContext {
    pub(crate) fn new(
        commands: mpsc::Receiver<ConnectionCommand>,
        closed_inboxes: mpsc::UnboundedReceiver<Address>,
        counters: Arc<ConnectionCounters>,
        status: Arc<ConnectionStatus>,
        home: HomeRuntime,
        give_up_after: Option<Duration>,
    ) -> Self {
        let (requests, migrations) = mpsc::unbounded_channel();
        let migration = Migration { requests, guest_of: Arc::default(), interrupts: Arc::default() };
        Self {
            commands,
            closed_inboxes,
            migrations,
            pending_subscriptions: Vec::new(),
            status,
            counters,
            give_up_after,
            migration,
            home,
        }
    }

    pub(crate) fn migration(&self) -> &Migration {
        &self.migration
    }

    pub(crate) fn home(&self) -> &HomeRuntime {
        &self.home
    }

    /// Waits for `duration` without a session, and returns whether the transport still exists.
    ///
    /// Envelopes to send meanwhile are counted as unsent; subscriptions are put off until there is
    /// a session.
    pub(crate) async fn wait_disconnected(&mut self, duration: Duration) -> bool {
        let elapsed = sleep(duration);
        tokio::pin!(elapsed);
        loop {
            tokio::select! {
                () = &mut elapsed => return true,
                command = self.commands.recv() => match command {
                    Some(ConnectionCommand::Send { .. }) => self.counters.unsent(1),
                    // Claims are made again once there is a session.
                    Some(ConnectionCommand::Attach { .. } | ConnectionCommand::Claim(_)) => {}
                    Some(ConnectionCommand::Subscribe { at, reply }) => {
                        // Drop those whose callers have given up, so that the list stays short.
                        self.pending_subscriptions.retain(|(_, pending)| !pending.is_closed());
                        self.pending_subscriptions.push((at, reply));
                    }
                    None => return false,
                },
            }
        }
    }
}

/// Asks a connection driver to migrate to the thread of a host.
///
/// A message that changes threads on its way costs more than everything else done with it, so the
/// connection works on the thread of the first host that starts with the transport.
#[derive(Clone, Debug)]
pub(crate) struct Migration {
    requests: mpsc::UnboundedSender<Handle>,
    /// The thread of the host that the driver works on, or is asked to migrate to; `None` at home.
    /// While there is one, the requests of other hosts are ignored.
    guest_of: Arc<watch::Sender<Option<ThreadId>>>,
    /// Whether inboxes of others are not subscribed while the driver goes home.
    interrupts: Arc<AtomicBool>,
}

impl Migration {
    /// Asks the driver to migrate to the current runtime, unless it works for another host already.
    pub(crate) fn migrate_to_current(&self) {
        if let Ok(current) = Handle::try_current()
            && self.guest_of.send_if_modified(|host| {
                let is_free = host.is_none();
                host.get_or_insert_with(|| thread::current().id());
                is_free
            })
        {
            // A driver that has ended cannot migrate.
            let _ = self.requests.send(current);
        }
    }

    /// Returns whether the driver works on the current thread, or is asked to migrate to it.
    pub(crate) fn is_on_current_thread(&self) -> bool {
        *self.guest_of.borrow() == Some(thread::current().id())
    }

    /// Asks the driver to go home. The result waits until it has left the thread that it works on.
    ///
    /// `interrupts` says whether others have inboxes that are not subscribed meanwhile.
    pub(crate) fn migrate_home(&self, home: &HomeRuntime, interrupts: bool) -> impl Future<Output = ()> + use<> {
        self.interrupts.store(interrupts, Ordering::Release);
        // A driver that has ended cannot migrate, and has nothing to leave.
        let is_asked = self.requests.send(home.handle().clone()).is_ok();
        let mut guest_of = self.guest_of.subscribe();
        async move {
            if is_asked {
                // An error means that the driver has ended.
                let _ = guest_of.wait_for(Option::is_none).await;
            }
        }
    }

    /// Records that the driver is back on its home runtime, so that another host may have it.
    /// Returns whether inboxes of others are not subscribed meanwhile.
    pub(crate) fn mark_home(&self) -> bool {
        self.guest_of.send_replace(None);
        self.interrupts.swap(false, Ordering::AcqRel)
    }

    #[cfg(test)]
    pub(crate) fn request(&self, runtime: Handle) {
        self.requests.send(runtime).expect("the driver is there");
    }
}
