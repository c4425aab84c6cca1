//! Mode streams: messages are published, and kept in a stream for each edge as well.
//!
//! One script appends a message to the stream `nn:v1:<network>:sig:<target>:<source>` and publishes
//! it, with the id of its entry, on the channel of the same name. An inbox takes it from the
//! channel, which is fast and costs no request. It reads the stream only to catch up: after the
//! connection was lost, after the process was away, and after the inbox was full. Meanwhile it
//! ignores the channel, so the order is kept.
//!
//! A stream has one source, so that the server's permissions authenticate the writer. A hash has how
//! far each target has read. A source whose messages were not heard calls the target when that opens
//! its inbox ([`contact`](crate::contact)), which then reads the stream.
//!
//! All that is kept has a time to live: a stream, and the hash of a target.
//!
//! Signs of life between hosts are only published: a kept one would show nothing.
//!
//! Why: docs/decisions/0035-redis-streams-are-read-to-catch-up.md

mod cursor;
mod entry_id;
mod keys;
mod reader;

use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use neuron_core::transport::Address;
use redis::{Msg, Pipeline, RedisResult, aio::MultiplexedConnection};
use tokio::time::Instant;
use transport_broker::{ConnectionCounters, Inboxes, MessageKind, OutgoingMessage, Route, Subjects};

use self::{
    cursor::ReadCursor,
    entry_id::EntryId,
    keys::Keys,
    reader::{StreamReader, time_millis},
};
pub(crate) use self::{cursor::SavedPlace, keys::sort};
use crate::{connection::Session, pubsub};

/// How many messages a stream keeps, about: no fewer envelopes than a neuron keeps for a subscriber
/// that does not acknowledge.
const MAX_ENTRIES: usize = 1024;

/// How long a stream outlives its last entry, as a multiple of the lifetime.
const EXPIRY_LIFETIMES: u32 = 20;

/// The longest expiry, in milliseconds: a century. The server rejects times beyond its calendar.
const MAX_EXPIRY_MILLIS: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// How long the cursors of an inbox outlive their process, at least. A process that is away for
/// longer begins with what is sent from then on.
const MIN_CURSOR_EXPIRY: Duration = Duration::from_secs(60 * 60);

/// Appends a message to its stream and publishes it. Returns to how many connections.
const PUBLISH_SCRIPT: &str = "local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'f', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('PUBLISH', KEYS[1], id .. ' ' .. ARGV[2])";

/// Returns whether messages of a kind are kept in streams. A sign of life is of use only at once.
pub(crate) fn is_kept(kind: MessageKind) -> bool {
    kind != MessageKind::Host
}

/// The streams of one network: publishes to them, and keeps the cursors of its inboxes.
pub(crate) struct Streams {
    reader: Arc<StreamReader>,
    lifetime: Duration,
    /// The addresses that have had an inbox in this process.
    opened_before: Mutex<HashSet<Address>>,
}

impl Streams {
    pub(crate) fn new(
        subjects: Arc<Subjects>,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
        lifetime: Duration,
    ) -> Self {
        let reader = Arc::new(StreamReader::new(Keys::new(subjects), inboxes, counters, lifetime));
        Self { reader, lifetime, opened_before: Mutex::default() }
    }

    /// Adds a message to a pipeline.
    pub(crate) fn publish(&self, pipeline: &mut Pipeline, message: &OutgoingMessage) {
        let keys = self.reader.keys();
        let Some(subject) = keys.parse(&message.subject) else { return };
        if !is_kept(subject.kind) {
            return pubsub::publish(pipeline, message);
        }
        pipeline
            .cmd("EVAL")
            .arg(PUBLISH_SCRIPT)
            .arg(1)
            .arg(&message.subject)
            .arg(MAX_ENTRIES)
            .arg(&message.payload)
            .arg(self.expiry_millis());
    }

