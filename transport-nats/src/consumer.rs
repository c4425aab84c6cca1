//! Reading an inbox from the stream.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::{
    Message, Subject, Subscriber,
    jetstream::{
        ErrorCode,
        consumer::{AckPolicy, DeliverPolicy, push},
        stream::ConsumerErrorKind,
    },
};
use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    time::{Instant, sleep, timeout},
};
use transport_broker::{DeliveryOutcome, MessageKind, envelopes};

use crate::{
    clock::Clock,
    connection::Connection,
    core::{is_echo, names},
    jetstream::{Epoch, JetStream, Position},
    reader::Reader,
};

/// How long the broker may take to open an inbox.
const OPENING: Duration = Duration::from_secs(5);

/// How long to wait after the broker did not let an inbox be read again.
const AGAIN: Duration = Duration::from_millis(500);

/// How often that is tried before whoever wants an inbox is told of it. It takes longer than a stream that is gone is missed.
const ATTEMPTS: u32 = 6;

/// How many messages are on their way to an inbox, or wait for room in it; all others wait at the broker.
const UNDER_WAY: i64 = 1024;

/// After how many messages the broker is told that they have been taken, if there is no pause before. Far fewer than are under
/// way, so that the broker never has to wait for it.
const TOLD: usize = 64;

/// How long the broker waits to be told. It must not send anything a second time, so this is longer than any inbox stays full.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the broker tells a reader to whom it has nothing to bring that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// After what silence a reader takes its consumer for lost: the broker may have been told to remove it.
const SILENCE: Duration = Duration::from_secs(5);

/// How long the broker knows how far an inbox that nobody reads has come.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// What reads one inbox. The broker pushes to a subject of its own, and is told what has been taken.
#[derive(Debug)]
pub(crate) struct Consumer {
    stream: Arc<JetStream>,
    at: Address,
    own: String,
    epochs: watch::Receiver<Epoch>,
    epoch: Epoch,
    /// How far it has been read.
    position: Arc<Mutex<Position>>,
    messages: Subscriber,
    /// Where the broker pushes them to.
    deliver: String,
    clock: Clock,
    /// Where to tell that the last message has been taken, and how many have been that the broker was not told of.
    untold: Option<(Subject, usize)>,
}

