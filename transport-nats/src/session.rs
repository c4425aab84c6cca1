//! A connection with its subscriptions and its supervisor.

use tokio::{sync::watch, task::JoinHandle};

use crate::{inbox_tasks::InboxTask, subscriptions::Subscriptions};

/// A connection with its subscriptions and its supervisor. Dropping it stops both; the inboxes stay
/// open.
pub(crate) struct Session {
    pub(crate) subscriptions: Subscriptions,
    pub(crate) supervisor: JoinHandle<()>,
    /// Listens to claims; `None` if the client has ended.
    pub(crate) claims: Option<JoinHandle<()>>,
    /// `true` once the supervisor has given up; without a sender once it has ended.
    pub(crate) given_up: watch::Receiver<bool>,
    /// A message has been published over this connection.
    pub(crate) has_published: bool,
    /// Counts messages by their acknowledgements; `None` in mode core.
    pub(crate) _counting: Option<InboxTask>,
}

impl Session {
    /// Waits until the supervisor has ended, and returns whether it has given up.
    pub(crate) async fn supervisor_ended(&mut self) -> bool {
        self.given_up.wait_for(|given_up| *given_up).await.is_ok()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.supervisor.abort();
        self.claims.iter().for_each(JoinHandle::abort);
        self.subscriptions.abort_all();
    }
}
