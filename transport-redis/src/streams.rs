//! Publish and subscribe with a memory: each message is also kept in a stream of its edge.
//!
//! One script appends a message to the stream `nn:v1:<network>:sig:<target>:<source>` and publishes it, with its place in the
//! stream, on the channel of the same name. Whoever listens takes it from the channel, which is fast and costs no question. The
//! stream is read only to catch up: after the connection was lost, after the process was away, and after an inbox was full.
//! Meanwhile what comes over the channel is left to the stream, so the order is kept.
//!
//! A stream has one source, so that the server's permissions tell who may write to it. Which sources have streams for a target is
//! kept in a set beside them; how far a target has read, in a hash.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use neuron_core::{NeuronId, transport::Address};
use redis::{Msg, Pipeline, PushInfo, RedisResult, aio::MultiplexedConnection, streams::StreamReadReply};
use tokio::task::AbortHandle;
use transport_broker::{
    Backoff, ConnectionCounters, DeliveryOutcome, Inboxes, MessageKind, OutgoingMessage, ParsedSubject, Subjects,
    envelopes,
};

use crate::connection::Line;

/// How many messages a stream keeps, about: no fewer envelopes than a neuron keeps for a subscriber that does not answer.
const LENGTH: usize = 1024;
/// How many entries of each stream are read at a time.
const AT_A_TIME: usize = 64;
/// How long a stream outlives its last entry, as a multiple of what entries are worth.
const OUTLIVES: u32 = 20;
/// How long that is at most: a server takes no time that reaches beyond its calendar. A century, in milliseconds.
const MAX_PAUSE: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// Appends to a stream, notes who has written to it, and publishes.
const SCRIPT: &str = "local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'f', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('PUBLISH', KEYS[1], id .. ' ' .. ARGV[2])
return id";

/// A place in a stream: milliseconds of the server's clock, and a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u64, u64);

impl FromStr for Place {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (millis, number) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self(millis.parse()?, number.parse()?))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// How far an address had read when its inbox was open last: for each source, as it stands in the set of sources.
pub(crate) type Read = HashMap<String, String>;

/// How far an inbox has read.
#[derive(Debug, Default)]
struct Progress {
    /// What comes over the channel is left to the stream.
    behind: bool,
    /// Something has come over the channel since the streams were last read.
    more: bool,
    /// For each source the place of the last message taken in.
    read: HashMap<String, Place>,
    /// For each source whose next message has been taken in partly, because the inbox was full, the place of that, and how many
    /// envelopes of it.
    partly: HashMap<String, (Place, usize)>,
    /// That is not saved yet.
    unsaved: bool,
    catching_up: Option<AbortHandle>,
}

impl Progress {
    fn has_read(&mut self, source: String, place: Place) {
        self.partly.remove(&source);
        self.read.insert(source, place);
        self.unsaved = true;
    }

    /// How many envelopes of a message have been taken in already.
    fn taken(&self, source: &str, place: Place) -> usize {
        self.partly.get(source).filter(|(at, _)| *at == place).map_or(0, |(_, taken)| *taken)
    }
}

pub(crate) struct Streams {
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
    lifetime: Duration,
    progress: Mutex<HashMap<Address, Progress>>,
    /// Who has had an inbox in this process.
    known: Mutex<HashSet<Address>>,
    /// The connection that inboxes catch up over.
    redis: Mutex<Option<MultiplexedConnection>>,
}

impl Streams {
    pub(crate) fn new(
        subjects: Arc<Subjects>,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
        lifetime: Duration,
    ) -> Self {
        let (progress, known, redis) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { subjects, inboxes, counters, lifetime, progress, known, redis }
    }

