//! The task that owns the connection: it does what it is told in order, and makes another connection wherever it goes.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, client::PublishErrorKind};
use neuron_core::{NetworkId, transport::Address};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use transport_broker::{
    Backoff, BatchItem, Batcher, ConnectError, ConnectionCounters, ConnectionDriver, ConnectionState, ConnectionStatus,
    DriverContext, Inboxes, OutgoingMessage, Subjects, SubscribeReply,
};

use crate::{
    Config, Mode,
    connection::{self, Connection, Events, Files, or_never},
    core::Core,
    jetstream::{JetStream, Known},
    mode::Carrier,
    reader::Again,
    refused::Published,
};

/// How long what was sent last may take to leave.
const ENDING: Duration = Duration::from_millis(500);

/// How many jobs are taken on at a time. What goes to one receiver among them is joined.
const BATCH: usize = 256;

/// How often the client is asked whether what it was handed has left. What it was handed since then is taken for lost if the connection
/// is; asking costs as much as a message.
const PROOF: Duration = Duration::from_millis(100);

pub(crate) struct Task {
    config: Config,
    files: Files,
    network: NetworkId,
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
    status: Arc<ConnectionStatus>,
    known: Arc<Known>,
    /// Joins what waits for one receiver.
    batcher: Batcher,
    /// Inboxes that were being opened when their connection was left.
    again: mpsc::UnboundedReceiver<(Address, SubscribeReply)>,
    ask_again: Again,
    /// Envelopes that the client was handed and that may not have left.
    unproved: u64,
}

/// A connection in its mode, and whoever follows what happens to it.
pub(crate) struct Session {
    carrier: Carrier,
    supervisor: JoinHandle<()>,
    /// Has no sender any more when that one has ended; true when it has given up.
    given_up: watch::Receiver<bool>,
    /// Something has been sent.
    used: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.supervisor.abort();
        self.carrier.leave();
    }
}

/// Why a connection is left.
enum Left {
    /// It will not come back by itself.
    Lost,
    /// It has been lost for too long.
    GivenUp,
    /// Nobody needs it any more.
    Unneeded,
    /// There has to be one where neurons run.
    For(Handle),
}

impl Task {
    /// Connects for the first time.
    ///
    /// # Errors
    /// Each as [`ConnectError`] says.
    pub(crate) async fn begin(
        config: Config,
        network: NetworkId,
        subjects: Arc<Subjects>,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
    ) -> Result<(Self, Session), ConnectError> {
        let files = Files::read(&config)?;
        let (client, events) = connection::connect(&config, &files).await?;
        let status = Arc::new(ConnectionStatus::connected(config.endpoint().to_string()));
        let (ask_again, again) = mpsc::unbounded_channel();
        let (known, batcher, unproved) = (Arc::default(), Batcher::default(), 0);
        let task = Self {
            config,
            files,
            network,
            subjects,
            inboxes,
            counters,
            status,
            known,
            batcher,
            again,
            ask_again,
            unproved,
        };
        let session = task.session(client, events, std::future::ready(())).await?;
        Ok((task, session))
    }

    pub(crate) fn status(&self) -> Arc<ConnectionStatus> {
        self.status.clone()
    }