    /// Returns how long a stream outlives its last entry, in milliseconds.
    fn expiry_millis(&self) -> u64 {
        reader::millis(self.expiry()).min(MAX_EXPIRY_MILLIS)
    }

    /// Returns how long a stream outlives its last entry.
    pub(crate) fn expiry(&self) -> Duration {
        self.lifetime.saturating_mul(EXPIRY_LIFETIMES)
    }

    /// Delivers a message that the server pushes.
    pub(crate) fn on_message(&self, message: &Msg) {
        self.reader.on_message(message);
    }

    /// Returns a request that loads where an address is to begin.
    ///
    /// An inbox that was open in this process before begins with what is sent from now on, so its
    /// saved cursors are deleted first.
    pub(crate) fn load_place(&self, at: &Address) -> LoadPlace {
        let key = self.reader.keys().cursors(at);
        let mut commands = Pipeline::new();
        let is_reopened = self.opened_before().contains(at);
        if is_reopened {
            commands.cmd("DEL").arg(&key).ignore();
        }
        commands.cmd("HGETALL").arg(&key).cmd("TIME");
        LoadPlace { commands, is_reopened }
    }

    /// Starts reading for an inbox that has just been opened, from the saved cursors if there are
    /// any.
    pub(crate) fn open_inbox(&self, session: &Session, at: &Address, place: SavedPlace) {
        self.reader.set_session(session);
        self.reader.set_clock(place.now.millis);
        self.opened_before().insert(at.clone());
        let catching_up = !place.cursors.is_empty();
        let begin = if catching_up { EntryId::default() } else { place.now };
        let read = place.cursors.into_iter().filter_map(|(source, id)| Some((source, id.parse().ok()?)));
        let mut cursor = ReadCursor::new(read.collect(), begin);
        cursor.catching_up = catching_up;
        cursor.must_read_all = catching_up;
        self.reader.open(at, cursor);
    }

    /// Makes the receiver of a route read its stream, because it has just been subscribed to.
    pub(crate) fn catch_up_with(&self, route: &Route) {
        if is_kept(route.kind()) {
            let (_, source) = route.target_and_source();
            self.reader.catch_up_with(&route.target(), format!("{}:{source}", route.kind().as_str()));
        }
    }

    /// Forgets the positions of controllers whose streams have expired.
    pub(crate) fn forget_gone(&self) {
        let Some(now) = self.reader.server_millis() else { return };
        let limit = now.saturating_sub(self.expiry_millis());
        for cursor in self.reader.cursors().values_mut() {
            cursor.forget(|source, id| source.starts_with("ctl:") && id.millis < limit);
        }
    }

    /// Returns whether an inbox is being read.
    pub(crate) fn is_read(&self, at: &Address) -> bool {
        self.reader.cursors().contains_key(at)
    }

    /// Stops reading for an inbox that has been closed, and returns a request that saves its cursor
    /// for the next process.
    ///
    /// The cursor of a controller or a host is deleted: what is sent to one is of no use to its
    /// successor.
    pub(crate) fn close_inbox(&self, session: &Session, at: &Address) -> impl Future<Output = ()> + Send + use<> {
        let mut cursor = self.reader.cursors().remove(at);
        let mut commands = Pipeline::new();
        if !matches!(at, Address::Neuron(_)) {
            commands.cmd("DEL").arg(self.reader.keys().cursors(at)).ignore();
        } else if let Some(cursor) = &mut cursor {
            self.push_save(&mut commands, at, cursor);
        }
        if let Some(cursor) = cursor {
            cursor.stop();
        }
        let mut redis = session.redis.clone();
        async move {
            if !commands.is_empty() {
                // If it is not saved, the next process reads some messages twice.
                let _ = commands.exec_async(&mut redis).await;
            }
        }
    }

