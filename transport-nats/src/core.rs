//! Mode core: the broker passes messages on to present subscribers, and keeps none.

use std::{sync::Arc, time::Duration};

use async_nats::Subscriber;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use tokio::{
    sync::{Notify, broadcast::error::RecvError},
    task::unconstrained,
    time::timeout,
};
use transport_broker::{ConnectionState, count_envelopes};

use crate::{
    connection::Connection,
    echo::is_echo,
    inbox_tasks::{InboxTask, InboxTasks},
    open_request::OpenRequest,
    refusal::{self, is_about_subscriptions, names_subject},
};

/// How long the broker may take to confirm a subscription.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for an echo after a reconnect, before another one is sent.
const ECHO_TIMEOUT: Duration = Duration::from_secs(1);

/// The subscriptions of a connection in mode core.
#[derive(Debug)]
pub(crate) struct CoreSubscriptions {
    connection: Arc<Connection>,
    tasks: InboxTasks,
    /// Notified when an inbox has received an echo.
    echo: Arc<Notify>,
}

/// The subscriptions of one inbox, confirmed by the broker.
struct Confirmed {
    subscribers: Vec<Subscriber>,
    echo_subject: String,
}

impl CoreSubscriptions {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, tasks: InboxTasks::default(), echo: Arc::default() }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn tasks(&self) -> &InboxTasks {
        &self.tasks
    }

    /// Opens an inbox.
    pub(crate) async fn open(self: Arc<Self>, mut request: OpenRequest) {
        let slot = self.tasks.slot(&request.at);
        let mut task = slot.lock().await;
        let at = request.at.clone();
        let confirmed = tokio::select! {
            confirmed = self.subscribe_when_connected(&at) => confirmed,
            () = request.given_up() => Err(TransportErrorKind::Closed.into()),
        };
        match confirmed {
            Ok(confirmed) => request.answer_with(|reply| {
                let inbox = self.connection.inboxes.open_for(&at, reply)?;
                // What the old task has not taken yet is not for the new inbox.
                drop(task.take());
                *task = Some(self.spawn_task(confirmed));
                Some(inbox)
            }),
            Err(error) => request.answer(Err(error)),
        }
        drop(task);
        self.tasks.stop_if_closed(&at, &self.connection.inboxes);
    }

    /// Subscribes for an inbox that was opened over another connection, or without one, unless it
    /// is being read already.
    pub(crate) async fn take_over(self: Arc<Self>, at: Address) {
        let slot = self.tasks.slot(&at);
        let mut task = slot.lock().await;
        if task.as_ref().is_some_and(InboxTask::is_running) || !self.connection.inboxes.is_open(&at) {
            drop(task);
            self.tasks.stop_if_closed(&at, &self.connection.inboxes);
            return;
        }
        let result = loop {
            // If the connection is lost meanwhile, the echo is lost with it.
            if let Ok(result) = timeout(ECHO_TIMEOUT, self.subscribe(&at)).await {
                break result;
            }
        };
        match result {
            Ok(confirmed) => *task = Some(self.spawn_task(confirmed)),
            Err(error) if error.kind() == TransportErrorKind::Refused => self.connection.end_inbox(&at, &error),
            // The client has ended. The next connection takes the inbox over.
            Err(error) => tracing::debug!(?at, %error, "an inbox is not read yet"),
        }
        drop(task);
        self.tasks.stop_if_closed(&at, &self.connection.inboxes);
    }

    fn spawn_task(&self, confirmed: Confirmed) -> InboxTask {
        InboxTask::spawn(deliver_all(self.connection.clone(), self.echo.clone(), confirmed))
    }

    /// Waits after a reconnect until all subscriptions stand again.
    ///
    /// The client subscribes again by itself, before it sends anything else. So the first echo that
    /// comes back proves that all subscriptions stand.
    pub(crate) async fn restore(&self) {
        for attempts in 1.. {
            let received = self.echo.notified();
            tokio::pin!(received);
            received.as_mut().enable();
            let addresses = self.connection.inboxes.addresses();
            if addresses.is_empty() {
                return;
            }
            let echo = async {
                for at in addresses {
                    let subject = self.connection.subjects.echo_subject(&at);
                    // An echo that cannot be sent does not come back, which has the same effect.
                    let _ = self.connection.client.publish(subject, Vec::new().into()).await;
                }
                received.await;
            };
            if timeout(ECHO_TIMEOUT, echo).await.is_ok() {
                return;
            }
            let why = "the broker does not confirm any subscription yet".to_owned();
            self.connection.status.set(ConnectionState::Reconnecting { attempts, why });
        }
    }

    /// Subscribes for an inbox once the connection stands; again, if it is lost meanwhile.
    async fn subscribe_when_connected(&self, at: &Address) -> Result<Confirmed, TransportError> {
        loop {
            self.connection.connected().await;
            tokio::select! {
                result = timeout(CONFIRM_TIMEOUT, self.subscribe(at)) => {
                    return result.unwrap_or_else(|_| {
                        let why = "the broker does not confirm the subscription; may this user read this inbox, and publish to \
                                   itself?";
                        Err(TransportError::new(TransportErrorKind::Refused, why))
                    });
                }
                () = self.connection.lost() => {}
            }
        }
    }

    /// Subscribes for an inbox, and waits for an echo that proves it. What comes before the echo is
    /// counted as unclaimed.
    async fn subscribe(&self, at: &Address) -> Result<Confirmed, TransportError> {
        let Connection { client, subjects, counters, refusals, .. } = &*self.connection;
        let mut refusals = refusals.subscribe();
        let echo_subject = subjects.echo_subject(at);
        let patterns = subjects.inbox_patterns(at);
        let mut subscribers = Vec::with_capacity(patterns.len());
        for pattern in &patterns {
            subscribers.push(client.subscribe(pattern.clone()).await.map_err(|_| TransportErrorKind::Closed)?);
        }
        client.publish(echo_subject.clone(), Vec::new().into()).await.map_err(|_| TransportErrorKind::Closed)?;
        let mut messages = stream::select_all(&mut subscribers);
        let is_refused = |text: &str| {
            let names = |subject: &String| names_subject(text, subject);
            // Which subscription is one too many is not said. An echo proves only one of these.
            is_about_subscriptions(text) || patterns.iter().chain([&echo_subject]).any(names)
        };
        let refused = |text: Arc<str>| TransportError::new(TransportErrorKind::Refused, text.to_string());
        loop {
            tokio::select! {
                biased;
                refusal = refusals.recv() => match refusal {
                    Ok(text) if is_refused(&text) => return Err(refused(text)),
                    // If a missed one was about this inbox, the caller's timeout ends the wait.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err(TransportErrorKind::Closed.into()),
                },
                message = messages.next() => match message {
                    Some(message) if is_echo(&message, &echo_subject) => break,
                    Some(message) => counters.unclaimed(count_envelopes(&message.payload)),
                    None => return Err(TransportErrorKind::Closed.into()),
                },
            }
        }
        // What the other subscription has received before the echo does not belong to the inbox
        // either.
        while let Some(Some(message)) = messages.next().now_or_never() {
            if !is_echo(&message, &echo_subject) {
                counters.unclaimed(count_envelopes(&message.payload));
            }
        }
        drop(messages);
        refusal::pass_on().await;
        while let Ok(text) = refusals.try_recv() {
            if is_refused(&text) {
                return Err(refused(text));
            }
        }
        Ok(Confirmed { subscribers, echo_subject })
    }
}

/// Delivers messages to their inbox until the subscriptions end.
///
/// It only moves what is in this process already, on the thread that also reads the socket, so it
/// runs outside of tokio's budget: then messages of different subscriptions keep their order.
async fn deliver_all(connection: Arc<Connection>, echo: Arc<Notify>, confirmed: Confirmed) {
    let Confirmed { subscribers, echo_subject } = confirmed;
    let mut messages = stream::select_all(subscribers);
    unconstrained(async {
        while let Some(message) = messages.next().await {
            if is_echo(&message, &echo_subject) {
                echo.notify_waiters();
                continue;
            }
            let Some(subject) = connection.subjects.parse(message.subject.as_str()) else {
                connection.counters.unreadable(count_envelopes(&message.payload));
                continue;
            };
            connection.inboxes.deliver_or_drop(&subject, &message.payload);
        }
    })
    .await;
}
