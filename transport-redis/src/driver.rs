//! The driver of the connection: writes commands in order, and handles the server's replies.

use std::{io, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::{PushInfo, RedisError};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until, timeout},
};
use transport_broker::{
    BatchItem, Batcher, ConnectionCommand, ConnectionCounters, ConnectionDriver, DriverContext, ExitReason, Inboxes,
    Subjects,
};

use crate::{
    config::{RedisConfig, RedisMode},
    connection::{Connector, PING_INTERVAL, PushHandler, RESPONSE_TIMEOUT, Session},
    contact::{Note, parse_notes},
    error,
    in_flight::{InFlight, Reply, spawn_polled},
    publisher::Publisher,
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

/// How often it is looked for what has not been used for long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How many messages with notes wait for the driver. Those that find no room are dropped, and
/// counted as overflowed; what waits for them is published after a moment in any case.
const NOTES: usize = 4096;

/// The connection driver for Redis, in either mode.
pub(crate) struct RedisDriver {
    connector: Connector,
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
    ) -> Self {
        let streams = (config.mode == RedisMode::Streams)
            .then(|| Arc::new(Streams::new(subjects.clone(), inboxes.clone(), counters.clone(), config.lifetime)));
        let (note_sender, notes) = mpsc::channel(NOTES);
        let on_push = push_handler(subjects.clone(), inboxes.clone(), counters.clone(), streams.clone(), note_sender);
        let subscriptions = Subscriptions::new(subjects.clone(), inboxes, streams.clone());
        let publisher = Publisher::new(subjects.clone(), counters, streams.clone());
        Self { connector, on_push, subjects, streams, subscriptions, batcher: Batcher::default(), publisher, notes }
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
                    let pinging = async move { Reply::Acknowledged(redis::cmd("PING").exec_async(&mut redis).await) };
                    spawn_polled(&in_flight, pinging);
                }
                _ = save.tick(), if self.streams.is_some() => {
                    if let Some(saving) = self.streams.as_ref().and_then(|streams| streams.save_cursors(&session)) {
                        spawn_polled(&in_flight, async move { Reply::Acknowledged(saving.await) });
                    }
                }
                _ = sweep.tick() => self.sweep(&session, &in_flight),
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

/// Returns what handles the messages that the server pushes: those for inboxes, and notes.
fn push_handler(
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
    streams: Option<Arc<Streams>>,
    note_sender: mpsc::Sender<Vec<Note>>,
) -> PushHandler {
    let take_notes = {
        let (subjects, inboxes, counters) = (subjects.clone(), inboxes.clone(), counters.clone());
        move |channel: &str, payload: &[u8]| {
            let Some((mut notes, unreadable)) = parse_notes(&subjects, channel, payload) else { return false };
            counters.unreadable(unreadable);
            notes.retain(|note| !matches!(note, Note::Call(route) if !inboxes.is_open(&route.target())));
            if !notes.is_empty() && note_sender.try_send(notes).is_err() {
                counters.overflowed(1);
            }
            true
        }
    };
    Arc::new(move |push: PushInfo| {
        let Some(message) = redis::Msg::from_push_info(push) else { return };
        if take_notes(message.get_channel_name(), message.get_payload_bytes()) {
            return;
        }
        match &streams {
            Some(streams) => streams.on_message(&message),
            None => pubsub::on_message(&message, &subjects, &inboxes, &counters),
        }
    })
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
