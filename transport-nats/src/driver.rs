//! The driver of the connection: publishes messages in order, and opens inboxes.

use std::{future::Future, sync::Arc, time::Duration};

use async_nats::Client;
use neuron_core::{NetworkId, transport::Address};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use transport_broker::{
    BatchItem, Batcher, ConnectError, ConnectionCounters, ConnectionDriver, ConnectionState, ConnectionStatus,
    DriverContext, ExitReason, Inboxes, Subjects, SubscribeReply,
};

use crate::{
    claims,
    config::{NatsConfig, NatsMode},
    connection::{self, Connection, Events},
    core::CoreSubscriptions,
    inbox_tasks::InboxTask,
    jetstream::{JetStreamSubscriptions, KnownPositions},
    login_files::LoginFiles,
    open_request::ReopenQueue,
    optional_future::{OptionalFuture, wait_optional},
    publish_acks,
    publish_log::PublishLog,
    publisher::Publisher,
    refusal,
    session::Session,
    subscriptions::Subscriptions,
    supervisor::supervise,
};

/// How long the last messages may take to leave a connection.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// How many commands are taken at a time. Those to one receiver among them are joined.
const BATCH: usize = 256;

/// How often the client is flushed, to confirm that what it was given has left. What is unconfirmed
/// when the connection breaks counts as unsent. A flush costs as much as a message.
const CONFIRM_INTERVAL: Duration = Duration::from_millis(100);

/// The connection driver for NATS, in either mode.
///
/// The client reconnects by itself, so a session outlasts most losses: its supervisor announces
/// them, and restores the subscriptions. The driver makes a new session to migrate, or when the
/// client has ended.
pub(crate) struct NatsDriver {
    config: NatsConfig,
    files: LoginFiles,
    network: NetworkId,
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
    status: Arc<ConnectionStatus>,
    known_positions: Arc<KnownPositions>,
    batcher: Batcher,
    /// The inboxes whose connection was left before they were open.
    reopen_requests: mpsc::UnboundedReceiver<(Address, SubscribeReply)>,
    reopen: ReopenQueue,
    publisher: Publisher,
}

impl NatsDriver {
    /// Makes the first connection, and announces it. Returns no session if the broker cannot be
    /// reached or has no stream yet, and the configuration says to wait for it.
    ///
    /// # Errors
    /// As [`ConnectError`] says.
    pub(crate) async fn start(
        config: NatsConfig,
        network: NetworkId,
        subjects: Arc<Subjects>,
        inboxes: Arc<Inboxes>,
        counters: Arc<ConnectionCounters>,
    ) -> Result<(Self, Option<Session>), ConnectError> {
        let files = LoginFiles::read(&config)?;
        let broker = config.endpoint().to_string();
        let (first, status) = match connection::connect(&config, &files).await {
            Ok(first) => (Some(first), ConnectionStatus::connected(broker)),
            Err(error) => match error.transient_reason() {
                Some(why) if config.wait => (None, ConnectionStatus::waiting(broker, why)),
                _ => return Err(error),
            },
        };
        let status = Arc::new(status);
        let publisher = Publisher::new(counters.clone());
        let (reopen, reopen_requests) = mpsc::unbounded_channel();
        let driver = Self {
            config,
            files,
            network,
            subjects,
            inboxes,
            counters,
            status,
            known_positions: Arc::default(),
            batcher: Batcher::default(),
            reopen_requests,
            reopen,
            publisher,
        };
        let session = match first {
            Some((client, events)) => match driver.session(client, events, std::future::ready(())).await {
                Err(error @ ConnectError::NotPrepared { .. }) if driver.config.wait => {
                    let why = error.to_string();
                    driver.status.set(ConnectionState::Reconnecting { attempts: 1, why });
                    None
                }
                session => Some(session?),
            },
            None => None,
        };
        Ok((driver, session))
    }

    pub(crate) fn status(&self) -> Arc<ConnectionStatus> {
        self.status.clone()
    }

