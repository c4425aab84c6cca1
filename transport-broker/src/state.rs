//! Whether a connection stands.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The state of a connection to a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It stands, and all inboxes of this process are subscribed.
    Connected,
    /// It has been lost, and is being made again. What is sent meanwhile does not arrive.
    Reconnecting {
        /// Attempts since it was lost.
        attempts: u32,
        /// Why it was lost, or why the last attempt failed.
        why: String,
    },
    /// It has ended, because the transport was dropped or has given up, and is not made again.
    Closed,
}

/// Where the state is told, to whoever watches and to the log.
#[derive(Debug)]
pub struct ConnectionStatus {
    state: watch::Sender<ConnectionState>,
    /// What is asked for each message.
    is_connected: AtomicBool,
    /// The broker, without a password.
    broker: String,
}

impl ConnectionStatus {
    /// A connection to `broker`, a text without a password, that has just been made.
    pub fn connected(broker: String) -> Self {
        tracing::info!(%broker, "connected");
        Self { state: watch::Sender::new(ConnectionState::Connected), is_connected: AtomicBool::new(true), broker }
    }

    /// Tells a new state.
    pub fn set(&self, state: ConnectionState) {
        let broker = &self.broker;
        match &state {
            ConnectionState::Connected => tracing::info!(%broker, "connected again"),
            ConnectionState::Reconnecting { attempts: 0, why } => {
                tracing::warn!(%broker, %why, "the connection is lost")
            }
            ConnectionState::Reconnecting { attempts, why } => {
                tracing::debug!(%broker, %why, attempts, "not connected yet")
            }
            ConnectionState::Closed => tracing::info!(%broker, "the connection has ended"),
        }
        self.is_connected.store(state == ConnectionState::Connected, Ordering::Release);
        self.state.send_replace(state);
    }

    /// The present state.
    pub fn get(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Acquire)
    }

    /// All states from now on.
    pub fn watch(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    /// The broker, without a password.
    pub fn broker(&self) -> &str {
        &self.broker
    }
}
