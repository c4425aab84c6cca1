//! The driver of the connection: writes commands in order, and handles the server's replies.

use std::{fmt, io, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::RedisError;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until, timeout},
};
use transport_broker::{
    BatchItem, Batcher, ConnectError, ConnectionCommand, ConnectionCounters, ConnectionDriver, DriverContext, Endpoint,
    ExitReason, Inboxes, Refusals, Subjects,
};

use crate::{
    checks::{Checks, is_replica},
    config::{RedisConfig, RedisMode},
    connection::{Connector, PING_INTERVAL, PushHandler, RESPONSE_TIMEOUT, Server, Session},
    contact::Note,
    error,
    in_flight::{InFlight, Reply, spawn_polled},
    publisher::Publisher,
    pushes::push_handler,
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

/// How often it is looked for what has not been used for long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How many messages with notes wait for the driver. Those that find no room are dropped, and
/// counted as overflowed; what waits for them is published after a moment in any case.
const NOTES: usize = 4096;

/// The connection driver for Redis, in either mode.
pub(crate) struct RedisDriver {
    connector: Connector,
    checks: Checks,
    on_push: PushHandler,
    subjects: Arc<Subjects>,
    /// `None` in mode pubsub.
    streams: Option<Arc<Streams>>,
    subscriptions: Subscriptions,
    batcher: Batcher,
    publisher: Publisher,
    notes: mpsc::Receiver<Vec<Note>>,
}

impl RedisDriver {
    pub(crate) fn new(
        config: &RedisConfig,
        connector: Connector,
        subjects: Arc<Subjects>,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
        refusals: Arc<Refusals>,
    ) -> Self {
        let checks = Checks::new(config, &subjects);
        let streams = (config.mode == RedisMode::Streams)
            .then(|| Arc::new(Streams::new(subjects.clone(), inboxes.clone(), counters.clone(), config.lifetime)));
        let (note_sender, notes) = mpsc::channel(NOTES);
        let on_push = push_handler(subjects.clone(), inboxes.clone(), counters.clone(), streams.clone(), note_sender);
        let subscriptions = Subscriptions::new(subjects.clone(), inboxes, streams.clone());
        let publisher = Publisher::new(subjects.clone(), counters, refusals, streams.clone());
        Self {
            connector,
            checks,
            on_push,
            subjects,
            streams,
            subscriptions,
            batcher: Batcher::default(),
            publisher,
            notes,
        }
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
        self.publisher.renew(Instant::now());
        self.flush(&session, &in_flight);
        let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut save = interval(SAVE_INTERVAL);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweep = interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                    if let Err(error) = self.on_reply(reply, &session, &in_flight) {
                        return ExitReason::Lost(error.to_string());
                    }
                    cx.status.update_refusing();
                }
                Some(notes) = self.notes.recv() => self.on_notes(&notes, &session, &in_flight),
                () = wait_until(self.publisher.deadline()) => self.publisher.expire(Instant::now()),
                Some(runtime) = cx.migrations.recv() => {
                    // Requests in flight finish first.
                    while let Some(reply) = in_flight.next().await {
                        if let Err(error) = self.on_reply(reply, &session, &in_flight) {
                            tracing::debug!(%error, "the connection breaks while it migrates");
                            break;
                        }
                    }
                    self.leave(cx);
                    return ExitReason::Migrate(runtime);
                }
                Some(at) = cx.closed_inboxes.recv() => {
                    if let Some(request) = self.subscriptions.unsubscribe_unused(&session, &at) {
                        spawn_polled(&in_flight, request);
                    }
                }
                _ = ping.tick() => {
                    let mut redis = session.redis.clone();
                    spawn_polled(&in_flight, async move {
                        Reply::Greeted(redis::cmd("HELLO").arg(3).query_async(&mut redis).await)
                    });
                }
                _ = save.tick(), if self.streams.is_some() => {
                    if let Some(saving) = self.streams.as_ref().and_then(|streams| streams.save_cursors(&session)) {
                        spawn_polled(&in_flight, async move { Reply::Acknowledged(saving.await) });
                    }
                }
                _ = sweep.tick() => {
                    self.sweep(&session, &in_flight);
                    cx.status.update_refusing();
                }
                () = wait_ended(&mut ended) => {
                    return ExitReason::Lost("the server has closed the connection".to_owned());
                }
            }
            self.flush(&session, &in_flight);
        }
        self.finish(&session, cx, in_flight).await;
        ExitReason::Unused
    }

    /// Ends in order, because the transport is gone: messages that wait for their receivers are
    /// published, the inboxes close, and all requests finish.
    async fn finish(&mut self, session: &Session, cx: &mut DriverContext, mut in_flight: InFlight) {
        while !in_flight.is_empty() || self.publisher.has_waiting() {
            tokio::select! {
                Some(reply) = in_flight.next() => {
                    if self.on_reply(reply, session, &in_flight).is_err() {
                        return;
                    }
                }
                Some(notes) = self.notes.recv() => self.on_notes(&notes, session, &in_flight),
                () = wait_until(self.publisher.deadline()) => self.publisher.expire(Instant::now()),
            }
            self.flush(session, &in_flight);
        }
        while let Ok(at) = cx.closed_inboxes.try_recv() {
            spawn_polled(&in_flight, self.subscriptions.unsubscribe(session, &at));
        }
        while in_flight.next().await.is_some() {}
    }

    /// Writes commands in order. Messages that follow each other become one pipeline.
    fn write_commands(&mut self, commands: &mut Vec<ConnectionCommand>, session: &Session, in_flight: &InFlight) {
        commands.drain(..).for_each(|command| self.batcher.push(command));
        let now = Instant::now();
        while let Some(item) = self.batcher.pop(&self.subjects) {
            match item {
                BatchItem::Send(message) => self.publisher.push(message, now),
                BatchItem::Subscribe { at, reply } => {
                    self.publisher.set_barrier(&at);
                    self.flush(session, in_flight);
                    spawn_polled(in_flight, self.subscriptions.subscribe(session, at, reply));
                }
                BatchItem::Claim(claim) => self.publisher.push_note(&Note::Claim(claim)),
                BatchItem::Attach { at } => spawn_polled(in_flight, self.subscriptions.attach(session, at)),
            }
        }
    }

    /// Calls receivers and publishes what is to be published.
    ///
    /// What answers a call is subscribed to before it.
    fn flush(&mut self, session: &Session, in_flight: &InFlight) {
        let answers: Vec<_> = self.publisher.take_calls().iter().map(|route| route.reverse()).collect();
        self.subscriptions.learn(session, in_flight, &answers);
        self.publisher.flush(session, in_flight);
    }

    /// Handles notes: subscribes to the routes of those who call, before they are answered.
    fn on_notes(&mut self, notes: &[Note], session: &Session, in_flight: &InFlight) {
        let calls = notes.iter().filter_map(|note| if let Note::Call(route) = note { Some(route) } else { None });
        self.subscriptions.learn(session, in_flight, calls);
        let now = Instant::now();
        notes.iter().for_each(|note| self.publisher.on_note(note, now));
    }

    /// Gives up what has not been used for long.
    fn sweep(&mut self, session: &Session, in_flight: &InFlight) {
        self.publisher.forget_idle(Instant::now());
        let publisher = &self.publisher;
        if let Some(request) = self.subscriptions.unsubscribe_idle(session, &|route| publisher.is_used(route)) {
            spawn_polled(in_flight, request);
        }
        if let Some(streams) = &self.streams {
            streams.forget_gone();
        }
    }

    /// Handles a reply.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    fn on_reply(&mut self, reply: Reply, session: &Session, in_flight: &InFlight) -> Result<(), RedisError> {
        match reply {
            Reply::Sent(messages, answers) => self.publisher.on_sent(messages, answers, Instant::now())?,
            Reply::Subscribed(number, result) => {
                if let Some(at) = self.subscriptions.on_subscribed(session, number, result)? {
                    self.publisher.push_note(&Note::Opened(at));
                }
            }
            Reply::Attached(at, result) => {
                if self.subscriptions.on_attached(session, &at, result)? {
                    self.publisher.push_note(&Note::Opened(at));
                }
            }
            Reply::Learnt(addresses, result) => {
                self.subscriptions.on_learnt(session, in_flight, addresses, result)?;
            }
            // The server may have become a replica, whose clients hear nothing of the master's.
            Reply::Greeted(Ok(greeting)) if is_replica(&greeting) => {
                return Err(io::Error::other("the server has become a replica").into());
            }
            Reply::Greeted(Err(error)) if !error::is_refusal(&error) => return Err(error),
            Reply::Greeted(_) => {}
            // After a refusal the server is alive; it only does not permit the request.
            Reply::Acknowledged(Err(error)) if !error::is_refusal(&error) => return Err(error),
            Reply::Acknowledged(_) => {}
        }
        for at in self.subscriptions.take_abandoned() {
            if let Some(request) = self.subscriptions.unsubscribe_unused(session, &at) {
                spawn_polled(in_flight, request);
            }
        }
        Ok(())
    }

    /// Leaves a session. Messages that wait for their receivers wait for the next one.
    fn leave(&mut self, cx: &mut DriverContext) {
        self.publisher.count_unanswered();
        cx.pending_subscriptions.extend(self.subscriptions.take_opening());
    }
}

