//! Mode core: subjects, and subscribers that are there or are not.

use std::{sync::Arc, time::Duration};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use tokio::{
    sync::{Notify, broadcast::error::RecvError},
    task::unconstrained,
    time::timeout,
};
use transport_broker::{ConnectionState, envelopes};

use crate::{
    connection::Connection,
    reader::{Asking, Reader, Readers},
};

/// How long the broker may take to confirm a subscription.
const CONFIRMING: Duration = Duration::from_secs(5);

/// How long to wait for what confirms subscriptions after a reconnect, before it is sent again.
const ECHO: Duration = Duration::from_secs(1);

/// A connection in mode core.
#[derive(Debug)]
pub(crate) struct Core {
    connection: Arc<Connection>,
    readers: Readers,
    /// Tells that an inbox has heard itself.
    echo: Arc<Notify>,
}

/// What has been subscribed to for an inbox, confirmed by the broker.
struct Subscribed {
    subscribers: Vec<Subscriber>,
    own: String,
}

impl Core {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, readers: Readers::default(), echo: Arc::default() }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Opens an inbox.
    pub(crate) async fn subscribe(self: Arc<Self>, mut asking: Asking) {
        let (core, place) = (&self, self.readers.place(&asking.at));
        let mut reader = place.lock().await;
        let at = asking.at.clone();
        let confirmed = tokio::select! {
            confirmed = core.confirmed(&at) => confirmed,
            () = asking.given_up() => Err(TransportErrorKind::Closed.into()),
        };
        asking.answer(confirmed.map(|subscribed| {
            // What the old subscription has brought and its reader has not taken yet is not for the new inbox.
            drop(reader.take());
            let inbox = core.connection.inboxes.open(&at);
            *reader = Some(core.reader(subscribed));
            inbox
        }));
        drop(reader);
        self.readers.tidy(&at, &self.connection.inboxes);
    }

    fn reader(&self, subscribed: Subscribed) -> Reader {
        Reader::spawn(read(self.connection.clone(), self.echo.clone(), subscribed))
    }

    /// Goes on with an inbox that was opened over another connection.
    pub(crate) async fn take_over(self: Arc<Self>, at: Address) {
        let place = self.readers.place(&at);
        let mut reader = place.lock().await;
        let subscribed = loop {
            // If the connection is lost meanwhile, so is what confirms it.
            if let Ok(result) = timeout(ECHO, self.try_subscribe(&at)).await {
                break result;
            }
        };
        match subscribed {
            Ok(subscribed) => *reader = Some(self.reader(subscribed)),
            Err(error) => self.connection.ends(&at, &error),
        }
        drop(reader);
        self.readers.tidy(&at, &self.connection.inboxes);
    }

    pub(crate) fn dropped(&self, at: &Address) {
        self.readers.end(at);
    }

    /// The client has subscribed again, in the order of its socket, before anything else. So what an inbox sends to itself comes
    /// back only once all subscriptions stand.
    pub(crate) async fn restore(&self) {
        for attempts in 1.. {
            let heard = self.echo.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            let addresses = self.connection.inboxes.addresses();
            if addresses.is_empty() {
                return;
            }
            let speak = async {
                for at in addresses {
                    let own = self.connection.subjects.own(&at);
                    // If it is not sent, it is not heard.
                    let _ = self.connection.client.publish(own, Vec::new().into()).await;
                }
                heard.await;
            };
            if timeout(ECHO, speak).await.is_ok() {
                return;
            }
            let why = "the broker does not confirm any subscription yet".to_owned();
            self.connection.status.set(ConnectionState::Reconnecting { attempts, why });
        }
    }

    /// Subscribes, and waits until the broker has confirmed it; again, if the connection is lost meanwhile.
    async fn confirmed(&self, at: &Address) -> Result<Subscribed, TransportError> {
        loop {
            self.connection.connected().await;
            tokio::select! {
                result = timeout(CONFIRMING, self.try_subscribe(at)) => {
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

    /// Subscribing has no answer, and neither has a flush. But what is published after it, to the same inbox, comes back.
    async fn try_subscribe(&self, at: &Address) -> Result<Subscribed, TransportError> {
        let Connection { client, subjects, counters, refusals, .. } = &*self.connection;
        let mut refusals = refusals.subscribe();
        let (own, patterns) = (subjects.own(at), subjects.patterns(at));
        let mut subscribers = Vec::with_capacity(patterns.len());
        for pattern in &patterns {
            subscribers.push(client.subscribe(pattern.clone()).await.map_err(|_| TransportErrorKind::Closed)?);
        }
        client.publish(own.clone(), Vec::new().into()).await.map_err(|_| TransportErrorKind::Closed)?;
        let mut both = stream::select_all(&mut subscribers);
        loop {
            tokio::select! {
                biased;
                refusal = refusals.recv() => {
                    let text = match refusal {
                        Ok(text) => text,
                        // Those that were missed may have been about others; if not, the time runs out.
                        Err(RecvError::Lagged(_)) => continue,
                        Err(RecvError::Closed) => return Err(TransportErrorKind::Closed.into()),
                    };
                    if patterns.iter().chain([&own]).any(|subject| names(&text, subject)) {
                        return Err(TransportError::new(TransportErrorKind::Refused, text.to_string()));
                    }
                }
                message = both.next() => match message {
                    Some(message) if is_echo(&message, &own) => break,
                    Some(message) => counters.unclaimed(envelopes(&message.payload)),
                    None => return Err(TransportErrorKind::Closed.into()),
                },
            }
        }
        // What came before belongs to nobody, on whichever of the subscriptions.
        while let Some(Some(message)) = both.next().now_or_never() {
            if !is_echo(&message, &own) {
                counters.unclaimed(envelopes(&message.payload));
            }
        }
        drop(both);
        Ok(Subscribed { subscribers, own })
    }
}

/// Whether the broker speaks of this subject, and not of one that begins or ends with it.
pub(crate) fn names(text: &str, subject: &str) -> bool {
    text.contains(&format!("\"{subject}\""))
}

/// Whether it is what an inbox has sent to itself.
pub(crate) fn is_echo(message: &Message, own: &str) -> bool {
    message.payload.is_empty() && message.subject.as_str() == own
}

/// Brings messages to their inbox for as long as there are any.
///
/// It only moves what is already here, on the thread that also reads the socket, so it may finish without giving way to others:
/// then what came first is also in its inbox first.
async fn read(connection: Arc<Connection>, echo: Arc<Notify>, subscribed: Subscribed) {
    let Subscribed { subscribers, own } = subscribed;
    let mut messages = stream::select_all(subscribers);
    unconstrained(async {
        while let Some(message) = messages.next().await {
            if is_echo(&message, &own) {
                echo.notify_waiters();
                continue;
            }
            let Some(parsed) = connection.subjects.parse(message.subject.as_str()) else {
                connection.counters.unreadable(envelopes(&message.payload));
                continue;
            };
            connection.inboxes.deliver_or_drop(&parsed, &message.payload);
        }
    })
    .await;
}
