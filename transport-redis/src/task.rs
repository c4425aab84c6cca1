//! The task that owns the connection: it does what it is told in order, and connects again whenever it has to.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, task::Context, time::Duration};

use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use redis::{Pipeline, PushInfo, RedisError, RedisResult, Value, aio::ConnectionLike as _};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, interval_at},
};
use transport_broker::{
    Backoff, BatchItem, Batcher, ConnectionCommand, ConnectionCounters, ConnectionDriver, ConnectionState,
    DriverContext, Inboxes, Subjects, SubscribeReply,
};

use crate::{
    Config, Mode,
    connection::{ANSWERING, Dialer, Line, PING},
    error, pubsub,
    streams::{Read, Streams},
};

/// How many messages are written as one.
const BATCH: usize = 256;
/// How many batches may be under way before more are taken on.
const UNDER_WAY: usize = 32;

/// How often is saved how far streams were read: what was read since may be read again after a crash.
const SAVE: Duration = Duration::from_millis(200);

type UnderWay = FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>;

/// Something that was written has been answered.
enum Done {
    /// Messages, each with so many envelopes.
    Sent(Vec<usize>, RedisResult<Vec<Value>>),
    /// The subscription for an opening with this number.
    Subscribed(u64, RedisResult<Read>),
    /// The question whether the server is there, or something else that must succeed.
    Alive(RedisResult<()>),
}

/// Why the connection is left.
enum Left {
    /// It has to be made again.
    Lost(String),
    /// Nobody needs it any more.
    Unneeded,
    /// It has to be made anew where neurons run.
    For(Handle),
}

pub(crate) struct Task {
    config: Config,
    dialer: Dialer,
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
    streams: Option<Arc<Streams>>,
    /// Inboxes that are being opened, by a number of their own.
    opening: BTreeMap<u64, (Address, SubscribeReply)>,
    openings: u64,
    /// Addresses that were subscribed to for somebody who has gone.
    abandoned: Vec<Address>,
    /// Joins what waits for one receiver.
    batcher: Batcher,
    /// Envelopes that were written and have no answer yet.
    unanswered: usize,
}

impl Task {
    pub(crate) fn new(
        config: Config,
        dialer: Dialer,
        subjects: Arc<Subjects>,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
    ) -> Self {
        let streams = (config.mode == Mode::Streams)
            .then(|| Arc::new(Streams::new(subjects.clone(), inboxes.clone(), counters.clone(), config.lifetime)));
        Self {
            config,
            dialer,
            subjects,
            inboxes,
            counters,
            streams,
            opening: BTreeMap::new(),
            openings: 0,
            abandoned: Vec::new(),
            batcher: Batcher::default(),
            unanswered: 0,
        }
    }

    /// Connects once.
    pub(crate) async fn dial(&mut self) -> Result<Line, RedisError> {
        let take: Arc<dyn Fn(PushInfo) + Send + Sync> = match &self.streams {
            Some(streams) => {
                let streams = streams.clone();
                Arc::new(move |push| streams.take(push))
            }
            None => {
                let (subjects, inboxes, counters) =
                    (self.subjects.clone(), self.inboxes.clone(), self.counters.clone());
                Arc::new(move |push| pubsub::take(push, &subjects, &inboxes, &counters))
            }
        };
        self.dialer.dial(take).await
    }

