//! The task that owns the connection: it does what it is told in order, and makes another connection wherever it goes.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, client::PublishErrorKind};
use neuron_core::{NetworkId, transport::Address};
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle, time::timeout};
use transport_broker::{
    Backoff, Bundler, ConnectError, Counters, Desk, Inboxes, Opening, Owner, Parcel, Routes, State, Status, Step,
};

use crate::{
    Config, Mode,
    connection::{self, Connection, Events},
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

pub(crate) struct Task {
    config: Config,
    network: NetworkId,
    routes: Arc<Routes>,
    inboxes: Arc<Inboxes>,
    counters: Arc<Counters>,
    status: Arc<Status>,
    known: Arc<Known>,
    /// Joins what waits for one receiver.
    bundler: Bundler,
    /// Inboxes that were being opened when their connection was left.
    again: mpsc::UnboundedReceiver<(Address, Opening)>,
    ask_again: Again,
}

/// A connection in its mode, and whoever follows what happens to it.
pub(crate) struct Session {
    carrier: Carrier,
    supervisor: JoinHandle<()>,
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
        routes: Arc<Routes>,
        inboxes: Arc<Inboxes>,
        counters: Arc<Counters>,
    ) -> Result<(Self, Session), ConnectError> {
        let (client, events) = connection::connect(&config).await?;
        let status = Arc::new(Status::connected(config.endpoint().to_string()));
        let (ask_again, again) = mpsc::unbounded_channel();
        let (known, bundler) = (Arc::default(), Bundler::default());
        let task = Self { config, network, routes, inboxes, counters, status, known, bundler, again, ask_again };
        let session = task.session(client, events).await?;
        Ok((task, session))
    }

    pub(crate) fn status(&self) -> Arc<Status> {
        self.status.clone()
    }

    async fn session(&self, client: Client, events: Events) -> Result<Session, ConnectError> {
        let connection = Arc::new(Connection {
            client,
            routes: self.routes.clone(),
            inboxes: self.inboxes.clone(),
            counters: self.counters.clone(),
            status: self.status.clone(),
            endpoint: self.config.endpoint(),
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
        let supervisor = tokio::spawn(connection::supervise(carrier.clone(), events));
        Ok(Session { carrier, supervisor, used: false })
    }

    /// Connects where it is, for all who listen.
    async fn connect(&self) -> Result<Session, ConnectError> {
        let (client, events) = connection::connect(&self.config).await?;
        let session = self.session(client, events).await?;
        session.carrier.take_over().await;
        Ok(session)
    }

    /// Connects, however long it takes. Nothing when nobody needs that any more. Moving is no reason to say that the connection is
    /// lost, unless it cannot be made.
    async fn connect_at_last(&self, desk: &mut Desk) -> Option<Session> {
        let mut backoff = Backoff::default();
        loop {
            let why = match self.connect().await {
                Ok(session) => break Some(session),
                Err(error) => error.to_string(),
            };
            desk.status.set(State::Reconnecting { attempts: backoff.attempts(), why });
            if !desk.pause(backoff.pause()).await {
                break None;
            }
        }
    }

    /// Does the jobs in order.
    async fn work(&mut self, session: &mut Session, desk: &mut Desk) -> Left {
        let carrier = session.carrier.clone();
        for (at, done) in std::mem::take(&mut desk.waiting) {
            carrier.subscribe(at, done);
        }
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                Some(there) = desk.moves.recv() => return Left::For(there),
                Some((at, done)) = self.again.recv() => carrier.subscribe(at, done),
                Some(at) = desk.closed.recv() => {
                    if !self.inboxes.has(&at) {
                        carrier.dropped(&at);
                    }
                }
                count = desk.jobs.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return Left::Unneeded;
                    }
                    // It may be another one since the last time.
                    self.bundler.limit(carrier.connection().client.max_payload());
                    batch.drain(..).for_each(|job| self.bundler.add(job));
                    while let Some(step) = self.bundler.next(&self.routes) {
                        match step {
                            Step::Send(parcel) => {
                                session.used = true;
                                publish(carrier.connection(), parcel).await;
                            }
                            Step::Subscribe { at, done } => carrier.subscribe(at, done),
                        }
                    }
                }
            }
        }
    }
}

impl Owner for Task {
    type Line = Session;

    async fn run(&mut self, session: Option<Session>, desk: &mut Desk) -> Option<Handle> {
        let mut session = match session {
            Some(session) => session,
            None => {
                let session = self.connect_at_last(desk).await?;
                if !desk.status.is_connected() {
                    self.counters.reconnects(1);
                    desk.status.set(State::Connected);
                }
                session
            }
        };
        let left = self.work(&mut session, desk).await;
        // What has been handed over before is to leave the process, and to be there before what is sent over another connection.
        let connection = session.carrier.connection();
        match left {
            Left::Unneeded => {
                let _ = timeout(ENDING, connection.client.flush()).await;
                None
            }
            Left::For(there) => {
                if session.used {
                    let _ = timeout(ENDING, connection.round_trip()).await;
                }
                Some(there)
            }
        }
    }

    fn interrupted(&mut self, desk: &mut Desk) {
        while let Some(step) = self.bundler.next(&self.routes) {
            match step {
                Step::Send(parcel) => self.counters.unsent(parcel.envelopes as u64),
                Step::Subscribe { at, done } => desk.waiting.push((at, done)),
            }
        }
    }
}

/// Gives a message to the client, which writes it to the socket together with those before and after it.
async fn publish(connection: &Connection, parcel: Parcel) {
    let counters = &connection.counters;
    let Parcel { subject, message, envelopes } = parcel;
    let count = envelopes as u64;
    if !connection.status.is_connected() {
        counters.unsent(count);
        return;
    }
    connection.published.note(&subject, envelopes);
    tokio::select! {
        biased;
        result = connection.client.publish(subject, message.into()) => match result {
            Ok(()) => counters.sent(count),
            Err(error) if error.kind() == PublishErrorKind::Send => counters.unsent(count),
            Err(error) => {
                tracing::debug!(broker = connection.status.broker(), %error, "a message cannot be published");
                counters.refused(count);
            }
        },
        // The client takes no more while it has no connection.
        () = connection.lost() => counters.unsent(count),
    }
}
