//! Subscribing inboxes at the server, and ending subscriptions that are not needed any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use redis::{RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::time::{Instant, sleep};
use transport_broker::{Backoff, Inboxes, Route, Subjects, SubscribeReply};

use crate::{
    connection::Session,
    contact::{self, Channels},
    error,
    in_flight::{InFlight, Reply, spawn_polled},
    streams::{SavedPlace, Streams},
};

/// How many channels are subscribed to at a time, so that the server serves others in between.
const CHANNELS_PER_REQUEST: usize = 1000;

/// After what time without a request from a controller its channel is given up.
const IDLE: Duration = Duration::from_secs(45);

/// The subscriptions of one transport.
pub(crate) struct Subscriptions {
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    streams: Option<Arc<Streams>>,
    channels: Channels,
    /// The inboxes whose subscriptions are not confirmed yet, by the number of the request.
    opening: BTreeMap<u64, (Address, SubscribeReply)>,
    last_number: u64,
    /// The addresses that are subscribed although their callers have given up.
    abandoned: Vec<Address>,
}

impl Subscriptions {
    pub(crate) fn new(subjects: Arc<Subjects>, inboxes: Arc<Inboxes>, streams: Option<Arc<Streams>>) -> Self {
        let channels = Channels::default();
        let (opening, abandoned) = (BTreeMap::new(), Vec::new());
        Self { subjects, inboxes, streams, channels, opening, last_number: 0, abandoned }
    }

    /// Returns a request that subscribes an address. [`on_subscribed`](Self::on_subscribed) handles
    /// its reply.
    pub(crate) fn subscribe(
        &mut self,
        session: &Session,
        at: Address,
        reply: SubscribeReply,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let subscribing = self.subscribe_channels(session, &at, true);
        self.last_number += 1;
        let number = self.last_number;
        self.opening.insert(number, (at, reply));
        async move { Reply::Subscribed(number, subscribing.await) }
    }

    /// Returns a request that subscribes an address whose inbox is open.
    /// [`on_attached`](Self::on_attached) handles its reply.
    pub(crate) fn attach(&self, session: &Session, at: Address) -> impl Future<Output = Reply> + Send + use<> {
        // What is being read already keeps its position.
        let is_read = self.streams.as_ref().is_some_and(|streams| streams.is_read(&at));
        let subscribing = self.subscribe_channels(session, &at, !is_read);
        async move { Reply::Attached(at, subscribing.await) }
    }

    /// Subscribes an address, and loads its saved place if it is `wanted`.
    fn subscribe_channels(
        &self,
        session: &Session,
        at: &Address,
        wanted: bool,
    ) -> impl Future<Output = RedisResult<Option<SavedPlace>>> + Send + use<> {
        let mut redis = session.redis.clone();
        let channels = self.channels.of(&self.subjects, at);
        let streams = self.streams.as_ref().filter(|_| wanted);
        let load_place = streams.map(|streams| streams.load_place(at));
        async move {
            let mut backoff = Backoff::default();
            loop {
                let result = match (redis.subscribe(&channels).await, &load_place) {
                    (Ok(()), Some(load_place)) => load_place.query(&mut redis).await.map(Some),
                    (result, _) => result.map(|()| None),
                };
                match result {
                    // The caller waits for some seconds anyway.
                    Err(error) if error::is_transient(&error) => sleep(backoff.next_pause()).await,
                    result => return result,
                }
            }
        }
    }