    /// Works as long as the connection stands.
    async fn work(&mut self, line: Line, cx: &mut DriverContext) -> Left {
        let mut under_way = UnderWay::new();
        let mut ended = line.ended.clone();
        // Nothing is subscribed to over a new connection but what is open.
        self.abandoned.clear();
        for (at, opening) in std::mem::take(&mut cx.waiting) {
            start(&under_way, self.subscribe(&line, at, opening));
        }
        let mut ping = interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut save = interval(SAVE);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = cx.commands.recv_many(&mut batch, BATCH), if under_way.len() < UNDER_WAY => {
                    if count == 0 {
                        break;
                    }
                    self.take_on(&mut batch, &line, &under_way);
                }
                Some(done) = under_way.next() => {
                    if let Some(why) = self.done(done, &line) {
                        return Left::Lost(why);
                    }
                    for at in std::mem::take(&mut self.abandoned) {
                        self.unsubscribe_unless_wanted(&line, &at, &under_way);
                    }
                }
                Some(handle) = cx.moves.recv() => {
                    // What is under way comes to its end first.
                    while let Some(done) = under_way.next().await {
                        if let Some(why) = self.done(done, &line) {
                            tracing::debug!(%why, "the connection breaks while it moves");
                            break;
                        }
                    }
                    cx.waiting.extend(std::mem::take(&mut self.opening).into_values());
                    return Left::For(handle);
                }
                Some(at) = cx.closed.recv() => {
                    self.unsubscribe_unless_wanted(&line, &at, &under_way);
                }
                _ = ping.tick() => {
                    let mut redis = line.redis.clone();
                    start(&under_way, async move { Done::Alive(redis::cmd("PING").exec_async(&mut redis).await) });
                }
                _ = save.tick(), if self.streams.is_some() => {
                    if let Some(streams) = &self.streams {
                        let saving = streams.save(&line);
                        start(&under_way, async move { Done::Alive(saving.await) });
                    }
                }
                () = has_ended(&mut ended) => return Left::Lost("the server has closed the connection".to_owned()),
            }
        }
        self.tidy_up(&line, &mut cx.closed, under_way).await;
        Left::Unneeded
    }

    /// Ends what was begun, before nobody needs the connection any more.
    async fn tidy_up(&self, line: &Line, closed: &mut mpsc::UnboundedReceiver<Address>, mut under_way: UnderWay) {
        while let Ok(at) = closed.try_recv() {
            start(&under_way, self.unsubscribe(line, &at));
        }
        while under_way.next().await.is_some() {}
    }

    /// Writes what it was told to, in order. What follows each other is written as one, and what goes to one receiver is joined.
    fn take_on(&mut self, batch: &mut Vec<ConnectionCommand>, line: &Line, under_way: &UnderWay) {
        batch.drain(..).for_each(|command| self.batcher.add(command));
        let (mut pipeline, mut envelopes) = (Pipeline::new(), Vec::new());
        while let Some(step) = self.batcher.next(&self.subjects) {
            match step {
                BatchItem::Send(message) => {
                    match &self.streams {
                        Some(streams) => streams.publish(&mut pipeline, &message),
                        None => pubsub::publish(&mut pipeline, &message),
                    }
                    envelopes.push(message.envelopes);
                }
                BatchItem::Subscribe { at, done } => {
                    self.send(line, under_way, std::mem::take(&mut pipeline), std::mem::take(&mut envelopes));
                    start(under_way, self.subscribe(line, at, done));
                }
            }
        }
        self.send(line, under_way, pipeline, envelopes);
    }

    /// Writes messages, each with so many envelopes.
    fn send(&mut self, line: &Line, under_way: &UnderWay, pipeline: Pipeline, envelopes: Vec<usize>) {
        if envelopes.is_empty() {
            return;
        }
        self.unanswered += envelopes.iter().sum::<usize>();
        let mut redis = line.redis.clone();
        start(under_way, async move {
            let answers = redis.req_packed_commands(&pipeline, 0, envelopes.len()).await;
            Done::Sent(envelopes, answers)
        });
    }

    fn is_opening(&self, at: &Address) -> bool {
        self.opening.values().any(|(opening, _)| opening == at)
    }

    fn subscribe(
        &mut self,
        line: &Line,
        at: Address,
        opening: SubscribeReply,
    ) -> impl Future<Output = Done> + Send + use<> {
        let mut redis = line.redis.clone();
        let patterns = self.subjects.patterns(&at);
        let last_read = self.streams.as_ref().map(|streams| streams.last_read(&at));
        self.openings += 1;
        let number = self.openings;
        self.opening.insert(number, (at, opening));
        async move {
            let mut backoff = Backoff::default();
            loop {
                let result = match (redis.psubscribe(&patterns).await, &last_read) {
                    (Ok(()), Some(last_read)) => last_read.query_async(&mut redis).await.map(|(read,): (Read,)| read),
                    (result, _) => result.map(|()| Read::new()),
                };
                match result {
                    // Whoever waits for it does so for a while.
                    Err(error) if error::is_passing(&error) => tokio::time::sleep(backoff.pause()).await,
                    result => return Done::Subscribed(number, result),
                }
            }
        }
    }

    fn unsubscribe_unless_wanted(&self, line: &Line, at: &Address, under_way: &UnderWay) {
        if !self.inboxes.has(at) && !self.is_opening(at) {
            start(under_way, self.unsubscribe(line, at));
        }
    }

    fn unsubscribe(&self, line: &Line, at: &Address) -> impl Future<Output = Done> + Send + use<> {
        let mut redis = line.redis.clone();
        let patterns = self.subjects.patterns(at);
        let closing = self.streams.as_ref().map(|streams| streams.close(line, at));
        async move {
            let unsubscribed = redis.punsubscribe(patterns).await;
            if let Some(closing) = closing {
                closing.await;
            }
            Done::Alive(unsubscribed)
        }
    }

    /// Takes in an answer. Tells why the connection is of no use any more, if it is not.
    fn done(&mut self, done: Done, line: &Line) -> Option<String> {
        match done {
            Done::Sent(envelopes, answers) => {
                let count = envelopes.iter().sum::<usize>();
                self.unanswered -= count;
                match answers {
                    Ok(answers) => {
                        let each = answers.iter().zip(envelopes);
                        let refused =
                            each.map(|(answer, count)| if is_refused(answer) { count } else { 0 }).sum::<usize>();
                        self.counters.refused(refused as u64);
                        self.counters.sent((count - refused) as u64);
                        None
                    }
                    Err(error) if error::is_refusal(&error) => {
                        tracing::warn!(%error, "the server refuses messages");
                        self.counters.refused(count as u64);
                        None
                    }
                    Err(error) => {
                        self.counters.unsent(count as u64);
                        Some(error.to_string())
                    }
                }
            }
            Done::Subscribed(number, Ok(last_read)) => {
                let (at, opening) = self.opening.remove(&number)?;
                if opening.is_closed() {
                    // Whoever wanted it has gone. An inbox that is open stays.
                    self.abandoned.push(at);
                    return None;
                }
                let inbox = self.inboxes.open(&at);
                if let Some(streams) = &self.streams {
                    streams.begin(line, &at, last_read);
                }
                // Whoever waited for it may have gone; then it closes again.
                let _ = opening.send(Ok(inbox));
                None
            }
            Done::Subscribed(number, Err(error)) if error::is_refusal(&error) => {
                let (_, opening) = self.opening.remove(&number)?;
                let _ = opening.send(Err(TransportError::new(TransportErrorKind::Refused, error)));
                None
            }
            // It is put off until there is another connection.
            Done::Subscribed(_, Err(error)) => Some(error.to_string()),
            Done::Alive(Ok(())) => None,
            // It lives, and does not let us do everything.
            Done::Alive(Err(error)) if error::is_refusal(&error) => None,
            Done::Alive(Err(error)) => Some(error.to_string()),
        }
    }

    /// Connects again, and subscribes again for all who listen. Nothing when nobody needs that any more.
    async fn connect_again(&mut self, mut why: String, cx: &mut DriverContext) -> Option<Line> {
        let lost = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            if self.config.give_up_after.is_some_and(|limit| lost.elapsed() > limit) {
                tracing::error!(broker = cx.status.broker(), %why, "given up");
                return None;
            }
            if !cx.pause(backoff.pause()).await {
                return None;
            }
            why = match self.connect_once().await {
                Ok(line) => return Some(line),
                Err(error) => error.to_string(),
            };
            cx.status.set(ConnectionState::Reconnecting { attempts: backoff.attempts(), why: why.clone() });
        }
    }

    async fn connect_once(&mut self) -> Result<Line, RedisError> {
        if let Some(streams) = &self.streams {
            streams.hold_everything();
        }
        let mut line = self.dial().await?;
        match tokio::time::timeout(ANSWERING, self.subscribe_again(&mut line)).await {
            Ok(subscribed) => subscribed?,
            Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
        if let Some(streams) = &self.streams {
            streams.catch_up_everything(&line);
        }
        Ok(line)
    }

    /// Subscribes for all who listen. An inbox that the server lets nobody read any more ends; the others go on. Whatever else it says
    /// is no reason to end one.
    async fn subscribe_again(&self, line: &mut Line) -> Result<(), RedisError> {
        let addresses = self.inboxes.addresses();
        let patterns: Vec<String> = addresses.iter().flat_map(|at| self.subjects.patterns(at)).collect();
        if patterns.is_empty() {
            return Ok(());
        }
        match line.redis.psubscribe(patterns).await {
            Err(error) if error::is_forbidden(&error) => {}
            subscribed => return subscribed,
        }
        // One by one, and none waits for the answer to the one before.
        let subscribing = addresses.iter().map(|at| {
            let (mut redis, patterns) = (line.redis.clone(), self.subjects.patterns(at));
            async move { redis.psubscribe(patterns).await }
        });
        for (at, subscribed) in addresses.iter().zip(join_all(subscribing).await) {
            match subscribed {
                Err(error) if error::is_forbidden(&error) => {
                    tracing::error!(?at, %error, "an inbox may not be read any more; it ends");
                    self.inboxes.end(at);
                }
                subscribed => subscribed?,
            }
        }
        Ok(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(streams) = &self.streams {
            streams.end();
        }
    }
}

impl ConnectionDriver for Task {
    type Line = Line;

    async fn run(&mut self, line: Option<Line>, cx: &mut DriverContext) -> Option<Handle> {
        let mut line = match line {
            Some(line) => line,
            None => {
                let line = match self.connect_once().await {
                    Ok(line) => line,
                    // Moving is no reason to say that the connection is lost, unless it cannot be made.
                    Err(error) => {
                        let why = error.to_string();
                        cx.status.set(ConnectionState::Reconnecting { attempts: 0, why: why.clone() });
                        self.connect_again(why, cx).await?
                    }
                };
                if !cx.status.is_connected() {
                    self.counters.reconnects(1);
                    cx.status.set(ConnectionState::Connected);
                }
                line
            }
        };
        loop {
            match self.work(line, cx).await {
                Left::Unneeded => return None,
                Left::For(handle) => return Some(handle),
                Left::Lost(why) => {
                    self.counters.unsent(std::mem::take(&mut self.unanswered) as u64);
                    cx.waiting.extend(std::mem::take(&mut self.opening).into_values());
                    cx.status.set(ConnectionState::Reconnecting { attempts: 0, why: why.clone() });
                    line = self.connect_again(why, cx).await?;
                    self.counters.reconnects(1);
                    cx.status.set(ConnectionState::Connected);
                }
            }
        }
    }

    fn interrupted(&mut self, cx: &mut DriverContext) {
        self.counters.unsent(std::mem::take(&mut self.unanswered) as u64);
        cx.waiting.extend(std::mem::take(&mut self.opening).into_values());
    }
}

/// Begins something. It is polled once here, so that what begins first is written first; whatever else this task has done in
/// its turn, or tokio would let it wait for the next one.
fn start(under_way: &UnderWay, future: impl Future<Output = Done> + Send + 'static) {
    let mut future: Pin<Box<dyn Future<Output = Done> + Send>> = Box::pin(tokio::task::unconstrained(future));
    let mut context = Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(done) => under_way.push(Box::pin(std::future::ready(done))),
        std::task::Poll::Pending => under_way.push(future),
    }
}

async fn has_ended(ended: &mut watch::Receiver<bool>) {
    // Without a sender it has ended, too.
    let _ = ended.wait_for(|ended| *ended).await;
}

fn is_refused(answer: &Value) -> bool {
    if let Value::ServerError(error) = answer {
        tracing::warn!(%error, "the server refuses a message");
        return true;
    }
    false
}
