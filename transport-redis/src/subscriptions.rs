//! Subscribing inboxes at the server, and ending subscriptions that are not needed any more.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use futures_util::future::join_all;
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use redis::{RedisError, RedisResult};
use tokio::time::sleep;
use transport_broker::{Backoff, Inboxes, Subjects, SubscribeReply};

use crate::{
    connection::Session,
    error,
    in_flight::Reply,
    streams::{SavedCursors, Streams},
};

/// The subscriptions of one transport.
pub(crate) struct Subscriptions {
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    streams: Option<Arc<Streams>>,
    /// The inboxes whose subscriptions are not confirmed yet, by the number of the request.
    opening: BTreeMap<u64, (Address, SubscribeReply)>,
    last_number: u64,
    /// The addresses that are subscribed although their callers have given up.
    abandoned: Vec<Address>,
}

impl Subscriptions {
    pub(crate) fn new(subjects: Arc<Subjects>, inboxes: Arc<Inboxes>, streams: Option<Arc<Streams>>) -> Self {
        Self { subjects, inboxes, streams, opening: BTreeMap::new(), last_number: 0, abandoned: Vec::new() }
    }

    /// Returns a request that subscribes an address. [`on_subscribed`](Self::on_subscribed) handles
    /// its reply.
    pub(crate) fn subscribe(
        &mut self,
        session: &Session,
        at: Address,
        reply: SubscribeReply,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let subscribing = self.subscribe_patterns(session, &at, true);
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
        let subscribing = self.subscribe_patterns(session, &at, !is_read);
        async move { Reply::Attached(at, subscribing.await) }
    }

    /// Subscribes an address, and loads its saved cursors if they are `wanted`.
    fn subscribe_patterns(
        &self,
        session: &Session,
        at: &Address,
        wanted: bool,
    ) -> impl Future<Output = RedisResult<SavedCursors>> + Send + use<> {
        let mut redis = session.redis.clone();
        let patterns = self.subjects.inbox_patterns(at);
        let streams = self.streams.as_ref().filter(|_| wanted);
        let load_cursors = streams.map(|streams| streams.load_cursors(at));
        async move {
            let mut backoff = Backoff::default();
            loop {
                let result = match (redis.psubscribe(&patterns).await, &load_cursors) {
                    (Ok(()), Some(load_cursors)) => {
                        load_cursors.query_async(&mut redis).await.map(|(cursors,): (SavedCursors,)| cursors)
                    }
                    (result, _) => result.map(|()| SavedCursors::new()),
                };
                match result {
                    // The caller waits for some seconds anyway.
                    Err(error) if error::is_transient(&error) => sleep(backoff.next_pause()).await,
                    result => return result,
                }
            }
        }
    }

    /// Begins to read for an inbox that was open before it was subscribed.
    ///
    /// # Errors
    /// When the connection is lost. The next one subscribes the inbox.
    pub(crate) fn on_attached(
        &mut self,
        session: &Session,
        at: &Address,
        result: RedisResult<SavedCursors>,
    ) -> Result<(), RedisError> {
        match result {
            Ok(_) if !self.inboxes.is_open(at) => self.abandoned.push(at.clone()),
            Ok(cursors) => {
                if let Some(streams) = self.streams.as_ref().filter(|streams| !streams.is_read(at)) {
                    streams.open_inbox(session, at, cursors);
                }
            }
            Err(error) if error::is_refusal(&error) => self.end_refused(at, &error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn end_refused(&self, at: &Address, error: &RedisError) {
        tracing::error!(?at, %error, "an inbox may not be read; it ends");
        self.inboxes.close(at);
    }

    /// Opens the inbox whose subscription has been answered.
    ///
    /// # Errors
    /// When the connection is lost. The inbox stays in [`take_opening`](Self::take_opening).
    pub(crate) fn on_subscribed(
        &mut self,
        session: &Session,
        number: u64,
        result: RedisResult<SavedCursors>,
    ) -> Result<(), RedisError> {
        match result {
            Ok(cursors) => {
                let Some((at, reply)) = self.opening.remove(&number) else { return Ok(()) };
                let Some(inbox) = self.inboxes.open_for(&at, &reply) else {
                    // If another caller has opened this inbox meanwhile, its subscription stays.
                    self.abandoned.push(at);
                    return Ok(());
                };
                if let Some(streams) = &self.streams {
                    streams.open_inbox(session, &at, cursors);
                }
                // If the caller has given up by now, the inbox is dropped and closes.
                let _ = reply.send(Ok(inbox));
            }
            Err(error) if error::is_refusal(&error) => {
                let Some((_, reply)) = self.opening.remove(&number) else { return Ok(()) };
                let _ = reply.send(Err(TransportError::new(TransportErrorKind::Refused, error)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
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
        &self,
        session: &Session,
        at: &Address,
    ) -> Option<impl Future<Output = Reply> + Send + use<>> {
        let is_opening = || self.opening.values().any(|(opening, _)| opening == at);
        (!self.inboxes.is_open(at) && !is_opening()).then(|| self.unsubscribe(session, at))
    }

    /// Returns a request that ends the subscription of an address.
    pub(crate) fn unsubscribe(&self, session: &Session, at: &Address) -> impl Future<Output = Reply> + Send + use<> {
        let mut redis = session.redis.clone();
        let patterns = self.subjects.inbox_patterns(at);
        let close_streams = self.streams.as_ref().map(|streams| streams.close_inbox(session, at));
        async move {
            let unsubscribed = redis.punsubscribe(patterns).await;
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
            let loaded: RedisResult<(SavedCursors,)> = streams.load_cursors(at).query_async(&mut session.redis).await;
            match loaded {
                Ok((cursors,)) => streams.open_inbox(session, at, cursors),
                Err(error) if error::is_forbidden(&error) => self.end_refused(at, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Subscribes all open inboxes over a new connection.
    ///
    /// An inbox that the server does not permit any more ends; the others go on.
    ///
    /// # Errors
    /// Any other answer than `NOPERM`, because none of them is about a particular inbox.
    pub(crate) async fn resubscribe(&self, session: &mut Session) -> Result<(), RedisError> {
        let addresses = self.inboxes.addresses();
        self.open_unread(session, &addresses).await?;
        let patterns: Vec<String> = addresses.iter().flat_map(|at| self.subjects.inbox_patterns(at)).collect();
        if patterns.is_empty() {
            return Ok(());
        }
        match session.redis.psubscribe(patterns).await {
            Err(error) if error::is_forbidden(&error) => {}
            subscribed => return subscribed,
        }
        // Find out which ones are forbidden: one request each, all at once.
        let subscribing = addresses.iter().map(|at| {
            let mut redis = session.redis.clone();
            let patterns = self.subjects.inbox_patterns(at);
            async move { redis.psubscribe(patterns).await }
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
