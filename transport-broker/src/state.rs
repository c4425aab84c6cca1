//! The state of a connection, and how it is announced.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::ConnectionCounters;

/// The state of a transport's connection to its broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The connection stands, and the inboxes of this process are subscribed. One that was opened
    /// while there was none may take a moment longer.
    Connected,
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

/// Announces the state of a connection to its watchers and to the log.
#[derive(Debug)]
pub struct ConnectionStatus {
    state: watch::Sender<ConnectionState>,
    /// Mirrors `state`: read for each envelope that is sent, so it must not cost a lock.
    is_connected: AtomicBool,
    /// The connection has stood before.
    has_connected: AtomicBool,
    /// The broker's address, without a password.
    broker: String,
}

impl ConnectionStatus {
    /// Creates the status of a connection that has just been made.
    ///
    /// `broker` appears in the log and in errors, so it must not contain a password.
    pub fn connected(broker: String) -> Self {
        tracing::info!(%broker, "connected");
        let state = watch::Sender::new(ConnectionState::Connected);
        Self { state, is_connected: AtomicBool::new(true), has_connected: AtomicBool::new(true), broker }
    }

    /// Creates the status of a connection whose first attempt has failed, and that is tried again.
    ///
    /// As for [`connected`](Self::connected), `broker` must not contain a password; neither must
    /// `why`.
    pub fn waiting(broker: String, why: String) -> Self {
        tracing::warn!(%broker, %why, "not connected yet; it is tried until the broker answers");
        let state = ConnectionState::Reconnecting { attempts: 1, why };
        let state = watch::Sender::new(state);
        Self { state, is_connected: AtomicBool::new(false), has_connected: AtomicBool::new(false), broker }
    }

    /// Announces a new state.
    pub fn set(&self, state: ConnectionState) {
        let broker = &self.broker;
        match &state {
            ConnectionState::Connected => tracing::info!(%broker, "connected"),
            ConnectionState::Reconnecting { attempts: 0, why } => {
                tracing::warn!(%broker, %why, "the connection is lost");
            }
            ConnectionState::Reconnecting { attempts, why } => {
                tracing::debug!(%broker, %why, attempts, "not connected yet");
            }
            ConnectionState::Closed => tracing::info!(%broker, "the connection has ended"),
        }
        self.is_connected.store(state == ConnectionState::Connected, Ordering::Release);
        self.state.send_replace(state);
    }

    /// Counts a reconnect, unless it is the first connection, and announces `Connected`, in this
    /// order. Does nothing if the state is `Connected` already, as after a move to another thread.
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

    /// Returns whether the state is `Connected`.
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