impl Consumer {
    /// Opens it, as soon as there is a connection; again, if that is lost meanwhile. The reader before it is ended.
    pub(crate) async fn open(
        stream: Arc<JetStream>,
        at: &Address,
        before: &mut Option<Reader>,
    ) -> Result<Self, TransportError> {
        let connection = stream.connection().clone();
        let mut attempts = 0;
        loop {
            connection.connected().await;
            tokio::select! {
                result = timeout(OPENING, Self::try_open(stream.clone(), at, before, None)) => match result {
                    // The broker may just have lost its stream. That is noticed within a second.
                    Ok(Err(error)) if error.kind() == TransportErrorKind::Unreachable && attempts < ATTEMPTS => {
                        attempts += 1;
                        sleep(AGAIN).await;
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

    /// Opens it for an inbox that was opened over another connection; again and again, until that succeeds or is refused.
    pub(crate) async fn take_over(stream: Arc<JetStream>, at: &Address) -> Result<Self, TransportError> {
        loop {
            let position = stream.known.position(at);
            match timeout(OPENING, Self::try_open(stream.clone(), at, &mut None, position)).await {
                Ok(Err(error)) if error.kind() != TransportErrorKind::Refused => {
                    tracing::warn!(?at, error = ?error, "an inbox is not read yet");
                    sleep(AGAIN).await;
                }
                Ok(result) => return result,
                Err(_) => tracing::warn!(?at, "an inbox is not read yet, the broker does not answer"),
            }
        }
    }

    /// Opens it once, to read on from a position if there is one.
    async fn try_open(
        stream: Arc<JetStream>,
        at: &Address,
        before: &mut Option<Reader>,
        position: Option<Arc<Mutex<Position>>>,
    ) -> Result<Self, TransportError> {
        let connection = stream.connection();
        let mut epochs = stream.epoch.subscribe();
        let epoch = *epochs.borrow_and_update();
        let own = connection.subjects.own(at);
        let refused = refused(connection, at);
        // What has been sent before is in the stream before this.
        let mark = async {
            let published = stream.context.publish(own.clone(), Vec::new().into()).await.map_err(unreachable)?;
            Ok::<_, TransportError>(published.await.map_err(unreachable)?.sequence)
        };
        let opening = async {
            let mark = mark.await?;
            // From here on it must not tell the broker anything: that would be taken for something the new one says.
            drop(before.take());
            let position = match position {
                Some(position) => position,
                None => {
                    let before = Self::read_before(&stream, at).await?.filter(|_| stream.known.position(at).is_none());
                    Arc::new(Mutex::new(Position::new(epoch.created, before.unwrap_or(mark))))
                }
            };
            let (messages, deliver, clock) = Self::create(&stream, at, begin(&position, epoch)).await?;
            Ok::<_, TransportError>((position, messages, deliver, clock))
        };
        let (position, messages, deliver, clock) = tokio::select! {
            result = opening => result?,
            text = refused => return Err(TransportError::new(TransportErrorKind::Refused, text)),
        };
        Ok(Self { at: at.clone(), own, epochs, epoch, position, messages, deliver, clock, untold: None, stream })
    }

    /// How far it has been read, now and from now on.
    pub(crate) fn position(&self) -> Arc<Mutex<Position>> {
        self.position.clone()
    }

    /// How far somebody who read this inbox has come; nothing if there was nobody, or too long ago.
    async fn read_before(stream: &JetStream, at: &Address) -> Result<Option<u64>, TransportError> {
        match stream.context.get_consumer_from_stream::<push::Config, _, _>(durable(at), &stream.config.name).await {
            Ok(consumer) => Ok(Some(consumer.cached_info().ack_floor.stream_sequence)),
            Err(error) => match error.kind() {
                ConsumerErrorKind::JetStream(error) if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND => Ok(None),
                _ => Err(unreachable(error)),
            },
        }
    }

    /// Makes the consumer at the broker, in the place of one that is there: it pushes what comes after a message.
    async fn create(
        stream: &JetStream,
        at: &Address,
        last: u64,
    ) -> Result<(Subscriber, String, Clock), TransportError> {
        let (name, client) = (durable(at), &stream.connection().client);
        // It is usually there; what matters is that it is not any more.
        let _ = stream.context.delete_consumer_from_stream(&name, &stream.config.name).await;
        let deliver = client.new_inbox();
        let messages = client.subscribe(deliver.clone()).await.map_err(unreachable)?;
        let config = push::Config {
            deliver_subject: deliver.clone(),
            durable_name: Some(name),
            filter_subject: filter(stream, at),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: last.saturating_add(1) },
            ack_policy: AckPolicy::All,
            ack_wait: PATIENCE,
            max_deliver: 1,
            max_ack_pending: UNDER_WAY,
            inactive_threshold: REMEMBERED,
            idle_heartbeat: HEARTBEAT,
            ..push::Config::default()
        };
        let created =
            stream.context.create_consumer_on_stream(config, &stream.config.name).await.map_err(unreachable)?;
        let then = created.cached_info().created.unix_timestamp_nanos();
        Ok((messages, deliver, Clock::new(then, Instant::now())))
    }

    /// Brings messages to the inbox, one after the other, and waits while it is full. What is not under way by then waits at the
    /// broker; other inboxes are read by others.
    pub(crate) async fn read(mut self) {
        loop {
            if self.epochs.has_changed().unwrap_or(false) && !self.read_again().await {
                return;
            }
            let message = match self.messages.next().now_or_never() {
                Some(message) => message,
                None => {
                    self.tell().await;
                    tokio::select! {
                        biased;
                        _ = self.epochs.changed() => {
                            self.epochs.mark_changed();
                            continue;
                        }
                        message = self.messages.next() => message,
                        () = sleep(SILENCE) => {
                            // While there is no connection, that is no wonder.
                            if self.stream.connection().status.is_connected() && !self.look_why_it_is_silent().await {
                                return;
                            }
                            continue;
                        }
                    }
                }
            };
            let Some(message) = message else {
                // The client is gone.
                return;
            };
            self.take(message).await;
            if self.untold.as_ref().is_some_and(|(_, count)| *count >= TOLD) {
                self.tell().await;
            }
        }
    }

    /// The broker has stopped to bring messages. If somebody has removed the consumer, it is made anew. If another process has made
    /// it its own, the inbox is that one's now, and ends here; then the answer is no.
    async fn look_why_it_is_silent(&mut self) -> bool {
        let stream = &self.stream;
        let name = durable(&self.at);
        let found = stream.context.get_consumer_from_stream::<push::Config, _, _>(&name, &stream.config.name).await;
        match found {
            Ok(consumer) if consumer.cached_info().config.deliver_subject.as_deref() == Some(&*self.deliver) => true,
            Ok(_) => {
                tracing::error!(at = ?self.at, "another process reads this inbox now; it ends here");
                stream.connection().inboxes.end(&self.at);
                false
            }
            Err(error) => {
                if matches!(error.kind(), ConsumerErrorKind::JetStream(error) if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
                {
                    tracing::warn!(at = ?self.at, "the consumer is gone; it is made anew");
                    return self.read_again().await;
                }
                true
            }
        }
    }

    async fn take(&mut self, message: Message) {
        let Some((number, sent)) = message.reply.as_deref().and_then(position) else { return };
        let connection = self.stream.connection().clone();
        let counters = &connection.counters;
        let parsed = connection.subjects.parse(message.subject.as_str());
        let (now, lifetime) = (Instant::now(), self.stream.config.max_age.as_nanos().cast_signed());
        let age = self.clock.age(sent, now);
        let expired = age > lifetime;
        if is_echo(&message, &self.own) {
            self.clock.came_back(sent);
        } else if self.clock.is_doubtful(age, lifetime, now) {
            // If it does not come back, it is sent again.
            let _ = connection.client.publish(self.own.clone(), Vec::new().into()).await;
        }
        let taken = lock(&self.position).taken(number);
        match parsed {
            _ if is_echo(&message, &self.own) => {}
            None => counters.unreadable(envelopes(&message.payload)),
            // The neuron and the controller of one name are of one filter.
            Some(parsed) if (parsed.kind == MessageKind::Report) != matches!(self.at, Address::Controller(_)) => {}
            Some(_) if expired => counters.expired(envelopes(&message.payload).saturating_sub(taken as u64)),
            Some(parsed) => {
                let inboxes = &connection.inboxes;
                let mut delivered = inboxes.deliver(&parsed, &message.payload, taken);
                while let DeliveryOutcome::Full(rest) = delivered {
                    lock(&self.position).partly = Some((number, rest.taken()));
                    self.tell().await;
                    tokio::select! {
                        more = inboxes.resume(rest) => delivered = more,
                        // What is left comes once more after that.
                        _ = self.epochs.changed() => {
                            self.epochs.mark_changed();
                            return;
                        }
                    }
                }
                if matches!(delivered, DeliveryOutcome::Nobody) {
                    // Its host stops. It is left for the next one.
                    return;
                }
            }
        }
        {
            let mut position = lock(&self.position);
            (position.last, position.partly) = (number, None);
        }
        let count = self.untold.as_ref().map_or(0, |(_, count)| *count);
        self.untold = message.reply.map(|reply| (reply, count + 1));
    }

    /// Tells the broker what has been taken.
    async fn tell(&mut self) {
        if let Some((reply, _)) = self.untold.take() {
            // If it is not told, it is told with the next one, or after a reconnect by where the new consumer begins.
            let _ = self.stream.connection().client.publish(reply, Vec::new().into()).await;
        }
    }

    /// Makes the consumer anew, from where this one has come to: with the connection, messages may have been lost that were
    /// under way, and with the broker all it knew. If the broker does not permit it any more, the inbox ends; then the answer is no.
    async fn read_again(&mut self) -> bool {
        self.untold = None;
        let connection = self.stream.connection().clone();
        let refused = refused(&connection, &self.at);
        tokio::pin!(refused);
        loop {
            let epoch = *self.epochs.borrow_and_update();
            self.epoch = epoch;
            let last = begin(&self.position, epoch);
            let created = tokio::select! {
                created = timeout(OPENING, Self::create(&self.stream, &self.at, last)) => created,
                text = &mut refused => {
                    connection.ends(&self.at, &text);
                    return false;
                }
            };
            match created {
                Ok(Ok((messages, deliver, clock))) => {
                    (self.messages, self.deliver, self.clock) = (messages, deliver, clock);
                    self.stream.reads_again(epoch);
                    return true;
                }
                Ok(Err(error)) => {
                    tracing::warn!(at = ?self.at, error = ?error, "an inbox is not read yet");
                    sleep(AGAIN).await;
                }
                Err(_) => tracing::warn!(at = ?self.at, "an inbox is not read yet, the broker does not answer"),
            }
        }
    }
}

/// Done when the broker has refused something, from now on, that an inbox needs to be read; with what it says.
fn refused(connection: &Connection, at: &Address) -> impl Future<Output = String> + Send + use<> {
    let (own, consumer, mut refusals) = (connection.subjects.own(at), durable(at), connection.refusals.subscribe());
    async move {
        loop {
            match refusals.recv().await {
                Ok(text) if names(&text, &own) || is_about(&text, &consumer) => break text.to_string(),
                // Those that were missed may have been about others; if not, the time runs out.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

fn lock(position: &Mutex<Position>) -> MutexGuard<'_, Position> {
    // It is whole at any time.
    position.lock().unwrap_or_else(PoisonError::into_inner)
}

/// After which message a consumer begins. A stream that was lost and made again begins to count anew.
fn begin(position: &Mutex<Position>, epoch: Epoch) -> u64 {
    let mut position = lock(position);
    if position.created != epoch.created {
        *position = Position::new(epoch.created, 0);
    }
    position.last
}

/// What the consumer of an inbox is called at the broker.
fn durable(at: &Address) -> String {
    match at {
        Address::Neuron(id) => format!("n_{id}"),
        Address::Controller(id) => format!("c_{id}"),
    }
}

/// Whether the broker has refused something that has to do with a consumer, or with its stream as a whole; not that it is told
/// what has been taken, which does not keep anybody from reading.
fn is_about(refusal: &str, consumer: &str) -> bool {
    let is_for_consumer = || refusal.split(['.', '"']).any(|part| part == consumer);
    refusal.contains("$JS.API.STREAM.") || !refusal.contains("\"$JS.ACK.") && is_for_consumer()
}

/// What an inbox is to get. Older servers ignore all but one filter, so it is one, and wider than need be.
fn filter(stream: &JetStream, at: &Address) -> String {
    let stem = stream.connection().subjects.stem();
    match at {
        Address::Neuron(id) => format!("{stem}*.{id}.*"),
        Address::Controller(id) => format!("{stem}{}.{id}.*", MessageKind::Report.as_str()),
    }
}

/// The number of a message in the stream, and when it came there in nanoseconds, from where it is to be acknowledged:
/// `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<tries>.<number>.<count>.<time>.<pending>[.<more>]`.
fn position(reply: &str) -> Option<(u64, i128)> {
    let parts: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    let skipped = if parts.len() >= 9 { 2 } else { 0 };
    Some((parts.get(skipped + 3)?.parse().ok()?, parts.get(skipped + 5)?.parse().ok()?))
}

fn unreachable(error: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    TransportError::new(TransportErrorKind::Unreachable, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_the_consumer_that_it_names() {
        let refusal = r#"Permissions Violation for Publish to "$JS.API.CONSUMER.CREATE.NN_xor.n_z.nn.v1.xor.*.z.*""#;
        assert!(is_about(refusal, "n_z"));
        assert!(!is_about(refusal, "n_z2") && !is_about(refusal, "n_x"));
        assert!(is_about(r#"Permissions Violation for Publish to "$JS.API.STREAM.INFO.NN_xor""#, "n_x"));
        assert!(!is_about(r#"Permissions Violation for Publish to "$JS.ACK.NN_xor.n_x.1.42.7.17.3""#, "n_x"));
    }

    #[test]
    fn both_forms_of_acknowledgement_tell_the_position() {
        assert_eq!(position("$JS.ACK.NN_xor.n_z.1.42.7.1700000000000000000.3"), Some((42, 1_700_000_000_000_000_000)));
        assert_eq!(position("$JS.ACK._.hash.NN_xor.n_z.1.42.7.17.3.token"), Some((42, 17)));
        for reply in ["", "_INBOX.x", "$JS.ACK.", "$JS.ACK.a.b.c.d.e.f.g"] {
            assert_eq!(position(reply), None, "{reply}");
        }
    }
}