    fn progress(&self) -> MutexGuard<'_, HashMap<Address, Progress>> {
        // Nothing that can panic happens while it is held.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message to what is written next.
    pub(crate) fn publish(&self, pipeline: &mut Pipeline, message: &OutgoingMessage) {
        let Some(parsed) = self.subjects.parse(&message.subject) else { return };
        let outlives = millis(self.lifetime.saturating_mul(OUTLIVES)).min(MAX_PAUSE);
        pipeline
            .cmd("EVAL")
            .arg(SCRIPT)
            .arg(2)
            .arg(&message.subject)
            .arg(self.key("from", is_controller(parsed.kind), parsed.target))
            .arg(LENGTH)
            .arg(&message.message)
            .arg(outlives)
            .arg(source(&parsed));
    }

    /// A key about a target: `nn:v1:<network>:<what>:<n or c>:<target>`.
    fn key(&self, what: &str, controller: bool, target: &str) -> String {
        format!("{}{what}:{}:{target}", self.subjects.stem(), if controller { 'c' } else { 'n' })
    }

    fn key_of(&self, what: &str, at: &Address) -> String {
        match at {
            Address::Neuron(id) => self.key(what, false, id.as_str()),
            Address::Controller(id) => self.key(what, true, id.as_str()),
        }
    }

    /// Takes in what the server pushes.
    pub(crate) fn take(self: &Arc<Self>, push: PushInfo) {
        let Some(message) = Msg::from_push_info(push) else { return };
        let parsed = self.subjects.parse(message.get_channel_name());
        let (Some(parsed), Some((place, payload))) = (parsed, open(message.get_payload_bytes())) else {
            self.counters.unreadable(1);
            return;
        };
        let Some(address) = parsed.address() else { return };
        let mut all = self.progress();
        let Some(progress) = all.get_mut(&address) else {
            self.counters.unclaimed(envelopes(payload));
            return;
        };
        if progress.behind {
            progress.more = true;
            return;
        }
        let source = source(&parsed);
        if progress.read.get(&source).is_some_and(|read| *read >= place && !self.is_from_later(*read, place.0)) {
            return;
        }
        match self.inboxes.deliver(&parsed, payload, 0) {
            DeliveryOutcome::Full(rest) => {
                progress.behind = true;
                progress.partly.insert(source, (place, rest.taken()));
                self.catch_up(&address, progress);
            }
            // Its host stops. It is left for the next one.
            DeliveryOutcome::Nobody => {}
            DeliveryOutcome::Yes => progress.has_read(source, place),
        }
    }

    /// Whether somebody has read up to a place that lies so far ahead of the server's clock, in milliseconds, that the clock has
    /// gone back since, and the stream has begun anew.
    fn is_from_later(&self, read: Place, now: u64) -> bool {
        read.0 > now.saturating_add(millis(self.lifetime))
    }

    fn known(&self) -> MutexGuard<'_, HashSet<Address>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What asks how far an address had read when it was open last, in another process; nothing if it never was. One that was open in
    /// this process, or still is, begins with what is sent from now on.
    pub(crate) fn last_read(&self, at: &Address) -> Pipeline {
        let key = self.key_of("read", at);
        let mut asking = Pipeline::new();
        if self.known().contains(at) {
            asking.cmd("DEL").arg(&key).ignore();
        }
        asking.cmd("HGETALL").arg(&key);
        asking
    }

    /// An inbox has been opened.
    pub(crate) fn begin(self: &Arc<Self>, line: &Line, at: &Address, last_read: Read) {
        self.set_line(line);
        self.known().insert(at.clone());
        let behind = !last_read.is_empty();
        let read = last_read.into_iter().filter_map(|(source, place)| Some((source, place.parse().ok()?))).collect();
        let mut progress =
            Progress { behind, more: behind, read, partly: HashMap::new(), unsaved: true, catching_up: None };
        if behind {
            self.catch_up(at, &mut progress);
        }
        let before = self.progress().insert(at.clone(), progress);
        if let Some(catching_up) = before.and_then(|before| before.catching_up) {
            catching_up.abort();
        }
    }