    /// Begins to work over a connection. It stands, unless the state is another one, when `begun` is done.
    async fn session(
        &self,
        client: Client,
        events: Events,
        begun: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Session, ConnectError> {
        let connection = Arc::new(Connection {
            client,
            subjects: self.subjects.clone(),
            inboxes: self.inboxes.clone(),
            counters: self.counters.clone(),
            status: self.status.clone(),
            endpoint: self.config.endpoint(),
            give_up_after: self.config.give_up_after,
            refusals: Connection::refusals(),
            published: Published::default(),
            again: self.ask_again.clone(),
        });
        let carrier = match self.config.mode {
            Mode::Core => Carrier::Core(Arc::new(Core::new(connection))),
            Mode::JetStream => {
                let known = self.known.clone();
                Carrier::JetStream(Arc::new(JetStream::new(connection, &self.config, &self.network, known).await?))
            }
        };
        let (gives_up, given_up) = watch::channel(false);
        let supervisor = tokio::spawn(connection::supervise(carrier.clone(), events, begun, gives_up));
        Ok(Session { carrier, supervisor, given_up, used: false })
    }

    /// Connects where it is, for all who listen.
    async fn connect(&self) -> Result<Session, ConnectError> {
        let (client, events) = connection::connect(&self.config, &self.files).await?;
        let (taken_over, begun) = oneshot::channel();
        let begun = async {
            // Without its sender, this session is none.
            let _ = begun.await;
        };
        let session = self.session(client, events, begun).await?;
        session.carrier.take_over().await;
        let _ = taken_over.send(());
        // Whoever follows what happens tells it at once, unless the connection is lost already. What has been handed over before is
        // not to be lost for that.
        let _ = timeout(ENDING, session.carrier.connection().connected()).await;
        Ok(session)
    }

    /// Connects, however long it takes. Nothing when nobody needs that any more, or it takes too long. Moving is no reason to say that the connection is
    /// lost, unless it cannot be made.
    async fn connect_at_last(&self, cx: &mut DriverContext) -> Option<Session> {
        let (lost, mut backoff) = (Instant::now(), Backoff::default());
        loop {
            let why = match self.connect().await {
                Ok(session) => break Some(session),
                Err(error) => error.to_string(),
            };
            if self.config.give_up_after.is_some_and(|limit| lost.elapsed() > limit) {
                tracing::error!(broker = cx.status.broker(), %why, "given up");
                break None;
            }
            cx.status.set(ConnectionState::Reconnecting { attempts: backoff.attempts(), why });
            if !cx.pause(backoff.pause()).await {
                break None;
            }
        }
    }

    /// So many of the envelopes that the client was handed have left.
    fn has_left(&mut self, count: u64) {
        self.unproved -= count;
        self.counters.sent(count);
    }

    /// What the client was handed and has not left is lost. Some of it may have left without anybody knowing.
    fn is_lost(&mut self) {
        self.counters.unsent(std::mem::take(&mut self.unproved));
    }

    /// Does the jobs in order.
    async fn work(&mut self, session: &mut Session, cx: &mut DriverContext) -> Left {
        let carrier = session.carrier.clone();
        for (at, done) in std::mem::take(&mut cx.waiting) {
            carrier.subscribe(at, done);
        }
        let mut batch = Vec::with_capacity(BATCH);
        let (mut state, mut proof) = (cx.status.watch(), None);
        let mut ask = interval(PROOF);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(there) = cx.moves.recv() => return Left::For(there),
                Ok(()) = state.changed() => {
                    if *state.borrow_and_update() != ConnectionState::Connected {
                        proof = None;
                        self.is_lost();
                    }
                }
                left = or_never(&mut proof) => self.has_left(left),
                _ = ask.tick(), if self.unproved > 0 && proof.is_none() => {
                    let (client, count) = (carrier.connection().client.clone(), self.unproved);
                    proof = Some(Box::pin(async move { if client.flush().await.is_ok() { count } else { 0 } }));
                }
                given_up = has_ended(&mut session.given_up) => {
                    return if given_up { Left::GivenUp } else { Left::Lost };
                }
                Some((at, done)) = self.again.recv() => carrier.subscribe(at, done),
                Some(at) = cx.closed.recv() => {
                    if !self.inboxes.has(&at) {
                        carrier.dropped(&at);
                    }
                }
                count = cx.commands.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return Left::Unneeded;
                    }
                    // It may be another one since the last time.
                    self.batcher.limit(carrier.connection().client.max_payload());
                    batch.drain(..).for_each(|command| self.batcher.add(command));
                    while let Some(step) = self.batcher.next(&self.subjects) {
                        match step {
                            BatchItem::Send(message) => {
                                session.used = true;
                                // Should the runtime end meanwhile, it may have left.
                                let count = message.envelopes as u64;
                                self.unproved += count;
                                if !publish(carrier.connection(), message).await {
                                    self.unproved -= count;
                                }
                            }
                            BatchItem::Subscribe { at, done } => carrier.subscribe(at, done),
                        }
                    }
                }
            }
        }
    }
}

impl ConnectionDriver for Task {
    type Line = Session;

