//! The state of a connection, and how it is announced.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::watch;

use crate::{ConnectionCounters, Refusals};

/// The state of a transport's connection to its broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The connection stands, and the inboxes of this process are subscribed. One that was opened
    /// while there was none may take a moment longer.
    Connected,
    /// The connection stands, and inboxes are subscribed as with `Connected`; but for at least a
    /// second the broker has refused every signal, request and report that was sent, as without
    /// room or permission. It becomes `Connected` with the first one that the broker takes.
    Refusing {
        /// What the broker said last.
        why: String,
    },
    /// The connection is lost, or does not stand yet, and is being made. What is sent meanwhile to
    /// other processes does not arrive.
    Reconnecting {
        /// Failed attempts since the loss; 0 right after it.
        attempts: u32,
        /// Why the connection was lost, or why the last attempt failed.
        why: String,
    },
    /// The connection has ended for good: the transport was dropped, or it has given up.
    Closed,
}

impl ConnectionState {
    /// Returns whether the connection stands: in the states `Connected` and `Refusing`.
    pub fn is_standing(&self) -> bool {
        matches!(self, Self::Connected | Self::Refusing { .. })
    }
}

/// Announces the state of a connection to its watchers and to the log.
#[derive(Debug)]
pub struct ConnectionStatus {
    state: watch::Sender<ConnectionState>,
    /// Mirrors `state.is_standing()`: read for each envelope that is sent, so it must not cost a
    /// lock.
    is_connected: AtomicBool,
    /// The state is `Refusing`.
    is_refusing: AtomicBool,
    /// The connection has stood before.
    has_connected: AtomicBool,
    /// The broker's address, without a password.
    broker: String,
    refusals: Arc<Refusals>,
    /// The longest message that the broker takes, in bytes.
    max_message: AtomicUsize,
}

impl ConnectionStatus {
    /// Creates the status of a connection that has just been made.
    ///
    /// `broker` appears in the log and in errors, so it must not contain a password.
    pub fn connected(broker: String) -> Self {
        tracing::info!(%broker, "connected");
        Self::new(broker, ConnectionState::Connected)
    }

    /// Creates the status of a connection whose first attempt has failed, and that is tried again.
    ///
    /// As for [`connected`](Self::connected), `broker` must not contain a password; neither must
    /// `why`.
    pub fn waiting(broker: String, why: String) -> Self {
        tracing::warn!(%broker, %why, "not connected yet; it is tried until the broker answers");
        Self::new(broker, ConnectionState::Reconnecting { attempts: 1, why })
    }

    fn new(broker: String, state: ConnectionState) -> Self {
        let is_connected = state.is_standing();
        Self {
            state: watch::Sender::new(state),
            is_connected: AtomicBool::new(is_connected),
            is_refusing: AtomicBool::new(false),
            has_connected: AtomicBool::new(is_connected),
            refusals: Arc::new(Refusals::new(broker.clone())),
            broker,
            max_message: AtomicUsize::new(usize::MAX),
        }
    }

    /// Replaces the record of refusals by one that exists already.
    #[must_use]
    pub fn with_refusals(mut self, refusals: Arc<Refusals>) -> Self {
        self.refusals = refusals;
        self
    }

    /// Returns the record of what the broker has refused.
    pub fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    /// Logs refusals that are over, and announces `Refusing` or `Connected` as the record of
    /// refusals says. Does nothing while the connection does not stand. To be called after refusals,
    /// after messages that were accepted, and from time to time.
    pub fn update_refusing(&self) {
        self.refusals.log_ended();
        match self.refusals.total() {
            Some(why) if !self.is_refusing.load(Ordering::Acquire) && self.is_connected() => {
                self.set(ConnectionState::Refusing { why });
            }
            None if self.is_refusing.load(Ordering::Acquire) && self.is_connected() => {
                self.set(ConnectionState::Connected);
            }
            Some(_) | None => {}
        }
    }

    /// Returns the longest message that the broker takes, in bytes; `usize::MAX` if it has not said
    /// so.
    pub fn max_message(&self) -> usize {
        self.max_message.load(Ordering::Relaxed)
    }

    /// Sets the longest message that the broker takes, in bytes.
    pub fn set_max_message(&self, bytes: usize) {
        self.max_message.store(bytes, Ordering::Relaxed);
    }

    /// Announces a new state.
    pub fn set(&self, state: ConnectionState) {
        let broker = &self.broker;
        match &state {
            ConnectionState::Connected if self.is_connected() => {}
            ConnectionState::Connected => tracing::info!(%broker, "connected"),
            // The record of refusals has logged it.
            ConnectionState::Refusing { .. } => {}
            ConnectionState::Reconnecting { attempts: 0, why } => {
                tracing::warn!(%broker, %why, "the connection is lost");
            }
            ConnectionState::Reconnecting { attempts, why } => {
                tracing::debug!(%broker, %why, attempts, "not connected yet");
            }
            ConnectionState::Closed => tracing::info!(%broker, "the connection has ended"),
        }
        if !state.is_standing() {
            self.refusals.clear_total();
        }
        self.is_connected.store(state.is_standing(), Ordering::Release);
        self.is_refusing.store(matches!(state, ConnectionState::Refusing { .. }), Ordering::Release);
        self.state.send_replace(state);
    }

    /// Counts a reconnect, unless it is the first connection, and announces `Connected`, in this
    /// order. Does nothing if the connection stands already, as after a move to another thread.
    pub fn announce_connected(&self, counters: &ConnectionCounters) {
        if !self.is_connected() {
            counters.reconnects(u64::from(self.has_connected.swap(true, Ordering::AcqRel)));
            self.set(ConnectionState::Connected);
        }
    }

    /// Returns the present state.
    pub fn get(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// Returns whether the connection stands: in the states `Connected` and `Refusing`.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Acquire)
    }

    /// Returns a receiver of the present state and of every later one.
    pub fn watch(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    /// Returns the broker's address, without a password.
    pub fn broker(&self) -> &str {
        &self.broker
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{MessageKind, TOTAL};

    #[test]
    fn a_connection_over_which_nothing_passes_is_not_shown_as_connected() {
        let status = ConnectionStatus::connected("test".to_owned());
        let refuse_at = |at| {
            status.refusals().refused_at("OOM", "no memory", MessageKind::Signal, None, 1, at);
            status.update_refusing();
        };
        let start = Instant::now();
        refuse_at(start);
        refuse_at(start + TOTAL / 2);
        assert_eq!(status.get(), ConnectionState::Connected);
        refuse_at(start + TOTAL);
        assert_eq!(status.get(), ConnectionState::Refusing { why: "no memory".to_owned() });
        assert!(status.is_connected() && status.get().is_standing());
        // The next broker has refused nothing yet.
        status.set(ConnectionState::Reconnecting { attempts: 0, why: "it broke".to_owned() });
        status.update_refusing();
        assert!(!status.is_connected());
        status.announce_connected(&ConnectionCounters::default());
        status.update_refusing();
        assert_eq!(status.get(), ConnectionState::Connected);
        status.refusals().accepted(MessageKind::Signal);
        status.update_refusing();
        assert_eq!(status.get(), ConnectionState::Connected);
    }
}