    /// Returns a request that saves what has changed in the cursors since the last time; `None` if
    /// nothing has.
    pub(crate) fn save_cursors(
        &self,
        session: &Session,
    ) -> Option<impl Future<Output = RedisResult<()>> + Send + use<>> {
        let mut pipeline = Pipeline::new();
        let mut saved = Vec::new();
        // What was sent to a controller or a host is of no use to its successor.
        let is_kept = |at: &Address| matches!(at, Address::Neuron(_));
        let limit = Instant::now().checked_sub(self.cursor_expiry() / 3);
        let mut cursors = self.reader.cursors();
        for (at, cursor) in cursors.iter_mut().filter(|(at, cursor)| is_kept(at) && cursor.must_save(limit)) {
            let sources = self.push_save(&mut pipeline, at, cursor);
            saved.push((at.clone(), sources));
        }
        drop(cursors);
        if pipeline.is_empty() {
            return None;
        }
        let mut redis = session.redis.clone();
        let reader = self.reader.clone();
        Some(async move {
            let result = pipeline.exec_async(&mut redis).await;
            if result.is_err() {
                let mut cursors = reader.cursors();
                for (at, sources) in saved {
                    if let Some(cursor) = cursors.get_mut(&at) {
                        cursor.set_unsaved(sources);
                    }
                }
            }
            result
        })
    }

    /// Adds commands that save what has changed in a cursor, and returns the sources.
    fn push_save(&self, pipeline: &mut Pipeline, at: &Address, cursor: &mut ReadCursor) -> Vec<String> {
        let key = self.reader.keys().cursors(at);
        let changes = cursor.take_unsaved(Instant::now());
        // The empty source makes the hash exist, even before anything has been read.
        let set = pipeline.cmd("HSET").arg(&key).arg("").arg("0-0");
        for (source, id) in &changes {
            if let Some(id) = id {
                set.arg(source).arg(id.to_string());
            }
        }
        set.ignore();
        let gone: Vec<&String> = changes.iter().filter(|(_, id)| id.is_none()).map(|(source, _)| source).collect();
        if !gone.is_empty() {
            pipeline.cmd("HDEL").arg(&key).arg(gone).ignore();
        }
        pipeline.cmd("PEXPIRE").arg(&key).arg(reader::millis(self.cursor_expiry()).min(MAX_EXPIRY_MILLIS)).ignore();
        changes.into_iter().map(|(source, _)| source).collect()
    }

    fn cursor_expiry(&self) -> Duration {
        self.expiry().max(MIN_CURSOR_EXPIRY)
    }

    /// Makes all inboxes ignore the channels from now on, and read their streams instead.
    pub(crate) fn pause_live_delivery(&self) {
        for cursor in self.reader.cursors().values_mut() {
            cursor.catching_up = true;
            cursor.must_read_all = true;
        }
    }

    /// Makes all inboxes read what they have missed, over a new connection.
    pub(crate) fn catch_up_all(&self, session: &Session) {
        self.reader.set_session(session);
        self.reader.catch_up_all();
    }

    /// Stops all reading for good.
    pub(crate) fn shut_down(&self) {
        self.reader.shut_down();
    }

    fn opened_before(&self) -> MutexGuard<'_, HashSet<Address>> {
        self.opened_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loads where an inbox is to begin.
pub(crate) struct LoadPlace {
    commands: Pipeline,
    /// The address has had an inbox in this process before.
    is_reopened: bool,
}

impl LoadPlace {
    /// Asks the server.
    ///
    /// What was sent in the present millisecond of the server may be from before this request. For
    /// an inbox that is opened again it belongs to the one before, so this returns in a later one.
    pub(crate) async fn query(&self, redis: &mut MultiplexedConnection) -> RedisResult<SavedPlace> {
        let (cursors, time): (_, (u64, u64)) = self.commands.query_async(redis).await?;
        let mut millis = time_millis(time);
        if self.is_reopened {
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else {
            millis = millis.saturating_sub(1);
        }
        Ok(SavedPlace { cursors, now: EntryId { millis, sequence: u64::MAX } })
    }
}
