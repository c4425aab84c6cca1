//! Mode streams: messages are published, and kept in a stream for each edge as well.
//!
//! One script appends a message to the stream `nn:v1:<network>:sig:<target>:<source>` and publishes
//! it, with the id of its entry, on the channel of the same name. An inbox takes it from the
//! channel, which is fast and costs no request. It reads the stream only to catch up: after the
//! connection was lost, after the process was away, and after the inbox was full. Meanwhile it
//! ignores the channel, so the order is kept.
//!
//! A stream has one source, so that the server's permissions authenticate the writer. A set beside
//! the streams has the sources of each target, a hash how far the target has read.
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
use redis::{Pipeline, PushInfo, RedisResult};
use transport_broker::{ConnectionCounters, Inboxes, MessageKind, OutgoingMessage, Subjects};

use self::{cursor::ReadCursor, keys::Keys, reader::StreamReader};
pub(crate) use self::{cursor::SavedCursors, keys::sort};
use crate::{connection::Session, pubsub};

/// How many messages a stream keeps, about: no fewer envelopes than a neuron keeps for a subscriber
/// that does not acknowledge.
const MAX_ENTRIES: usize = 1024;

/// How long a stream outlives its last entry, as a multiple of the lifetime.
const EXPIRY_LIFETIMES: u32 = 20;

/// The longest expiry, in milliseconds: a century. The server rejects times beyond its calendar.
const MAX_EXPIRY_MILLIS: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// Appends a message to its stream, notes its source, and publishes it.
const PUBLISH_SCRIPT: &str = "local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'f', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('PUBLISH', KEYS[1], id .. ' ' .. ARGV[2])
return id";

/// Returns whether messages of a kind are kept in streams. A sign of life is of use only at once.
fn is_kept(kind: MessageKind) -> bool {
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
        let expiry = reader::millis(self.lifetime.saturating_mul(EXPIRY_LIFETIMES)).min(MAX_EXPIRY_MILLIS);
        pipeline
            .cmd("EVAL")
            .arg(PUBLISH_SCRIPT)
            .arg(2)
            .arg(&message.subject)
            .arg(keys.source_set_of_subject(&subject))
            .arg(MAX_ENTRIES)
            .arg(&message.payload)
            .arg(expiry)
            .arg(Keys::member(&subject));
    }

    /// Delivers a message that the server pushes.
    pub(crate) fn on_push(&self, push: PushInfo) {
        self.reader.on_push(push);
    }

    /// Returns commands that load the saved cursors of an address; the reply is empty if there are
    /// none.
    ///
    /// An inbox that was open in this process before begins with what is sent from now on, so its
    /// saved cursors are deleted first.
    pub(crate) fn load_cursors(&self, at: &Address) -> Pipeline {
        let key = self.reader.keys().cursors(at);
        let mut commands = Pipeline::new();
        if self.opened_before().contains(at) {
            commands.cmd("DEL").arg(&key).ignore();
        }
        commands.cmd("HGETALL").arg(&key);
        commands
    }

    /// Starts reading for an inbox that has just been opened, from the saved cursors if there are
    /// any.
    pub(crate) fn open_inbox(&self, session: &Session, at: &Address, saved: SavedCursors) {
        self.reader.set_session(session);
        self.opened_before().insert(at.clone());
        let catching_up = !saved.is_empty();
        let read = saved.into_iter().filter_map(|(source, id)| Some((source, id.parse().ok()?))).collect();
        let cursor =
            ReadCursor { catching_up, must_scan: catching_up, read, is_unsaved: true, ..ReadCursor::default() };
        self.reader.open(at, cursor);
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
        let cursor = self.reader.cursors().remove(at);
        let mut commands = Pipeline::new();
        if !matches!(at, Address::Neuron(_)) {
            commands.cmd("DEL").arg(self.reader.keys().cursors(at)).ignore();
        } else if let Some(cursor) = &cursor {
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

    /// Returns a request that saves the cursors that have moved since the last time.
    pub(crate) fn save_cursors(&self, session: &Session) -> impl Future<Output = RedisResult<()>> + Send + use<> {
        let mut pipeline = Pipeline::new();
        let mut saved = Vec::new();
        // What was sent to a controller or a host is of no use to its successor.
        let is_kept = |at: &Address| matches!(at, Address::Neuron(_));
        let mut cursors = self.reader.cursors();
        for (at, cursor) in cursors.iter_mut().filter(|(at, cursor)| cursor.is_unsaved && is_kept(at)) {
            cursor.is_unsaved = false;
            saved.push(at.clone());
            self.push_save(&mut pipeline, at, cursor);
        }
        drop(cursors);
        let mut redis = session.redis.clone();
        let reader = self.reader.clone();
        async move {
            if pipeline.is_empty() {
                return Ok(());
            }
            let result = pipeline.exec_async(&mut redis).await;
            if result.is_err() {
                let mut cursors = reader.cursors();
                for at in &saved {
                    if let Some(cursor) = cursors.get_mut(at) {
                        cursor.is_unsaved = true;
                    }
                }
            }
            result
        }
    }

    /// Adds a command that saves a cursor.
    fn push_save(&self, pipeline: &mut Pipeline, at: &Address, cursor: &ReadCursor) {
        // The empty source makes the hash exist, even before anything has been read.
        let set = pipeline.cmd("HSET").arg(self.reader.keys().cursors(at)).arg("").arg("0-0");
        for (source, id) in &cursor.read {
            set.arg(source).arg(id.to_string());
        }
        set.ignore();
    }

    /// Makes all inboxes ignore the channels from now on, and read their streams instead.
    pub(crate) fn pause_live_delivery(&self) {
        for cursor in self.reader.cursors().values_mut() {
            cursor.catching_up = true;
            cursor.must_scan = true;
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
