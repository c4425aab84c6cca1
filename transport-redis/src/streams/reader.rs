//! Delivers messages to inboxes: live from the channels, or from the streams to catch up.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use neuron_core::transport::Address;
use redis::{Msg, RedisResult, aio::MultiplexedConnection, streams::StreamReadReply};
use tokio::time::Instant;
use transport_broker::{Backoff, ConnectionCounters, DeliveryOutcome, Inboxes, count_envelopes};

use super::{cursor::ReadCursor, entry_id::EntryId, is_kept, keys::Keys};
use crate::connection::Session;

/// How many entries of each stream are read at a time.
const READ_COUNT: usize = 64;

/// How many streams are read at a time, so that the server serves others in between.
const STREAMS_PER_READ: usize = 64;

/// Delivers messages to the inboxes of this process, and keeps their cursors.
pub(super) struct StreamReader {
    keys: Keys,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
    lifetime: Duration,
    cursors: Mutex<HashMap<Address, ReadCursor>>,
    /// The connection that inboxes catch up over; `None` before the first and after the last one.
    redis: Mutex<Option<MultiplexedConnection>>,
    /// What the server's clock showed last, in milliseconds, and when that was.
    clock: Mutex<Option<(u64, Instant)>>,
}

impl StreamReader {
    pub(super) fn new(
        keys: Keys,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
        lifetime: Duration,
    ) -> Self {
        let (cursors, redis, clock) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { keys, inboxes, counters, lifetime, cursors, redis, clock }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn cursors(&self) -> MutexGuard<'_, HashMap<Address, ReadCursor>> {
        // Nothing that can panic happens while it is locked.
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn redis(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_session(&self, session: &Session) {
        *self.redis() = Some(session.redis.clone());
    }

    /// Starts delivering to an inbox. The cursor of its predecessor, if there is one, is dropped.
    pub(super) fn open(self: &Arc<Self>, at: &Address, mut cursor: ReadCursor) {
        if cursor.catching_up {
            self.catch_up(at, &mut cursor);
        }
        let before = self.cursors().insert(at.clone(), cursor);
        if let Some(before) = before {
            before.stop();
        }
    }

    /// Makes all inboxes read their streams that have something to catch up with.
    pub(super) fn catch_up_all(self: &Arc<Self>) {
        for (at, cursor) in self.cursors().iter_mut().filter(|(_, cursor)| cursor.catching_up) {
            cursor.must_read_all = true;
            self.catch_up(at, cursor);
        }
    }

    /// Makes an inbox read the stream of a source that it has just been subscribed to.
    pub(super) fn catch_up_with(self: &Arc<Self>, at: &Address, source: String) {
        let mut cursors = self.cursors();
        let Some(cursor) = cursors.get_mut(at) else { return };
        cursor.announced.insert(source);
        if !cursor.catching_up {
            cursor.catching_up = true;
            self.catch_up(at, cursor);
        }
    }

    /// Notes what the server's clock shows, in milliseconds.
    pub(super) fn set_clock(&self, millis: u64) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((millis, Instant::now()));
    }

    /// Returns what the server's clock shows, in milliseconds; `None` if that is not known.
    pub(super) fn server_millis(&self) -> Option<u64> {
        let (shown, at) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(shown.saturating_add(millis(at.elapsed())))
    }

    /// Stops all reading for good.
    pub(super) fn shut_down(&self) {
        let cursors = std::mem::take(&mut *self.cursors());
        cursors.into_values().for_each(ReadCursor::stop);
        self.redis().take();
    }

    /// Delivers a message that the server pushes, unless its inbox is catching up.
    pub(super) fn on_message(self: &Arc<Self>, message: &Msg) {
        let subject = self.keys.parse(message.get_channel_name());
        if let Some(subject) = subject.filter(|subject| !is_kept(subject.kind)) {
            return self.inboxes.deliver_or_drop(&subject, message.get_payload_bytes());
        }
        let entry = EntryId::split_payload(message.get_payload_bytes());
        let Some((subject, (id, payload))) = subject.zip(entry) else {
            self.counters.unreadable(1);
            return;
        };
        let Some(address) = subject.address() else { return };
        let mut cursors = self.cursors();
        let Some(cursor) = cursors.get_mut(&address) else {
            self.counters.unclaimed(count_envelopes(payload));
            return;
        };
        let source = Keys::source(&subject);
        if cursor.catching_up {
            cursor.announced.insert(source);
            return;
        }
        if cursor.position(&source).is_some_and(|read| read >= id && !self.is_stale(read, id.millis)) {
            return;
        }
        match self.inboxes.deliver(&subject, payload, 0) {
            DeliveryOutcome::Full(rest) => {
                cursor.catching_up = true;
                cursor.partial.insert(source.clone(), (id, rest.frames_delivered()));
                cursor.announced.insert(source);
                self.catch_up(&address, cursor);
            }
            // The host is stopping. The message is left to the next one.
            DeliveryOutcome::NoInbox => {}
            DeliveryOutcome::Delivered => cursor.advance(source, id),
        }
    }

    /// Returns whether a cursor lies so far ahead of the server's clock, in milliseconds, that the
    /// clock has been set back since, and the stream has begun anew.
    fn is_stale(&self, cursor: EntryId, server_millis: u64) -> bool {
        cursor.millis > server_millis.saturating_add(millis(self.lifetime))
    }

    /// Starts a task that reads the streams of an address, in place of one that runs.
    fn catch_up(self: &Arc<Self>, at: &Address, cursor: &mut ReadCursor) {
        let Some(redis) = self.redis().clone() else { return };
        let reader = self.clone();
        let at = at.clone();
        let task = tokio::spawn(async move {
            // A server that loads its data, or is busy, fails for a while. If the connection is
            // lost, the next one starts another task in place of this one.
            let mut backoff = Backoff::default();
            while let Err(error) = reader.read_until_caught_up(redis.clone(), &at).await {
                tracing::warn!(?at, %error, "an inbox cannot read its streams yet");
                if let Some(cursor) = reader.cursors().get_mut(&at) {
                    cursor.must_read_all = true;
                }
                tokio::time::sleep(backoff.next_pause()).await;
            }
        });
        if let Some(before) = cursor.catch_up_task.replace(task.abort_handle()) {
            before.abort();
        }
    }

    /// Reads the streams of an address until nothing more is in them, or its inbox is closed.
    async fn read_until_caught_up(&self, mut redis: MultiplexedConnection, at: &Address) -> RedisResult<()> {
        let mut sources = HashSet::new();
        loop {
            match self.cursors().get_mut(at) {
                Some(cursor) => {
                    sources.extend(cursor.announced.drain());
                    if std::mem::take(&mut cursor.must_read_all) {
                        sources.extend(cursor.sources().filter(|source| Keys::is_source(source, at)).cloned());
                    }
                }
                None => return Ok(()),
            }
            let time: (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await?;
            let now = time_millis(time);
            self.set_clock(now);
            let all: Vec<String> = std::mem::take(&mut sources).into_iter().collect();
            for some in all.chunks(STREAMS_PER_READ) {
                match self.read_streams(&mut redis, at, some, now).await? {
                    Some(unfinished) => sources.extend(unfinished),
                    None => return Ok(()),
                }
            }
            if let Some(cursor) = self.cursors().get_mut(at)
                && sources.is_empty()
                && !cursor.must_read_all
                && cursor.announced.is_empty()
            {
                cursor.catching_up = false;
                return Ok(());
            }
        }
    }

    /// Reads entries from the streams of some sources, and returns the sources that had any; `None`
    /// if the inbox is closed.
    async fn read_streams(
        &self,
        redis: &mut MultiplexedConnection,
        at: &Address,
        sources: &[String],
        now: u64,
    ) -> RedisResult<Option<Vec<String>>> {
        let ids: Vec<EntryId> = match self.cursors().get(at) {
            Some(cursor) => {
                let position = |source| cursor.position(source).unwrap_or(cursor.begin);
                let is_valid = |id: &EntryId| !self.is_stale(*id, now);
                sources.iter().map(|source| Some(position(source)).filter(is_valid).unwrap_or_default()).collect()
            }
            None => return Ok(None),
        };
        let streams: Vec<String> = sources.iter().map(|source| self.keys.stream(source, at)).collect();
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(READ_COUNT).arg("STREAMS").arg(&streams);
        for id in ids {
            read.arg(id.to_string());
        }
        let reply: Option<StreamReadReply> = read.query_async(redis).await?;
        let oldest = now.saturating_sub(millis(self.lifetime));
        let mut unfinished = Vec::new();
        for stream in reply.into_iter().flat_map(|reply| reply.keys) {
            unfinished.extend(self.keys.parse(&stream.key).map(|subject| Keys::source(&subject)));
            for entry in stream.ids {
                let Ok(id) = entry.id.parse::<EntryId>() else { continue };
                let payload: Option<Vec<u8>> = entry.get("f");
                let payload = payload.as_deref().unwrap_or_default();
                if !self.deliver_entry(at, &stream.key, id, payload, oldest).await {
                    return Ok(None);
                }
            }
        }
        Ok(Some(unfinished))
    }

    /// Delivers an entry of a stream as soon as there is room, and returns whether the inbox is
    /// still open. Entries from before `oldest`, in milliseconds, are skipped and counted.
    async fn deliver_entry(&self, at: &Address, stream: &str, id: EntryId, payload: &[u8], oldest: u64) -> bool {
        let Some(subject) = self.keys.parse(stream) else { return false };
        let source = Keys::source(&subject);
        let Some(skip) = self.cursors().get(at).map(|cursor| cursor.frames_delivered(&source, id)) else {
            return false;
        };
        if id.millis < oldest {
            self.counters.expired(count_envelopes(payload).saturating_sub(skip as u64));
        } else {
            let mut outcome = self.inboxes.deliver(&subject, payload, skip);
            while let DeliveryOutcome::Full(rest) = outcome {
                // If this task is aborted while it waits, its successor goes on from here.
                match self.cursors().get_mut(at) {
                    Some(cursor) => cursor.partial.insert(source.clone(), (id, rest.frames_delivered())),
                    None => return false,
                };
                outcome = self.inboxes.resume(rest).await;
            }
            if matches!(outcome, DeliveryOutcome::NoInbox) {
                return false;
            }
        }
        match self.cursors().get_mut(at) {
            Some(cursor) => cursor.advance(source, id),
            None => return false,
        }
        true
    }
}

/// Returns a duration in milliseconds, at most `u64::MAX`.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the time of the server, as it answers `TIME`, in milliseconds.
pub(super) fn time_millis((seconds, micros): (u64, u64)) -> u64 {
    seconds.saturating_mul(1000).saturating_add(micros / 1000)
}

#[cfg(test)]
mod tests {
    use neuron_core::{
        command::{Command, Request},
        transport::Envelope,
        wire::{Bundle, MAX_BUNDLE},
    };
    use redis::{PushInfo, PushKind, Value};
    use transport_broker::{Route, Subjects};

    use super::*;

    #[test]
    fn a_message_without_an_inbox_is_left_to_the_next_process() {
        let counters = Arc::new(ConnectionCounters::default());
        let (inboxes, _closed) = Inboxes::new(10, counters.clone());
        let subjects = Arc::new(Subjects::new("nn", &"kept".parse().expect("a name"), ':'));
        let keys = Keys::new(subjects.clone());
        let reader = Arc::new(StreamReader::new(keys, inboxes.clone(), counters.clone(), Duration::from_secs(1)));
        let at = Address::Neuron("z".parse().expect("a name"));
        reader.cursors().insert(at.clone(), ReadCursor::default());
        let push = |millis: u64, count: usize| {
            let request = Box::new(Request::new(millis, Command::Output { after: neuron_core::Tag::ORIGIN }));
            let (from, to) = ("a".parse().expect("a name"), "z".parse().expect("a name"));
            let (route, frame) = Route::encode(Envelope::Request { from, to, request }).expect("it is small");
            let mut bundle = Bundle::new(frame.clone());
            assert!((1..count).all(|_| bundle.add(&frame, MAX_BUNDLE)));
            let payload = [format!("{millis}-0 ").as_bytes(), &bundle.into_message()].concat();
            let data = [subjects.of_route(&route).into_bytes(), payload].map(Value::BulkString).to_vec();
            Msg::from_push_info(PushInfo { kind: PushKind::Message, data }).expect("a message")
        };
        let read = || reader.cursors().get(&at).and_then(|cursor| cursor.position("ctl:a"));
        let inbox = inboxes.open(&at);
        reader.on_message(&push(1, 2));
        assert_eq!(read(), Some(EntryId { millis: 1, sequence: 0 }));
        drop(inbox);
        for (number, count) in [(2, 1), (3, 4)] {
            reader.on_message(&push(number, count));
            assert_eq!(read(), Some(EntryId { millis: 1, sequence: 0 }));
        }
        assert_eq!((counters.snapshot().received, counters.snapshot().unclaimed), (2, 5));
    }
}
