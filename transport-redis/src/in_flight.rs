//! Requests that the server has not answered yet.

use std::{
    collections::BTreeSet,
    future::{Future, ready},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::stream::FuturesUnordered;
use neuron_core::transport::Address;
use redis::{RedisResult, Value};
use tokio::task::unconstrained;

use crate::{contact::Sent, streams::SavedPlace};

/// The server's reply to a request.
pub(crate) enum Reply {
    /// To published messages: the answer to each.
    Sent(Vec<Sent>, RedisResult<Vec<Value>>),
    /// To the subscription with this number.
    Subscribed(u64, RedisResult<Option<SavedPlace>>),
    /// To the subscription of an inbox that was open already.
    Attached(Address, RedisResult<Option<SavedPlace>>),
    /// To subscriptions to more channels of some inboxes.
    Learnt(BTreeSet<Address>, RedisResult<()>),
    /// To `HELLO`: what the server is.
    Greeted(RedisResult<Value>),
    /// To a request that only has to succeed.
    Acknowledged(RedisResult<()>),
}

/// The requests that wait for their replies.
pub(crate) type InFlight = FuturesUnordered<Pin<Box<dyn Future<Output = Reply> + Send>>>;

/// Adds a request after polling it once, so that requests are written in the order of these calls.
///
/// It is polled outside of tokio's budget: a request put off for lack of budget would be written
/// after later ones.
pub(crate) fn spawn_polled(in_flight: &InFlight, request: impl Future<Output = Reply> + Send + 'static) {
    let mut request: Pin<Box<dyn Future<Output = Reply> + Send>> = Box::pin(unconstrained(request));
    let mut context = Context::from_waker(Waker::noop());
    match request.as_mut().poll(&mut context) {
        Poll::Ready(reply) => in_flight.push(Box::pin(ready(reply))),
        Poll::Pending => in_flight.push(request),
    }
}
