//! The driver of the connection: writes commands in order, and handles the server's replies.

use std::{io, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::{Pipeline, PushInfo, RedisError, RedisResult, Value, aio::ConnectionLike as _};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, interval_at, timeout},
};
use transport_broker::{
    BatchItem, Batcher, ConnectionCommand, ConnectionCounters, ConnectionDriver, DriverContext, ExitReason, Inboxes,
    Subjects,
};

use crate::{
    config::{RedisConfig, RedisMode},
    connection::{Connector, PING_INTERVAL, PushHandler, RESPONSE_TIMEOUT, Session},
    error,
    in_flight::{InFlight, Reply, spawn_polled},
    pubsub,
    streams::Streams,
    subscriptions::Subscriptions,
};

/// How many commands are written as one pipeline.
const BATCH: usize = 256;

/// How many requests may wait for a reply before more commands are taken.
const MAX_IN_FLIGHT: usize = 32;

/// How often read positions are saved. After a crash, messages read since the last time may be read
/// again.
const SAVE_INTERVAL: Duration = Duration::from_millis(200);

/// The connection driver for Redis, in either mode.
pub(crate) struct RedisDriver {
    connector: Connector,
    on_push: PushHandler,
    subjects: Arc<Subjects>,
    counters: Arc<ConnectionCounters>,
    /// `None` in mode pubsub.
    streams: Option<Arc<Streams>>,
    subscriptions: Subscriptions,
    batcher: Batcher,
    /// How many envelopes were written and are not answered yet.
    unanswered: usize,
}

impl RedisDriver {
    pub(crate) fn new(
        config: &RedisConfig,
        connector: Connector,
        subjects: Arc<Subjects>,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
    ) -> Self {
        let streams = (config.mode == RedisMode::Streams)
            .then(|| Arc::new(Streams::new(subjects.clone(), inboxes.clone(), counters.clone(), config.lifetime)));
        let on_push: PushHandler = match streams.clone() {
            Some(streams) => Arc::new(move |push| streams.on_push(push)),
            None => {
                let subjects = subjects.clone();
                let inboxes = inboxes.clone();
                let counters = counters.clone();
                Arc::new(move |push: PushInfo| pubsub::on_push(push, &subjects, &inboxes, &counters))
            }
        };
        let subscriptions = Subscriptions::new(subjects.clone(), inboxes, streams.clone());
        let batcher = Batcher::default();
        Self { connector, on_push, subjects, counters, streams, subscriptions, batcher, unanswered: 0 }
    }

