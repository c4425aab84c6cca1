//! Follows the events of a connection, and announces its state.

use std::{future::Future, time::Duration};

use async_nats::{ClientError, Event, ServerError, connection::State as SocketState};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use transport_broker::ConnectionState;

use crate::{
    connection::{Connection, Events},
    optional_future::{OptionalFuture, wait_optional},
    refusal::{self, names_subject},
    subscriptions::Subscriptions,
};

/// How often the announced state is compared with the client's.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// After how many of these checks the broker is asked whether the stream is still there: each
/// second.
const CHECKS_PER_PROBE: u32 = 4;

/// After how many probes in a row without an answer JetStream is taken for gone. A single one may
/// only mean that it is busy.
const MAX_UNANSWERED: u32 = 3;

/// Follows the events of a connection, announces its state, and restores the subscriptions after
/// each reconnect of the client. Only this announces that the connection stands.
///
/// It starts once `ready` is done. It ends with the client; or when the connection has been lost
/// for too long, and then sets `given_up`.
pub(crate) async fn supervise(
    subscriptions: Subscriptions,
    mut events: Events,
    ready: impl Future<Output = ()> + Send + 'static,
    given_up: watch::Sender<bool>,
) {
    let connection = subscriptions.connection().clone();
    let mut supervisor = Supervisor {
        subscriptions,
        attempts: 0,
        lost_at: (!connection.status.is_connected()).then(Instant::now),
        restoring: Some(Box::pin(ready)),
        probing: None,
        unanswered: 0,
    };
    let mut check = interval(CHECK_INTERVAL);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checks = 0_u32;
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => supervisor.on_event(event),
                // The client is gone, and the connection with it.
                None => return,
            },
            () = wait_optional(&mut supervisor.restoring) => supervisor.on_restored(),
            is_intact = wait_optional(&mut supervisor.probing) => supervisor.on_probed(is_intact),
            _ = check.tick() => {
                // The client drops events if there are too many at once. This check does not miss
                // any.
                match connection.client.connection_state() {
                    SocketState::Connected => supervisor.on_up(),
                    _ => supervisor.on_down("it broke"),
                }
                if supervisor.is_overdue() {
                    given_up.send_replace(true);
                    return;
                }
                checks += 1;
                if checks.is_multiple_of(CHECKS_PER_PROBE) {
                    supervisor.probe();
                }
            }
        }
    }
}

struct Supervisor {
    subscriptions: Subscriptions,
    /// Failed attempts to connect since the loss.
    attempts: u32,
    /// When the connection was lost; `None` while it stands.
    lost_at: Option<Instant>,
    /// Restores the subscriptions after a reconnect.
    restoring: OptionalFuture<()>,
    /// Asks whether what the mode keeps at the broker is still there.
    probing: OptionalFuture<Option<bool>>,
    /// How many probes in a row had no answer.
    unanswered: u32,
}

impl Supervisor {
    fn on_event(&mut self, event: Event) {
        let connection = self.subscriptions.connection().clone();
        match event {
            Event::Disconnected => self.on_down("it broke"),
            Event::Connected => self.on_up(),
            Event::ClientError(ClientError::Other(why)) if !connection.status.is_connected() => {
                self.attempts = self.attempts.saturating_add(1);
                connection.status.set(ConnectionState::Reconnecting { attempts: self.attempts, why });
            }
            // The client does not say how many envelopes it has dropped with the message.
            Event::SlowConsumer(_) => connection.counters.overflowed(1),
            Event::ServerError(ServerError::Other(text)) => {
                tracing::warn!(broker = connection.status.broker(), %text, "the broker refuses something");
                self.on_refusal(&text);
                // There may be no listener.
                let _ = connection.refusals.send(text.into());
            }
            other => tracing::debug!(broker = connection.status.broker(), %other, "something happened"),
        }
    }

    fn on_refusal(&self, text: &str) {
        let connection = self.subscriptions.connection();
        if text.contains("Violation for Publish") && is_about_envelopes(connection, text) {
            let subject = refusal::subject(text).unwrap_or_default();
            connection.counters.refused(connection.publish_log.take_refused(subject));
        }
        if text.contains("Violation for Subscription") && self.restoring.is_some() {
            end_refused_inboxes(connection, text);
        }
    }

    fn on_down(&mut self, why: &str) {
        let status = &self.subscriptions.connection().status;
        if self.restoring.take().is_some() || status.is_connected() {
            self.attempts = 0;
            self.lost_at.get_or_insert_with(Instant::now);
            self.probing = None;
            status.set(ConnectionState::Reconnecting { attempts: 0, why: why.to_owned() });
        }
    }

    /// Starts to restore the subscriptions, now that the socket is connected. The state changes
    /// only once that is done.
    fn on_up(&mut self) {
        let state = self.subscriptions.connection().status.get();
        if self.restoring.is_none() && matches!(state, ConnectionState::Reconnecting { .. }) {
            let subscriptions = self.subscriptions.clone();
            self.restoring = Some(Box::pin(async move { subscriptions.restore().await }));
        }
    }

    fn on_restored(&mut self) {
        let connection = self.subscriptions.connection();
        self.lost_at = None;
        connection.status.announce_connected(&connection.counters);
    }

    /// Returns whether the connection has been lost for longer than the transport waits.
    fn is_overdue(&self) -> bool {
        let limit = self.subscriptions.connection().give_up_after;
        self.lost_at.is_some_and(|lost_at| limit.is_some_and(|limit| lost_at.elapsed() > limit))
    }

    fn probe(&mut self) {
        if self.probing.is_none() && self.subscriptions.connection().status.is_connected() {
            let subscriptions = self.subscriptions.clone();
            self.probing = Some(Box::pin(async move { subscriptions.is_intact().await }));
        }
    }

    fn on_probed(&mut self, is_intact: Option<bool>) {
        self.unanswered = if is_intact.is_none() { self.unanswered + 1 } else { 0 };
        let why = match is_intact {
            Some(false) => "what the broker kept for this network is gone",
            None if self.unanswered >= MAX_UNANSWERED => "JetStream does not answer",
            Some(true) | None => return,
        };
        self.unanswered = 0;
        if self.subscriptions.connection().status.is_connected() {
            self.on_down(why);
            self.on_up();
        }
    }
}

/// Ends the inboxes that a refusal is about. The others go on.
fn end_refused_inboxes(connection: &Connection, text: &str) {
    for at in connection.inboxes.addresses() {
        if connection.subjects.inbox_patterns(&at).iter().any(|pattern| names_subject(text, pattern)) {
            connection.end_inbox(&at, &text);
        }
    }
}

/// Returns whether a refusal is about envelopes; not so for echoes and requests to the broker.
fn is_about_envelopes(connection: &Connection, text: &str) -> bool {
    let subject = refusal::subject(text).and_then(|subject| connection.subjects.parse(subject));
    subject.is_some_and(|subject| subject.target != subject.source)
}
