//! Whether a connection stands.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The state of a connection to a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
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
pub struct Status {
    state: watch::Sender<State>,
    /// What is asked for each message.
    is_connected: AtomicBool,
    /// The broker, without a password.
    broker: String,
}

impl Status {
    /// A connection to `broker`, a text without a password, that has just been made.
    pub fn connected(broker: String) -> Self {
        tracing::info!(%broker, "connected");
        Self { state: watch::Sender::new(State::Connected), is_connected: AtomicBool::new(true), broker }
    }

    /// Tells a new state.
    pub fn set(&self, state: State) {
        let broker = &self.broker;
        match &state {
            State::Connected => tracing::info!(%broker, "connected again"),
            State::Reconnecting { attempts: 0, why } => tracing::warn!(%broker, %why, "the connection is lost"),
            State::Reconnecting { attempts, why } => tracing::debug!(%broker, %why, attempts, "not connected yet"),
            State::Closed => tracing::info!(%broker, "the connection has ended"),
        }
        self.is_connected.store(state == State::Connected, Ordering::Release);
        self.state.send_replace(state);
    }

    /// The present state.
    pub fn get(&self) -> State {
        self.state.borrow().clone()
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Acquire)
    }

    /// All states from now on.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The broker, without a password.
    pub fn broker(&self) -> &str {
        &self.broker
    }
}