    /// Works over a session until there is a reason to leave it.
    async fn serve_session(&mut self, session: Session, cx: &mut DriverContext) -> ExitReason {
        let mut in_flight = InFlight::new();
        let mut ended = session.ended.clone();
        // The new connection subscribes open inboxes only.
        self.subscriptions.take_abandoned();
        for (at, reply) in std::mem::take(&mut cx.pending_subscriptions) {
            spawn_polled(&in_flight, self.subscriptions.subscribe(&session, at, reply));
        }
        let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut save = interval(SAVE_INTERVAL);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = cx.commands.recv_many(&mut batch, BATCH), if in_flight.len() < MAX_IN_FLIGHT => {
                    if count == 0 {
                        break;
                    }
                    self.write_commands(&mut batch, &session, &in_flight);
                }
                Some(reply) = in_flight.next() => {
                    if let Err(error) = self.on_reply(reply, &session) {
                        return ExitReason::Lost(error.to_string());
                    }
                    for at in self.subscriptions.take_abandoned() {
                        if let Some(request) = self.subscriptions.unsubscribe_unused(&session, &at) {
                            spawn_polled(&in_flight, request);
                        }
                    }
                }
                Some(runtime) = cx.migrations.recv() => {
                    // Requests in flight finish first.
                    while let Some(reply) = in_flight.next().await {
                        if let Err(error) = self.on_reply(reply, &session) {
                            tracing::debug!(%error, "the connection breaks while it migrates");
                            break;
                        }
                    }
                    self.on_session_lost(cx);
                    return ExitReason::Migrate(runtime);
                }
                Some(at) = cx.closed_inboxes.recv() => {
                    if let Some(request) = self.subscriptions.unsubscribe_unused(&session, &at) {
                        spawn_polled(&in_flight, request);
                    }
                }
                _ = ping.tick() => {
                    let mut redis = session.redis.clone();
                    let pinging = async move { Reply::Acknowledged(redis::cmd("PING").exec_async(&mut redis).await) };
                    spawn_polled(&in_flight, pinging);
                }
                _ = save.tick(), if self.streams.is_some() => {
                    if let Some(streams) = &self.streams {
                        let saving = streams.save_cursors(&session);
                        spawn_polled(&in_flight, async move { Reply::Acknowledged(saving.await) });
                    }
                }
                () = wait_ended(&mut ended) => {
                    return ExitReason::Lost("the server has closed the connection".to_owned());
                }
            }
        }
        // The transport is gone: close its inboxes, and let all requests finish.
        while let Ok(at) = cx.closed_inboxes.try_recv() {
            spawn_polled(&in_flight, self.subscriptions.unsubscribe(&session, &at));
        }
        while in_flight.next().await.is_some() {}
        ExitReason::Unused
    }

    /// Writes commands in order. Messages that follow each other become one pipeline.
    fn write_commands(&mut self, commands: &mut Vec<ConnectionCommand>, session: &Session, in_flight: &InFlight) {
        commands.drain(..).for_each(|command| self.batcher.push(command));
        let mut pipeline = Pipeline::new();
        let mut envelopes = Vec::new();
        while let Some(item) = self.batcher.pop(&self.subjects) {
            match item {
                BatchItem::Send(message) => {
                    match &self.streams {
                        Some(streams) => streams.publish(&mut pipeline, &message),
                        None => pubsub::publish(&mut pipeline, &message),
                    }
                    envelopes.push(message.envelopes);
                }
                BatchItem::Subscribe { at, reply } => {
                    self.write(session, in_flight, std::mem::take(&mut pipeline), std::mem::take(&mut envelopes));
                    spawn_polled(in_flight, self.subscriptions.subscribe(session, at, reply));
                }
                BatchItem::Attach { at } => spawn_polled(in_flight, self.subscriptions.attach(session, at)),
            }
        }
        self.write(session, in_flight, pipeline, envelopes);
    }

    /// Writes a pipeline of messages; `envelopes` says how many envelopes each of them holds.
    fn write(&mut self, session: &Session, in_flight: &InFlight, pipeline: Pipeline, envelopes: Vec<usize>) {
        if envelopes.is_empty() {
            return;
        }
        self.unanswered += envelopes.iter().sum::<usize>();
        let mut redis = session.redis.clone();
        spawn_polled(in_flight, async move {
            let answers = redis.req_packed_commands(&pipeline, 0, envelopes.len()).await;
            Reply::Sent(envelopes, answers)
        });
    }

    /// Handles a reply.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    fn on_reply(&mut self, reply: Reply, session: &Session) -> Result<(), RedisError> {
        match reply {
            Reply::Sent(envelopes, answers) => self.on_sent(&envelopes, answers),
            Reply::Subscribed(number, result) => self.subscriptions.on_subscribed(session, number, result),
            Reply::Attached(at, result) => self.subscriptions.on_attached(session, &at, result),
            Reply::Acknowledged(Ok(())) => Ok(()),
            // The server is alive; it only does not permit the request.
            Reply::Acknowledged(Err(error)) if error::is_refusal(&error) => Ok(()),
            Reply::Acknowledged(Err(error)) => Err(error),
        }
    }

    /// Counts published envelopes by their answers.
    fn on_sent(&mut self, envelopes: &[usize], answers: RedisResult<Vec<Value>>) -> Result<(), RedisError> {
        let count = envelopes.iter().sum::<usize>();
        self.unanswered -= count;
        match answers {
            Ok(answers) => {
                let each = answers.iter().zip(envelopes);
                let refused = each.map(|(answer, count)| if is_refusal(answer) { *count } else { 0 }).sum::<usize>();
                self.counters.refused(refused as u64);
                self.counters.sent((count - refused) as u64);
                Ok(())
            }
            Err(error) if error::is_refusal(&error) => {
                tracing::warn!(%error, "the server refuses messages");
                self.counters.refused(count as u64);
                Ok(())
            }
            Err(error) => {
                self.counters.unsent(count as u64);
                Err(error)
            }
        }
    }
}

impl ConnectionDriver for RedisDriver {
    type Session = Session;
    type Error = RedisError;

    async fn connect(&mut self) -> Result<Session, RedisError> {
        if let Some(streams) = &self.streams {
            streams.pause_live_delivery();
        }
        let mut session = self.connector.connect(self.on_push.clone()).await?;
        match timeout(RESPONSE_TIMEOUT, self.subscriptions.resubscribe(&mut session)).await {
            Ok(subscribed) => subscribed?,
            Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
        if let Some(streams) = &self.streams {
            streams.catch_up_all(&session);
        }
        Ok(session)
    }

    async fn serve(&mut self, session: Session, cx: &mut DriverContext) -> ExitReason {
        cx.status.announce_connected(&self.counters);
        self.serve_session(session, cx).await
    }

    fn on_session_lost(&mut self, cx: &mut DriverContext) {
        self.counters.unsent(std::mem::take(&mut self.unanswered) as u64);
        cx.pending_subscriptions.extend(self.subscriptions.take_opening());
    }
}

impl Drop for RedisDriver {
    fn drop(&mut self) {
        if let Some(streams) = &self.streams {
            streams.shut_down();
        }
    }
}

/// Waits until the connection has ended.
async fn wait_ended(ended: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which ends the connection as well.
    let _ = ended.wait_for(|ended| *ended).await;
}

fn is_refusal(answer: &Value) -> bool {
    if let Value::ServerError(error) = answer {
        tracing::warn!(%error, "the server refuses a message");
        return true;
    }
    false
}