impl RedisDriver {
    /// Makes the first attempt to connect. Its errors say also whether TLS may be the reason.
    pub(crate) async fn connect_first(&mut self) -> Result<Session, ConnectError> {
        self.connect_to_any(true).await
    }

    /// Tries the servers in their order, and returns a session with the first that can carry
    /// messages.
    async fn connect_to_any(&mut self, is_first: bool) -> Result<Session, ConnectError> {
        if let Some(streams) = &self.streams {
            streams.pause_live_delivery();
        }
        let mut failures = Vec::new();
        let servers = self.connector.servers();
        for server in servers {
            match self.connect_to(server, is_first).await {
                Ok(session) => {
                    if servers.len() > 1 {
                        tracing::info!(broker = %server.endpoint(), "this server is used");
                    }
                    if let Some(streams) = &self.streams {
                        streams.catch_up_all(&session);
                    }
                    return Ok(session);
                }
                Err(error) => failures.push(error),
            }
        }
        let urls: Vec<_> = servers.iter().map(|server| server.url.clone()).collect();
        Err(ConnectError::of_all(Endpoint::of_all(&urls), failures))
    }

    /// Connects to a server, checks what it can do, and subscribes all open inboxes.
    async fn connect_to(&self, server: &Server, is_first: bool) -> Result<Session, ConnectError> {
        let broker = server.endpoint();
        let mut session = match server.connect(self.on_push.clone()).await {
            Ok(session) => session,
            Err(error) if is_first => return Err(error::first_connect_error(&server.url, error).await),
            Err(error) => return Err(error::connect_error(broker, error)),
        };
        let preparing = async {
            self.checks.run(&mut session, &broker).await?;
            let subscribed = self.subscriptions.resubscribe(&mut session).await;
            subscribed.map_err(|error| error::connect_error(broker.clone(), error))
        };
        match timeout(RESPONSE_TIMEOUT, preparing).await {
            Ok(prepared) => prepared.map(|()| session),
            Err(_) => Err(error::connect_error(broker, io::Error::from(io::ErrorKind::TimedOut).into())),
        }
    }
}

/// Why an attempt to connect failed, with its causes: for the state and the log.
pub(crate) struct FailedAttempt(ConnectError);

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl ConnectionDriver for RedisDriver {
    type Session = Session;
    type Error = FailedAttempt;

    async fn connect(&mut self) -> Result<Session, FailedAttempt> {
        self.connect_to_any(false).await.map_err(FailedAttempt)
    }

    async fn serve(&mut self, session: Session, cx: &mut DriverContext) -> ExitReason {
        cx.status.announce_connected(&cx.counters);
        self.serve_session(session, cx).await
    }

    fn on_session_lost(&mut self, cx: &mut DriverContext) {
        self.leave(cx);
        self.publisher.clear();
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

/// Waits until an instant; for ever without one.
async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