    /// Creates a session over a new client. Its supervisor announces the connection once `ready` is
    /// done.
    async fn session(
        &self,
        client: Client,
        events: Events,
        ready: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Session, ConnectError> {
        self.status.set_max_message(client.max_payload());
        let ack_inbox = (self.config.mode == NatsMode::JetStream).then(|| format!("{}.", client.new_inbox()));
        let connection = Arc::new(Connection {
            client,
            subjects: self.subjects.clone(),
            inboxes: self.inboxes.clone(),
            counters: self.counters.clone(),
            status: self.status.clone(),
            endpoint: self.config.endpoint(),
            give_up_after: self.config.options.give_up_after,
            refusals: refusal::channel(),
            publish_log: PublishLog::default(),
            acks: self.publisher.acks().clone(),
            ack_inbox: ack_inbox.clone(),
            reopen: self.reopen.clone(),
        });
        let counting = match ack_inbox {
            Some(inbox) => Some(self.count_acknowledged(connection.clone(), inbox).await?),
            None => None,
        };
        let subscriptions = match self.config.mode {
            NatsMode::Core => Subscriptions::Core(Arc::new(CoreSubscriptions::new(connection))),
            NatsMode::JetStream => {
                let known = self.known_positions.clone();
                let jetstream = JetStreamSubscriptions::new(connection, &self.config, &self.network, known).await?;
                Subscriptions::JetStream(Arc::new(jetstream))
            }
        };
        let (client, subject) = (&subscriptions.connection().client, self.claim_subject());
        let claims = claims::listen(client, subject, self.inboxes.clone(), self.counters.clone()).await;
        let (give_up, given_up) = watch::channel(false);
        let supervisor = tokio::spawn(supervise(subscriptions.clone(), events, ready, give_up));
        Ok(Session { subscriptions, supervisor, claims, given_up, has_published: false, _counting: counting })
    }

    fn claim_subject(&self) -> String {
        claims::subject(&self.config.inbox_prefix(), &self.subjects)
    }

    /// Starts a task that counts messages by their acknowledgements.
    async fn count_acknowledged(&self, connection: Arc<Connection>, inbox: String) -> Result<InboxTask, ConnectError> {
        let subscriber = connection
            .client
            .subscribe(format!("{inbox}*"))
            .await
            .map_err(|error| ConnectError::Unreachable { broker: self.config.endpoint(), source: error.into() })?;
        Ok(InboxTask::spawn(publish_acks::count_acknowledged(connection, inbox, subscriber)))
    }

    /// Carries out commands until there is a reason to leave the session.
    async fn serve_session(&mut self, session: &mut Session, cx: &mut DriverContext) -> ExitReason {
        let subscriptions = session.subscriptions.clone();
        for (at, reply) in std::mem::take(&mut cx.pending_subscriptions) {
            subscriptions.open(at, reply);
        }
        let mut batch = Vec::with_capacity(BATCH);
        let mut state = cx.status.watch();
        let mut confirming: OptionalFuture<u64> = None;
        let mut confirm_timer = interval(CONFIRM_INTERVAL);
        confirm_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(runtime) = cx.migrations.recv() => return ExitReason::Migrate(runtime),
                Ok(()) = state.changed() => {
                    if !state.borrow_and_update().is_standing() {
                        confirming = None;
                        self.publisher.count_unconfirmed();
                    }
                }
                confirmed = wait_optional(&mut confirming) => self.publisher.confirm(confirmed, subscriptions.connection()),
                _ = confirm_timer.tick(), if self.publisher.unconfirmed() > 0 && confirming.is_none() => {
                    let client = subscriptions.connection().client.clone();
                    let count = self.publisher.unconfirmed();
                    let flush = async move { if client.flush().await.is_ok() { count } else { 0 } };
                    confirming = Some(Box::pin(flush));
                }
                has_given_up = session.supervisor_ended() => {
                    if has_given_up {
                        return ExitReason::GivenUp;
                    }
                    return ExitReason::Lost("the client has ended".to_owned());
                }
                Some((at, reply)) = self.reopen_requests.recv() => subscriptions.open(at, reply),
                Some(at) = cx.closed_inboxes.recv() => {
                    if !self.inboxes.is_open(&at) {
                        subscriptions.close(&at);
                    }
                }
                count = cx.commands.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return ExitReason::Unused;
                    }
                    // The broker may be another one, with another limit, since the last time.
                    self.batcher.set_limit(subscriptions.connection().client.max_payload());
                    batch.drain(..).for_each(|command| self.batcher.push(command));
                    while let Some(item) = self.batcher.pop(&self.subjects) {
                        match item {
                            BatchItem::Send(message) => {
                                session.has_published = true;
                                self.publisher.publish(subscriptions.connection(), message).await;
                            }
                            BatchItem::Subscribe { at, reply } => subscriptions.open(at, reply),
                            BatchItem::Attach { at } => subscriptions.attach(at),
                            BatchItem::Claim(claim) => {
                                let client = &subscriptions.connection().client;
                                claims::publish(client, self.claim_subject(), &claim).await;
                            }
                        }
                    }
                }
            }
        }
    }
}

impl ConnectionDriver for NatsDriver {
    type Session = Session;
    type Error = ConnectError;

