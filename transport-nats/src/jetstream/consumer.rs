//! Reads one inbox from the stream.

use std::{sync::Arc, time::Duration};

use async_nats::{Message, Subject, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use transport_broker::{DeliveryOutcome, count_envelopes};

use super::{
    consumer_config::{
        self, ConsumerStatus, CreatedConsumer, acknowledged_through, parse_ack_subject, unreachable, wait_refused,
    },
    position::{ReadPosition, SharedPosition},
    stream::{NetworkStream, StreamGeneration},
};
use crate::{broker_clock::BrokerClock, echo::is_echo, inbox_tasks::InboxTask, refusal};

/// How long the broker may take to open an inbox.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before another attempt to make a consumer.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How many more attempts there are before the caller gets an error. Together they take longer than
/// it takes to notice that the stream is gone.
const MAX_RETRIES: u32 = 6;

/// After how many messages the broker gets an acknowledgement, if there is no pause before. Far
/// fewer than may be unacknowledged, so that the broker never waits for one.
const ACK_INTERVAL: usize = 64;

/// After what silence the consumer is looked for: it may have been removed.
const SILENCE: Duration = Duration::from_secs(5);

/// Reads one inbox from the stream. The broker delivers to a subject of its own, and gets
/// acknowledgements.
#[derive(Debug)]
pub(super) struct Consumer {
    stream: Arc<NetworkStream>,
    at: Address,
    echo_subject: String,
    generations: watch::Receiver<StreamGeneration>,
    position: SharedPosition,
    messages: Subscriber,
    /// The subject that the broker delivers to.
    deliver_subject: String,
    clock: BrokerClock,
    /// Where to acknowledge the last message, and how many messages that covers; `None` if all are
    /// acknowledged.
    unacknowledged: Option<(Subject, usize)>,
}

impl Consumer {
    /// Makes a consumer as soon as the connection stands; again, if it is lost meanwhile. Stops the
    /// inbox's previous task.
    pub(super) async fn open(
        stream: Arc<NetworkStream>,
        at: &Address,
        previous: &mut Option<InboxTask>,
    ) -> Result<Self, TransportError> {
        let connection = stream.connection.clone();
        let mut retries = 0;
        loop {
            connection.connected().await;
            tokio::select! {
                result = timeout(OPEN_TIMEOUT, Self::try_open(stream.clone(), at, previous, None)) => match result {
                    // The broker may just have lost its stream, which is noticed within a second.
                    Ok(Err(error)) if error.kind() == TransportErrorKind::Unreachable && retries < MAX_RETRIES => {
                        retries += 1;
                        sleep(RETRY_PAUSE).await;
                    }
                    Ok(result) => return result,
                    Err(_) => {
                        let why = "the broker does not let the inbox be read; may this user use JetStream, and publish to itself?";
                        return Err(TransportError::new(TransportErrorKind::Refused, why));
                    }
                },
                () = connection.lost() => {}
            }
        }
    }

    /// Makes a consumer for an inbox that was opened over another connection. It tries until it
    /// succeeds or is refused.
    pub(super) async fn take_over(stream: Arc<NetworkStream>, at: &Address) -> Result<Self, TransportError> {
        loop {
            let position = stream.known_positions.get(at);
            match timeout(OPEN_TIMEOUT, Self::try_open(stream.clone(), at, &mut None, position)).await {
                Ok(Err(error)) if error.kind() != TransportErrorKind::Refused => {
                    tracing::warn!(?at, error = ?error, "an inbox is not read yet");
                    sleep(RETRY_PAUSE).await;
                }
                Ok(result) => return result,
                Err(_) => tracing::warn!(?at, "an inbox is not read yet, the broker does not answer"),
            }
        }
    }

    /// Makes one attempt, to go on from a position if there is one.
    async fn try_open(
        stream: Arc<NetworkStream>,
        at: &Address,
        previous: &mut Option<InboxTask>,
        position: Option<SharedPosition>,
    ) -> Result<Self, TransportError> {
        let connection = &stream.connection;
        let mut generations = stream.generations();
        let created = generations.borrow_and_update().created;
        let echo_subject = connection.subjects.echo_subject(at);
        let refused = wait_refused(connection, at);
        // Everything sent before the inbox opens lies before this echo in the stream.
        let publish_echo = async {
            let published = stream.context.publish(echo_subject.clone(), Vec::new().into()).await;
            let acknowledged = published.map_err(unreachable)?.await.map_err(unreachable)?;
            Ok::<_, TransportError>(acknowledged.sequence)
        };
        let opening = async {
            let echo = publish_echo.await?;
            // From here on the previous task must not acknowledge anything: the broker would take
            // it for an acknowledgement of the new consumer.
            drop(previous.take());
            let position = match position {
                Some(position) => position,
                None => {
                    let is_first = stream.known_positions.get(at).is_none();
                    let before = acknowledged_through(&stream, at).await?.filter(|_| is_first);
                    SharedPosition::new(ReadPosition::new(created, before.unwrap_or(echo)))
                }
            };
            let consumer = consumer_config::create(&stream, at, position.rewind_if_new(created)).await?;
            refusal::pass_on().await;
            Ok::<_, TransportError>((position, consumer))
        };
        let (position, consumer) = tokio::select! {
            biased;
            text = refused => return Err(TransportError::new(TransportErrorKind::Refused, text)),
            result = opening => result?,
        };
        let CreatedConsumer { messages, deliver_subject, clock } = consumer;
        let at = at.clone();
        Ok(Self {
            stream,
            at,
            echo_subject,
            generations,
            position,
            messages,
            deliver_subject,
            clock,
            unacknowledged: None,
        })
    }

    /// Returns how far it has read, now and later.
    pub(super) fn position(&self) -> SharedPosition {
        self.position.clone()
    }

    /// Delivers messages to the inbox, one after the other, and waits while it is full. Messages
    /// beyond the unacknowledged ones wait at the broker. Ends with the client or the inbox.
    pub(super) async fn run(mut self) {
        loop {
            if self.generations.has_changed().unwrap_or(false) && !self.recreate().await {
                return;
            }
            let message = match self.messages.next().now_or_never() {
                Some(message) => message,
                None => {
                    self.acknowledge().await;
                    tokio::select! {
                        biased;
                        _ = self.generations.changed() => {
                            self.generations.mark_changed();
                            continue;
                        }
                        message = self.messages.next() => message,
                        () = sleep(SILENCE) => {
                            // Without a connection, silence is to be expected.
                            if self.stream.connection.status.is_connected() && !self.check_silence().await {
                                return;
                            }
                            continue;
                        }
                    }
                }
            };
            // Without a message, the client is gone.
            let Some(message) = message else { return };
            self.on_message(message).await;
            if self.unacknowledged.as_ref().is_some_and(|(_, count)| *count >= ACK_INTERVAL) {
                self.acknowledge().await;
            }
        }
    }

    /// Finds out why the broker delivers nothing, not even heartbeats, and returns whether the
    /// inbox is still this process's.
    ///
    /// A consumer that was removed is made anew. If another process has replaced it, the inbox
    /// belongs to that process, and ends here.
    async fn check_silence(&mut self) -> bool {
        match consumer_config::status(&self.stream, &self.at, &self.deliver_subject).await {
            ConsumerStatus::Present => true,
            ConsumerStatus::Replaced => {
                tracing::error!(at = ?self.at, "another process reads this inbox now; it ends here");
                self.stream.connection.inboxes.close(&self.at);
                false
            }
            ConsumerStatus::Removed => {
                tracing::warn!(at = ?self.at, "the consumer is gone; it is made anew");
                self.recreate().await
            }
        }
    }

    /// Delivers one message.
    async fn on_message(&mut self, message: Message) {
        let Some((number, sent)) = message.reply.as_deref().and_then(parse_ack_subject) else { return };
        let connection = self.stream.connection.clone();
        let counters = &connection.counters;
        let subject = connection.subjects.parse(message.subject.as_str());
        let now = Instant::now();
        let lifetime = self.stream.lifetime().as_nanos().cast_signed();
        let age = self.clock.measure_age(sent, now);
        let is_expired = age > lifetime;
        if is_echo(&message, &self.echo_subject) {
            self.clock.on_echo(sent);
        } else if self.clock.start_check(age, lifetime, now) {
            // If it does not come back, another echo is sent later.
            let _ = connection.client.publish(self.echo_subject.clone(), Vec::new().into()).await;
        }
        let skip = self.position.frames_delivered(number);
        match subject {
            _ if is_echo(&message, &self.echo_subject) => {}
            None => counters.unreadable(count_envelopes(&message.payload)),
            // The filter lets through what is for the controller of the neuron's name.
            Some(subject) if !subject.kind.is_for(&self.at) => {}
            Some(_) if is_expired => {
                counters.expired(count_envelopes(&message.payload).saturating_sub(skip as u64));
            }
            Some(subject) => {
                let inboxes = &connection.inboxes;
                let mut outcome = inboxes.deliver(&subject, &message.payload, skip);
                while let DeliveryOutcome::Full(rest) = outcome {
                    self.position.set_partial(number, rest.frames_delivered());
                    self.acknowledge().await;
                    tokio::select! {
                        more = inboxes.resume(rest) => outcome = more,
                        // The new consumer delivers the message again.
                        _ = self.generations.changed() => {
                            self.generations.mark_changed();
                            return;
                        }
                    }
                }
                if matches!(outcome, DeliveryOutcome::NoInbox) {
                    // The host is stopping. The message is left to the next one.
                    return;
                }
            }
        }
        self.position.advance(number);
        let count = self.unacknowledged.as_ref().map_or(0, |(_, count)| *count);
        self.unacknowledged = message.reply.map(|reply| (reply, count + 1));
    }

    /// Acknowledges all messages that have been delivered.
    async fn acknowledge(&mut self) {
        if let Some((reply, _)) = self.unacknowledged.take() {
            // A lost one is made up for by the next one; after a reconnect, by where the new
            // consumer begins.
            let _ = self.stream.connection.client.publish(reply, Vec::new().into()).await;
        }
    }

    /// Makes the consumer anew, to go on from the position of this one, and returns whether it
    /// could.
    ///
    /// With the connection, messages on their way may have been lost; with the broker, the
    /// consumer. If the broker does not permit a new one, the inbox ends.
    async fn recreate(&mut self) -> bool {
        self.unacknowledged = None;
        let connection = self.stream.connection.clone();
        let refused = wait_refused(&connection, &self.at);
        tokio::pin!(refused);
        loop {
            let generation = *self.generations.borrow_and_update();
            let last = self.position.rewind_if_new(generation.created);
            let created = tokio::select! {
                created = timeout(OPEN_TIMEOUT, consumer_config::create(&self.stream, &self.at, last)) => created,
                text = &mut refused => {
                    connection.end_inbox(&self.at, &text);
                    return false;
                }
            };
            match created {
                Ok(Ok(created)) => {
                    self.messages = created.messages;
                    self.deliver_subject = created.deliver_subject;
                    self.clock = created.clock;
                    self.stream.report_resumed(generation);
                    return true;
                }
                Ok(Err(error)) => {
                    tracing::warn!(at = ?self.at, error = ?error, "an inbox is not read yet");
                    sleep(RETRY_PAUSE).await;
                }
                Err(_) => tracing::warn!(at = ?self.at, "an inbox is not read yet, the broker does not answer"),
            }
        }
    }
}
