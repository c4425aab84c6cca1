//! Publishes messages in order, and counts what becomes of them.

use std::{future::Future, sync::Arc};

use async_nats::client::{PublishError, PublishErrorKind};
use transport_broker::{ConnectionCounters, OutgoingMessage};

use crate::{accepted_rounds::AcceptedRounds, connection::Connection, publish_acks::PublishAcks};

/// What the client was given and is not counted yet.
pub(crate) struct Publisher {
    counters: Arc<ConnectionCounters>,
    /// How many envelopes the client was given that may not have left, without those that wait for
    /// an acknowledgement.
    unconfirmed: u64,
    /// What the broker has accepted since it refused something. For mode core.
    rounds: AcceptedRounds,
    /// The messages that wait for their acknowledgements. For mode JetStream.
    acks: Arc<PublishAcks>,
}

impl Publisher {
    pub(crate) fn new(counters: Arc<ConnectionCounters>) -> Self {
        Self { counters, unconfirmed: 0, rounds: AcceptedRounds::default(), acks: Arc::default() }
    }

    /// Returns the messages that wait for their acknowledgements.
    pub(crate) fn acks(&self) -> &Arc<PublishAcks> {
        &self.acks
    }

    /// Returns how many envelopes the client was given that may not have left, without those that
    /// wait for an acknowledgement.
    pub(crate) fn unconfirmed(&self) -> u64 {
        self.unconfirmed
    }

    /// Counts envelopes as sent that the client was given and that have left.
    pub(crate) fn confirm(&mut self, count: u64, connection: &Connection) {
        self.unconfirmed -= count;
        self.counters.sent(count);
        self.rounds.end_round(connection.status.refusals());
    }

    /// Counts envelopes as unsent that the client was given and that may not have left, or have not
    /// been acknowledged.
    pub(crate) fn count_unconfirmed(&mut self) {
        self.counters.unsent(std::mem::take(&mut self.unconfirmed) + self.acks.take_all());
    }

    /// Gives a message to the client, which writes it to the socket together with its neighbours.
    /// Its envelopes are counted once it is known what has become of them.
    pub(crate) async fn publish(&mut self, connection: &Connection, message: OutgoingMessage) {
        let count = message.envelopes as u64;
        if !connection.status.is_connected() {
            return self.counters.unsent(count);
        }
        let OutgoingMessage { route, subject, payload, envelopes } = message;
        let length = payload.len();
        let payload = payload.into();
        let is_refusing = connection.status.refusals().is_active();
        // Noted before the await: if the runtime ends meanwhile, it may have left.
        let asking = connection.ack_inbox.as_ref();
        let asking = asking.and_then(|inbox| Some((inbox, self.acks.record(&route, count, is_refusing)?)));
        let published = match asking {
            Some((inbox, number)) => {
                let publishing = connection.client.publish_with_reply(subject, format!("{inbox}{number}"), payload);
                let published = unless_lost(connection, publishing).await;
                if published.is_err() {
                    self.acks.settle(number);
                }
                published
            }
            None => {
                connection.publish_log.record(&subject, envelopes);
                self.rounds.note(&route, connection.status.refusals());
                self.unconfirmed += count;
                let published = unless_lost(connection, connection.client.publish(subject, payload)).await;
                if published.is_err() {
                    self.unconfirmed -= count;
                }
                published
            }
        };
        match published {
            Ok(()) => {}
            Err(None) => self.counters.unsent(count),
            Err(Some(error)) => {
                self.counters.refused(count);
                let reason = format!("a message of {length} bytes: {error}");
                connection.status.refusals().refused("client", &reason, route.kind(), Some(route.target()), count);
            }
        }
    }
}

/// Waits until the client has taken a message. `Err(None)` means that there is no connection,
/// another error that the client does not send such a message.
async fn unless_lost(
    connection: &Connection,
    publishing: impl Future<Output = Result<(), PublishError>>,
) -> Result<(), Option<PublishError>> {
    tokio::select! {
        biased;
        result = publishing => {
            result.map_err(|error| if error.kind() == PublishErrorKind::Send { None } else { Some(error) })
        }
        // The client takes no more messages while it has no connection.
        () = connection.lost() => Err(None),
    }
}