    async fn connect(&mut self) -> Result<Session, ConnectError> {
        let (client, events) = connection::connect(&self.config, &self.files).await?;
        let (taken_over, ready) = oneshot::channel();
        let ready = async {
            // If the sender is dropped, so is the session.
            let _ = ready.await;
        };
        let session = self.session(client, events, ready).await?;
        session.subscriptions.take_over_all().await;
        let _ = taken_over.send(());
        // The supervisor announces the connection at once, unless it is lost already. Envelopes
        // that wait in the command queue must not be dropped before that.
        let _ = timeout(FLUSH_TIMEOUT, session.subscriptions.connection().connected()).await;
        Ok(session)
    }

    async fn serve(&mut self, mut session: Session, cx: &mut DriverContext) -> ExitReason {
        let reason = self.serve_session(&mut session, cx).await;
        // What was published must have left this process when the transport ends, and must be at
        // the broker before what is published over another connection.
        let connection = session.subscriptions.connection();
        let leaving = async {
            let has_left = match reason {
                ExitReason::Unused => connection.client.flush().await.is_ok(),
                ExitReason::Migrate(_) if session.has_published => connection.round_trip().await,
                ExitReason::Migrate(_) | ExitReason::GivenUp | ExitReason::Lost(_) => false,
            };
            if has_left {
                self.publisher.acks().all_settled().await;
            }
            has_left
        };
        if timeout(FLUSH_TIMEOUT, leaving).await == Ok(true) {
            self.publisher.confirm(self.publisher.unconfirmed(), connection);
        } else {
            self.publisher.count_unconfirmed();
        }
        reason
    }

    fn on_session_lost(&mut self, cx: &mut DriverContext) {
        self.publisher.count_unconfirmed();
        while let Some(item) = self.batcher.pop(&self.subjects) {
            match item {
                BatchItem::Send(message) => self.counters.unsent(message.envelopes as u64),
                BatchItem::Subscribe { at, reply } => cx.pending_subscriptions.push((at, reply)),
                // The next session subscribes all open inboxes.
                BatchItem::Attach { .. } => {}
                // Claims are made again then.
                BatchItem::Claim(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use neuron_core::transport::Envelope;
    use transport_broker::{ConnectionHandle, WorkerThread, start_driver};
    use transport_conformance::{Broker, run};

    use super::*;

    #[test]
    fn a_connection_without_a_supervisor_is_made_anew() {
        run(|| async {
            for mode in [NatsMode::Core, NatsMode::JetStream] {
                let Some(broker) = Broker::nats("") else { return };
                let config = NatsConfig::parse(&broker.url()).expect("an address").mode(mode).local_first(false);
                let network: NetworkId = "followed".parse().expect("a name");
                let worker = WorkerThread::start("test").expect("a thread");
                let counters = Arc::<ConnectionCounters>::default();
                let subjects = Arc::new(Subjects::new("nn", &network, '.'));
                let inboxes = Inboxes::new(10, counters.clone());
                let options = config.options;
                let starting = NatsDriver::start(config, network, subjects, inboxes.0.clone(), counters.clone());
                let (driver, session) = starting.await.expect("the broker is there");
                let supervisor = session.as_ref().map(|session| session.supervisor.abort_handle());
                let (connection, cx) = ConnectionHandle::new(counters, driver.status(), worker, inboxes, options);
                start_driver(driver, session, cx);
                let at = Address::Neuron("z".parse().expect("a name"));
                let mut inbox = connection.subscribe(&at).await.expect("an inbox");
                let mut state = connection.state();
                supervisor.expect("there is a session").abort();
                state.changed().await.expect("it is told");
                let again = state.wait_for(|state| *state == ConnectionState::Connected);
                timeout(Duration::from_secs(5), again).await.expect("it is made anew").expect("it is told");
                assert_eq!(connection.counts().reconnects, 1);
                let envelope: Envelope = transport_conformance::numbered("a", "z", 1);
                connection.send(envelope.clone()).await.expect("it is handed over");
                let received = timeout(Duration::from_secs(5), futures_util::StreamExt::next(&mut inbox)).await;
                assert_eq!(received.expect("it arrives"), Some(envelope));
                // It is confirmed, and then counted, a moment later.
                let counted = async {
                    while connection.counts().sent == 0 {
                        tokio::time::sleep(CONFIRM_INTERVAL).await
                    }
                };
                timeout(Duration::from_secs(5), counted).await.expect("it is counted");
                assert_eq!((connection.counts().sent, connection.counts().unsent), (1, 0));
            }
        });
    }
}