    fn set_line(&self, line: &Line) {
        *self.redis.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.redis.clone());
    }

    /// An inbox has been closed. If this process ends now, the next one goes on from here. Nobody goes on with a controller:
    /// what it was told is of no use to another one.
    pub(crate) fn close(&self, line: &Line, at: &Address) -> impl Future<Output = ()> + Send + use<> {
        let progress = self.progress().remove(at);
        let mut last = Pipeline::new();
        if matches!(at, Address::Controller(_)) {
            last.cmd("DEL").arg(self.key_of("read", at)).ignore();
        } else if let Some(progress) = &progress {
            self.add_place(&mut last, at, progress);
        }
        if let Some(catching_up) = progress.and_then(|progress| progress.catching_up) {
            catching_up.abort();
        }
        let mut redis = line.redis.clone();
        async move {
            if !last.is_empty() {
                // If it is not saved, the next one hears a little more than it has to.
                let _ = last.exec_async(&mut redis).await;
            }
        }
    }

    /// Adds to what is written next how far somebody has read.
    fn add_place(&self, pipeline: &mut Pipeline, at: &Address, progress: &Progress) {
        // Something must be there even if nothing was read yet.
        let set = pipeline.cmd("HSET").arg(self.key_of("read", at)).arg("").arg("0-0");
        for (source, place) in &progress.read {
            set.arg(source).arg(place.to_string());
        }
        set.ignore();
    }

    /// From now on everything is left to the streams.
    pub(crate) fn hold_everything(&self) {
        for progress in self.progress().values_mut() {
            (progress.behind, progress.more) = (true, true);
        }
    }

    /// Everybody reads what was missed.
    pub(crate) fn catch_up_everything(self: &Arc<Self>, line: &Line) {
        self.set_line(line);
        for (at, progress) in self.progress().iter_mut() {
            self.catch_up(at, progress);
        }
    }

    /// Nobody reads any more, because there is no connection and never will be.
    pub(crate) fn end(&self) {
        for progress in std::mem::take(&mut *self.progress()).into_values() {
            if let Some(catching_up) = progress.catching_up {
                catching_up.abort();
            }
        }
        self.redis.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Saves how far everybody has read.
    pub(crate) fn save(self: &Arc<Self>, line: &Line) -> impl Future<Output = RedisResult<()>> + Send + use<> {
        let mut pipeline = Pipeline::new();
        let mut saved = Vec::new();
        for (at, progress) in self.progress().iter_mut().filter(|(_, progress)| progress.unsaved) {
            progress.unsaved = false;
            saved.push(at.clone());
            self.add_place(&mut pipeline, at, progress);
        }
        let (mut redis, streams) = (line.redis.clone(), self.clone());
        async move {
            if pipeline.is_empty() {
                return Ok(());
            }
            let result = pipeline.exec_async(&mut redis).await;
            if result.is_err() {
                let mut all = streams.progress();
                saved.iter().for_each(|at| {
                    if let Some(progress) = all.get_mut(at) {
                        progress.unsaved = true;
                    }
                });
            }
            result
        }
    }

    fn catch_up(self: &Arc<Self>, at: &Address, progress: &mut Progress) {
        let Some(redis) = self.redis.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        let (streams, at) = (self.clone(), at.clone());
        let task = tokio::spawn(async move {
            // A server that is still loading, or busy, says so for a while. If the connection is lost, this is ended, and begins
            // anew when there is another one.
            let mut backoff = Backoff::default();
            while let Err(error) = streams.read_on(redis.clone(), &at).await {
                tracing::warn!(?at, %error, "an inbox cannot read its streams yet");
                tokio::time::sleep(backoff.pause()).await;
            }
        });
        if let Some(before) = progress.catching_up.replace(task.abort_handle()) {
            before.abort();
        }
    }

    /// Reads what is in the streams for an address, until nothing more comes.
    async fn read_on(&self, mut redis: MultiplexedConnection, at: &Address) -> RedisResult<()> {
        let (controller, target) = match at {
            Address::Neuron(id) => (false, id.as_str()),
            Address::Controller(id) => (true, id.as_str()),
        };
        loop {
            // What comes from now on may come from somebody who is not in the set yet when it is read.
            match self.progress().get_mut(at) {
                Some(progress) => progress.more = false,
                None => return Ok(()),
            }
            let mut pipeline = Pipeline::new();
            pipeline.cmd("TIME").cmd("SMEMBERS").arg(self.key("from", controller, target));
            // Whoever may write to the set may write anything.
            let ((seconds, _), sources): ((u64, u64), Vec<Vec<u8>>) = pipeline.query_async(&mut redis).await?;
            let now = seconds.saturating_mul(1000);
            let sources: Vec<String> = sources
                .into_iter()
                .filter_map(|source| String::from_utf8(source).ok())
                .filter(|source| is_source(source, controller))
                .collect();
            let places: Vec<Place> = match self.progress().get_mut(at) {
                Some(progress) => {
                    let read = |source| progress.read.get(source).filter(|read| !self.is_from_later(**read, now));
                    sources.iter().map(|source| read(source).copied().unwrap_or_default()).collect()
                }
                None => return Ok(()),
            };
            let mut any = false;
            if !sources.is_empty() {
                let subjects: Vec<String> = sources.iter().map(|source| self.subject(source, target)).collect();
                let mut read = redis::cmd("XREAD");
                read.arg("COUNT").arg(AT_A_TIME).arg("STREAMS").arg(&subjects);
                for place in places {
                    read.arg(place.to_string());
                }
                let reply: Option<StreamReadReply> = read.query_async(&mut redis).await?;
                let oldest = now.saturating_sub(millis(self.lifetime));
                for stream in reply.into_iter().flat_map(|reply| reply.keys) {
                    for entry in stream.ids {
                        any = true;
                        let Ok(place) = entry.id.parse::<Place>() else { continue };
                        let frame: Option<Vec<u8>> = entry.get("f");
                        if !self.put(at, &stream.key, place, frame.as_deref().unwrap_or_default(), oldest).await {
                            return Ok(());
                        }
                    }
                }
            }
            if let Some(progress) = self.progress().get_mut(at).filter(|progress| !any && !progress.more) {
                progress.behind = false;
                return Ok(());
            }
        }
    }

    /// Takes in an entry of a stream, as soon as there is room. Tells whether anybody still listens.
    async fn put(&self, at: &Address, key: &str, place: Place, message: &[u8], oldest: u64) -> bool {
        let Some(parsed) = self.subjects.parse(key) else { return false };
        let source = source(&parsed);
        let Some(taken) = self.progress().get(at).map(|progress| progress.taken(&source, place)) else { return false };
        if place.0 < oldest {
            self.counters.expired(envelopes(message).saturating_sub(taken as u64));
        } else {
            let mut delivered = self.inboxes.deliver(&parsed, message, taken);
            while let DeliveryOutcome::Full(rest) = delivered {
                // If this ends while it waits, it goes on from here.
                match self.progress().get_mut(at) {
                    Some(progress) => progress.partly.insert(source.clone(), (place, rest.taken())),
                    None => return false,
                };
                delivered = self.inboxes.resume(rest).await;
            }
            if matches!(delivered, DeliveryOutcome::Nobody) {
                return false;
            }
        }
        match self.progress().get_mut(at) {
            Some(progress) => progress.has_read(source, place),
            None => return false,
        }
        true
    }

    /// The stream of a source, as it stands in the set of sources, for a target.
    fn subject(&self, source: &str, target: &str) -> String {
        let (kind, name) = source.split_once(':').unwrap_or(("sig", source));
        format!("{}{kind}:{target}:{name}", self.subjects.stem())
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn is_controller(kind: MessageKind) -> bool {
    kind == MessageKind::Report
}

/// Whether a member of a set of sources is one.
fn is_source(member: &str, controller: bool) -> bool {
    let Some((kind, name)) = member.split_once(':') else { return false };
    let fits = MessageKind::ALL.into_iter().any(|known| known.as_str() == kind && is_controller(known) == controller);
    fits && name.parse::<NeuronId>().is_ok()
}

/// The source of a message, as it stands in the set of sources.
fn source(parsed: &ParsedSubject<'_>) -> String {
    format!("{}:{}", parsed.kind.as_str(), parsed.source)
}

/// The place and the frame of what came over a channel.
fn open(payload: &[u8]) -> Option<(Place, &[u8])> {
    let space = payload.iter().position(|byte| *byte == b' ')?;
    let place = std::str::from_utf8(&payload[..space]).ok()?.parse().ok()?;
    Some((place, &payload[space + 1..]))
}

#[cfg(test)]
mod tests {
    use neuron_core::{
        command::{Command, Request},
        transport::Envelope,
        wire::{Bundle, MAX_BUNDLE},
    };
    use redis::{PushKind, Value};
    use transport_broker::Route;

    use super::*;

    #[test]
    fn what_was_taken_of_a_message_is_forgotten_with_it_and_not_before() {
        let mut progress = Progress::default();
        progress.partly.insert("sig:a".to_owned(), (Place(7, 0), 3));
        progress.partly.insert("sig:b".to_owned(), (Place(8, 1), 5));
        progress.has_read("sig:b".to_owned(), Place(8, 1));
        assert_eq!((progress.taken("sig:a", Place(7, 0)), progress.taken("sig:b", Place(8, 1))), (3, 0));
        // Another message of that source has another place.
        assert_eq!((progress.taken("sig:a", Place(7, 1)), progress.taken("sig:c", Place(7, 0))), (0, 0));
        progress.has_read("sig:a".to_owned(), Place(7, 0));
        assert_eq!(progress.taken("sig:a", Place(7, 0)), 0);
    }

    #[test]
    fn what_comes_over_a_channel_has_its_place_before_it() {
        assert_eq!(open(b"12-3 \x01\x04 x"), Some((Place(12, 3), &b"\x01\x04 x"[..])));
        for none in [&b""[..], b"12-3", b" x", b"a-b x", b"\xff x"] {
            assert_eq!(open(none), None);
        }
    }

    #[test]
    fn what_comes_for_nobody_is_left_for_the_next_one() {
        let counters = Arc::new(ConnectionCounters::default());
        let (inboxes, _closed) = Inboxes::new(10, counters.clone());
        let subjects = Arc::new(Subjects::new("nn", &"kept".parse().expect("a name"), ':'));
        let streams =
            Arc::new(Streams::new(subjects.clone(), inboxes.clone(), counters.clone(), Duration::from_secs(1)));
        let at = Address::Neuron("z".parse().expect("a name"));
        streams.progress().insert(at.clone(), Progress::default());
        let push = |place: u64, count: usize| {
            let request = Box::new(Request { id: place, command: Command::Output });
            let (from, to) = ("a".parse().expect("a name"), "z".parse().expect("a name"));
            let (route, frame) = Route::seal(Envelope::Request { from, to, request }).expect("it is small");
            let mut bundle = Bundle::new(frame.clone());
            assert!((1..count).all(|_| bundle.add(&frame, MAX_BUNDLE)));
            let payload = [format!("{place}-0 ").as_bytes(), &bundle.into_message()].concat();
            let data = [b"*".to_vec(), subjects.of(&route).into_bytes(), payload].map(Value::BulkString).to_vec();
            PushInfo { kind: PushKind::PMessage, data }
        };
        let read = || streams.progress().get(&at).and_then(|progress| progress.read.get("ctl:a").copied());
        let inbox = inboxes.open(&at);
        streams.take(push(1, 2));
        assert_eq!(read(), Some(Place(1, 0)));
        drop(inbox);
        for (number, count) in [(2, 1), (3, 4)] {
            streams.take(push(number, count));
            assert_eq!(read(), Some(Place(1, 0)));
        }
        assert_eq!((counters.read().received, counters.read().unclaimed), (2, 5));
    }
}
