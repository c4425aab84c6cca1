//! Follows the events of a connection, and announces its state.

use std::{collections::HashSet, future::Future, time::Duration};

use async_nats::{ClientError, Event, ServerError, connection::State as SocketState};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use transport_broker::{ConnectionState, MAX_PAUSE, ParsedSubject};

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

/// How many different refusals are logged, other than those of messages.
const MAX_TOLD: usize = 64;

/// The pause before all subscriptions are made anew, if the broker has refused some without saying
/// which.
const RESUBSCRIBE_PAUSE: Duration = MAX_PAUSE;

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
        told: HashSet::new(),
        unsubscribed_since: None,
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
                supervisor.count_overdue();
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
    /// The refusals that were logged, other than those of messages.
    told: HashSet<String>,
    /// When the broker refused subscriptions without saying which, so that it is not known which
    /// inboxes are read; `None` if all stand, or are being restored.
    unsubscribed_since: Option<Instant>,
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
                self.on_refusal(&text);
                // There may be no listener.
                let _ = connection.refusals.send(text.into());
            }
            other => tracing::debug!(broker = connection.status.broker(), %other, "something happened"),
        }
    }

    fn on_refusal(&mut self, text: &str) {
        let connection = self.subscriptions.connection().clone();
        if text.contains("Violation for Publish")
            && let Some(subject) = refused_envelopes(&connection, text)
        {
            let in_log = || connection.publish_log.take_refused(refusal::subject(text).unwrap_or_default());
            let count = connection.acks.take_refused(&subject).unwrap_or_else(in_log);
            connection.counters.refused(count);
            connection.status.refusals().refused("permissions", text, subject.kind, subject.address(), count);
            return connection.status.update_refusing();
        }
        if self.told.len() < MAX_TOLD && self.told.insert(text.to_owned()) {
            tracing::warn!(broker = connection.status.broker(), %text, "the broker refuses something");
        }
        if text.contains("Violation for Subscription") && self.restoring.is_some() {
            end_refused_inboxes(&connection, text);
        }
        if refusal::is_about_subscriptions(text) && self.restoring.is_some() {
            self.on_unsubscribed(text);
        }
    }

    /// Gives up restoring the subscriptions, because not all of them stand. All are made anew after
    /// a while.
    fn on_unsubscribed(&mut self, why: &str) {
        self.restoring = None;
        self.attempts = self.attempts.saturating_add(1);
        self.lost_at.get_or_insert_with(Instant::now);
        self.unsubscribed_since = Some(Instant::now());
        let state = ConnectionState::Reconnecting { attempts: self.attempts, why: why.to_owned() };
        self.subscriptions.connection().status.set(state);
    }

    fn on_down(&mut self, why: &str) {
        let status = &self.subscriptions.connection().status;
        self.unsubscribed_since = None;
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
        if let Some(since) = self.unsubscribed_since {
            if since.elapsed() < RESUBSCRIBE_PAUSE {
                return;
            }
            // Until the client says that it has left the connection.
            self.unsubscribed_since = Some(Instant::now());
            let client = self.subscriptions.connection().client.clone();
            // The client subscribes again by itself. If it has ended, that is noticed elsewhere.
            tokio::spawn(async move { client.force_reconnect().await });
            return;
        }
        if self.restoring.is_none() && matches!(state, ConnectionState::Reconnecting { .. }) {
            let subscriptions = self.subscriptions.clone();
            self.restoring = Some(Box::pin(async move { subscriptions.restore().await }));
        }
    }

    fn on_restored(&mut self) {
        let connection = self.subscriptions.connection();
        connection.status.set_max_message(connection.client.max_payload());
        self.lost_at = None;
        connection.status.announce_connected(&connection.counters);
    }

    /// Counts messages whose acknowledgements have not come, and updates whether the broker refuses
    /// everything.
    fn count_overdue(&self) {
        let connection = self.subscriptions.connection();
        connection.counters.unsent(connection.acks.take_overdue(std::time::Instant::now()));
        connection.status.update_refusing();
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

/// Returns the subject of a refusal that is about envelopes; `None` for echoes and requests to the
/// broker.
fn refused_envelopes<'a>(connection: &Connection, text: &'a str) -> Option<ParsedSubject<'a>> {
    let subject = refusal::subject(text).and_then(|subject| connection.subjects.parse(subject));
    subject.filter(|subject| subject.target != subject.source)
}