    /// Begins to read for an inbox that was open before it was subscribed, and returns whether it
    /// did.
    ///
    /// # Errors
    /// When the connection is lost. The next one subscribes the inbox.
    pub(crate) fn on_attached(
        &mut self,
        session: &Session,
        at: &Address,
        result: RedisResult<Option<SavedPlace>>,
    ) -> Result<bool, RedisError> {
        match result {
            Ok(_) if !self.inboxes.is_open(at) => self.abandoned.push(at.clone()),
            Ok(place) => {
                if let Some(streams) = self.streams.as_ref().filter(|streams| !streams.is_read(at)) {
                    streams.open_inbox(session, at, place.unwrap_or_default());
                }
                return Ok(true);
            }
            Err(error) if error::is_refusal(&error) => self.end_refused(at, &error),
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    fn end_refused(&self, at: &Address, error: &RedisError) {
        tracing::error!(?at, %error, "an inbox may not be read; it ends");
        self.inboxes.close(at);
    }

    /// Opens the inbox whose subscription has been answered, and returns its address if it did.
    ///
    /// # Errors
    /// When the connection is lost. The inbox stays in [`take_opening`](Self::take_opening).
    pub(crate) fn on_subscribed(
        &mut self,
        session: &Session,
        number: u64,
        result: RedisResult<Option<SavedPlace>>,
    ) -> Result<Option<Address>, RedisError> {
        match result {
            Ok(place) => {
                let Some((at, reply)) = self.opening.remove(&number) else { return Ok(None) };
                let Some(inbox) = self.inboxes.open_for(&at, &reply) else {
                    // If another caller has opened this inbox meanwhile, its subscription stays.
                    self.abandoned.push(at);
                    return Ok(None);
                };
                if let Some(streams) = &self.streams {
                    streams.open_inbox(session, &at, place.unwrap_or_default());
                }
                // If the caller has given up by now, the inbox is dropped and closes.
                let _ = reply.send(Ok(inbox));
                Ok(Some(at))
            }
            Err(error) if error::is_refusal(&error) => {
                let Some((_, reply)) = self.opening.remove(&number) else { return Ok(None) };
                let _ = reply.send(Err(TransportError::new(TransportErrorKind::Refused, error)));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Subscribes to the channels of routes to open inboxes of this process, as far as they are new.
    /// What is written to the connection after this call finds them subscribed.
    pub(crate) fn learn<'a>(
        &mut self,
        session: &Session,
        in_flight: &InFlight,
        routes: impl IntoIterator<Item = &'a Route>,
    ) {
        let now = Instant::now();
        let mut new: Vec<&Route> = Vec::new();
        for route in routes {
            if self.inboxes.is_open(&route.target()) && self.channels.add(route, now) {
                new.push(route);
            }
        }
        for some in new.chunks(CHANNELS_PER_REQUEST) {
            let addresses: BTreeSet<Address> = some.iter().map(|route| route.target()).collect();
            let channels: Vec<String> = some.iter().map(|route| self.subjects.of_route(route)).collect();
            let mut redis = session.redis.clone();
            spawn_polled(in_flight, async move { Reply::Learnt(addresses, redis.subscribe(channels).await) });
        }
        if let Some(streams) = &self.streams {
            new.iter().for_each(|route| streams.catch_up_with(route));
        }
    }

    /// Handles the reply to [`learn`](Self::learn). If one of the inboxes may not be read any more,
    /// each is asked for by itself.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(crate) fn on_learnt(
        &self,
        session: &Session,
        in_flight: &InFlight,
        addresses: BTreeSet<Address>,
        result: RedisResult<()>,
    ) -> Result<(), RedisError> {
        match result {
            Err(error) if error::is_forbidden(&error) || error::is_transient(&error) => {
                addresses.into_iter().for_each(|at| spawn_polled(in_flight, self.attach(session, at)));
                Ok(())
            }
            Err(error) if error::is_refusal(&error) => {
                tracing::warn!(%error, "channels are not heard; they are asked for again with the next message");
                Ok(())
            }
            result => result,
        }
    }

    /// Returns a request that ends the subscriptions to controllers that have been silent for long
    /// and are not [`used`](crate::contact::Contacts::is_used) otherwise; `None` if there are none.
    pub(crate) fn unsubscribe_idle(
        &mut self,
        session: &Session,
        used: &dyn Fn(&Route) -> bool,
    ) -> Option<impl Future<Output = Reply> + Send + use<>> {
        let limit = Instant::now().checked_sub(IDLE)?;
        let idle = self.channels.remove_idle(limit, used);
        if idle.is_empty() {
            return None;
        }
        let channels: Vec<String> = idle.iter().map(|route| self.subjects.of_route(route)).collect();
        let mut redis = session.redis.clone();
        Some(async move { Reply::Acknowledged(redis.unsubscribe(channels).await) })
    }

    /// Removes and returns the inboxes that are still being opened, in the order of their requests.
    pub(crate) fn take_opening(&mut self) -> impl Iterator<Item = (Address, SubscribeReply)> + use<> {
        std::mem::take(&mut self.opening).into_values()
    }

    /// Removes and returns the addresses that were subscribed for callers that have given up.
    pub(crate) fn take_abandoned(&mut self) -> Vec<Address> {
        std::mem::take(&mut self.abandoned)
    }

    /// Returns a request that ends the subscription of an address; `None` if its inbox is open, or
    /// being opened.
    pub(crate) fn unsubscribe_unused(
        &mut self,
        session: &Session,
        at: &Address,
    ) -> Option<impl Future<Output = Reply> + Send + use<>> {
        let is_opening = self.opening.values().any(|(opening, _)| opening == at);
        (!self.inboxes.is_open(at) && !is_opening).then(|| self.unsubscribe(session, at))
    }

    /// Returns a request that ends the subscription of an address.
    pub(crate) fn unsubscribe(
        &mut self,
        session: &Session,
        at: &Address,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let mut redis = session.redis.clone();
        let channels = self.channels.of(&self.subjects, at);
        self.channels.remove(at);
        let close_streams = self.streams.as_ref().map(|streams| streams.close_inbox(session, at));
        async move {
            let unsubscribed = redis.unsubscribe(channels).await;
            if let Some(close_streams) = close_streams {
                close_streams.await;
            }
            Reply::Acknowledged(unsubscribed)
        }
    }

    /// Begins to read the streams of inboxes that were opened while there was no connection.
    async fn open_unread(&self, session: &mut Session, addresses: &[Address]) -> RedisResult<()> {
        let Some(streams) = &self.streams else { return Ok(()) };
        for at in addresses.iter().filter(|at| !streams.is_read(at)) {
            match streams.load_place(at).query(&mut session.redis).await {
                Ok(place) => streams.open_inbox(session, at, place),
                Err(error) if error::is_forbidden(&error) => self.end_refused(at, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Subscribes to the notes, and all open inboxes to their channels, over a new connection.
    ///
    /// An inbox that the server does not permit any more ends; the others go on.
    ///
    /// # Errors
    /// Any other answer than `NOPERM`, because none of them is about a particular inbox.
    pub(crate) async fn resubscribe(&self, session: &mut Session) -> Result<(), RedisError> {
        session.redis.psubscribe(contact::pattern(&self.subjects)).await?;
        let addresses = self.inboxes.addresses();
        self.open_unread(session, &addresses).await?;
        let channels: Vec<String> = addresses.iter().flat_map(|at| self.channels.of(&self.subjects, at)).collect();
        match subscribe_all(&session.redis, channels).await {
            Err(error) if error::is_forbidden(&error) => {}
            subscribed => return subscribed,
        }
        // Find out which ones are forbidden: one request each, all at once.
        let subscribing = addresses.iter().map(|at| {
            let mut redis = session.redis.clone();
            let channels = self.channels.of(&self.subjects, at);
            async move { redis.subscribe(channels).await }
        });
        for (at, subscribed) in addresses.iter().zip(join_all(subscribing).await) {
            match subscribed {
                Err(error) if error::is_forbidden(&error) => self.end_refused(at, &error),
                subscribed => subscribed?,
            }
        }
        Ok(())
    }
}

/// Subscribes to many channels, a part of them at a time.
async fn subscribe_all(redis: &MultiplexedConnection, channels: Vec<String>) -> RedisResult<()> {
    let requests = channels.chunks(CHANNELS_PER_REQUEST).map(|some| {
        let mut redis = redis.clone();
        async move { redis.subscribe(some).await }
    });
    join_all(requests).await.into_iter().collect()
}
