//! What a client does in the background: requests that are repeated or given up, and watches that
//! are renewed.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::sync::Notify;

use super::{pending::Expired, requests::RequestClient, watches::PolledWatches};
use crate::{
    command::{Answer, Command, Request},
    id::NeuronId,
};

/// Longest pause between two checks for overdue requests.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(500);

/// How long a neuron may take to say where it runs.
const HOME_TIMEOUT: Duration = Duration::from_secs(1);

impl RequestClient {
    /// Renews watches, and tells those whose neurons cannot be heard. Returns after how long to do
    /// so again; `None` if nothing is watched.
    fn poll_watches(&self) -> Option<Duration> {
        let now = self.steady();
        let PolledWatches { requests, next } = self.watches().poll(now, || self.next_request());
        self.send_watch_requests(requests);
        next.map(|next| next.since(now))
    }

    /// Sends requests of watches.
    pub(super) fn send_watch_requests(&self, requests: Vec<(NeuronId, Request)>) {
        for (neuron, request) in requests {
            // One that finds no room is lost, and followed by another one.
            let _ = self.send(&neuron, request).now_or_never();
        }
    }

    /// Hands a request over to the transport, which may take so long.
    pub(super) fn send_in_background(&self, neuron: &NeuronId, request: Request, at_most: Duration) {
        let mut sending = self.send(neuron, request);
        if (&mut sending).now_or_never().is_none() {
            self.spawn(tokio::time::timeout(at_most, sending).map(drop));
        }
    }

    /// Ends requests that are overdue, and sends those again that may have been lost. Returns after
    /// how long to do so again; `None` if no request is pending.
    fn expire_overdue(&self) -> Option<Duration> {
        let now = self.steady();
        let latest = now.after(self.retry_after().unwrap_or(EXPIRY_INTERVAL).min(EXPIRY_INTERVAL));
        let Expired { retries, next } = self.pending().expire_overdue(now, latest);
        for (neuron, request, pause) in retries {
            // It is of no use any more once the request is sent again.
            self.send_in_background(&neuron, request, pause);
        }
        next.map(|next| next.since(now))
    }
}

/// Keeps watches alive as long as there is any.
/// `woken` is notified when there is something to do earlier than the task knows.
pub(super) async fn poll_watches(client: Weak<RequestClient>, woken: Arc<Notify>) {
    while let Some(pause) = client.upgrade().and_then(|client| client.poll_watches()) {
        let _ = tokio::time::timeout(pause, woken.notified()).await;
    }
}

/// Expires requests as long as any is pending.
pub(super) async fn expire_requests(client: Weak<RequestClient>) {
    while let Some(pause) = client.upgrade().and_then(|client| client.expire_overdue()) {
        tokio::time::sleep(pause).await;
    }
}

/// Asks a neuron where it runs. Without an answer, the next request asks again.
pub(super) async fn learn_home(client: Weak<RequestClient>, neuron: NeuronId) {
    let Some(client) = client.upgrade() else { return };
    if let Ok(Answer::Host { host, .. }) = client.request(&neuron, Command::Host, HOME_TIMEOUT).await {
        client.note_home(&neuron, &host);
    }
}