    async fn run(&mut self, mut session: Option<Session>, cx: &mut DriverContext) -> Option<Handle> {
        loop {
            let mut session = match session.take() {
                Some(session) => session,
                None => self.connect_at_last(cx).await?,
            };
            let left = self.work(&mut session, cx).await;
            // What has been handed over before is to leave the process, and to be there before what is sent over another connection.
            let connection = session.carrier.connection();
            let has_left = match left {
                Left::Unneeded => timeout(ENDING, connection.client.flush()).await.is_ok_and(|flushed| flushed.is_ok()),
                Left::For(_) if session.used => timeout(ENDING, connection.round_trip()).await == Ok(true),
                Left::For(_) | Left::GivenUp | Left::Lost => false,
            };
            if has_left {
                self.has_left(self.unproved);
            } else {
                self.is_lost();
            }
            match left {
                Left::Unneeded => return None,
                Left::For(there) => return Some(there),
                Left::GivenUp => {
                    tracing::error!(broker = cx.status.broker(), "given up");
                    return None;
                }
                Left::Lost => {
                    cx.status
                        .set(ConnectionState::Reconnecting { attempts: 0, why: "the client has ended".to_owned() });
                }
            }
        }
    }

    fn interrupted(&mut self, cx: &mut DriverContext) {
        self.is_lost();
        while let Some(step) = self.batcher.next(&self.subjects) {
            match step {
                BatchItem::Send(message) => self.counters.unsent(message.envelopes as u64),
                BatchItem::Subscribe { at, done } => cx.waiting.push((at, done)),
            }
        }
    }
}

/// Done when whoever follows what happens to a connection has ended; whether because it has given up.
async fn has_ended(given_up: &mut watch::Receiver<bool>) -> bool {
    given_up.wait_for(|given_up| *given_up).await.is_ok()
}

/// Gives a message to the client, which writes it to the socket together with those before and after it. Tells whether it took it;
/// if not, that is counted.
async fn publish(connection: &Connection, message: OutgoingMessage) -> bool {
    let counters = &connection.counters;
    let OutgoingMessage { subject, message, envelopes } = message;
    let count = envelopes as u64;
    if !connection.status.is_connected() {
        counters.unsent(count);
        return false;
    }
    connection.published.note(&subject, envelopes);
    tokio::select! {
        biased;
        result = connection.client.publish(subject, message.into()) => match result {
            Ok(()) => return true,
            Err(error) if error.kind() == PublishErrorKind::Send => counters.unsent(count),
            Err(error) => {
                tracing::debug!(broker = connection.status.broker(), %error, "a message cannot be published");
                counters.refused(count);
            }
        },
        // The client takes no more while it has no connection.
        () = connection.lost() => counters.unsent(count),
    }
    false
}

#[cfg(test)]
mod tests {
    use neuron_core::transport::Envelope;
    use transport_broker::{ConnectionHandle, WorkerThread};
    use transport_conformance::{Broker, run};

    use super::*;

    #[test]
    fn a_connection_that_nobody_follows_any_more_is_made_anew() {
        run(|| async {
            for mode in [Mode::Core, Mode::JetStream] {
                let Some(broker) = Broker::nats("") else { return };
                let config = Config::parse(&broker.url()).expect("an address").mode(mode);
                let network: NetworkId = "followed".parse().expect("a name");
                let worker = WorkerThread::start("test").expect("a thread");
                let (counters, subjects) =
                    (Arc::<ConnectionCounters>::default(), Arc::new(Subjects::new("nn", &network, '.')));
                let (inboxes, closed) = Inboxes::new(10, counters.clone());
                let beginning = Task::begin(config, network, subjects, inboxes, counters.clone());
                let (task, session) = beginning.await.expect("the broker is there");
                let following = session.supervisor.abort_handle();
                let (handle, cx) = ConnectionHandle::new(counters, task.status(), worker, closed);
                cx.begin(task, session);
                let at = Address::Neuron("z".parse().expect("a name"));
                let mut inbox = handle.subscribe(&at).await.expect("an inbox");
                let mut state = handle.state();
                following.abort();
                state.changed().await.expect("it is told");
                let again = state.wait_for(|state| *state == ConnectionState::Connected);
                timeout(Duration::from_secs(5), again).await.expect("it is made anew").expect("it is told");
                assert_eq!(handle.counts().reconnects, 1);
                let envelope: Envelope = transport_conformance::numbered("a", "z", 1);
                handle.send(envelope.clone()).await.expect("it is handed over");
                let heard = timeout(Duration::from_secs(5), futures_util::StreamExt::next(&mut inbox)).await;
                assert_eq!(heard.expect("it arrives"), Some(envelope));
                // That it has left is found out a moment later.
                let counted = async {
                    while handle.counts().sent == 0 {
                        tokio::time::sleep(PROOF).await
                    }
                };
                timeout(Duration::from_secs(5), counted).await.expect("it is counted");
                assert_eq!((handle.counts().sent, handle.counts().unsent), (1, 0));
            }
        });
    }
}
