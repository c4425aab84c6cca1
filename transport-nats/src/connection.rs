//! Making a connection, and what becomes of it.

use std::{
    error::Error,
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError,
    connection::State as Socket,
    rustls::{
        self, ClientConfig, RootCertStore,
        pki_types::{
            CertificateDer,
            pem::{self, PemObject as _},
        },
    },
};
use futures_util::StreamExt as _;
use neuron_core::transport::Address;
use tokio::{
    sync::{broadcast, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use transport_broker::{
    Backoff, ConnectError, ConnectionCounters, ConnectionState, ConnectionStatus, Endpoint, Inboxes, Subjects,
};

use crate::{
    config::{Config, EXAMPLE, Login},
    core::names,
    mode::Carrier,
    probe,
    reader::Again,
    refused::Published,
};

/// How often the broker is asked whether it is there. The client gives up at the third question without an answer, so a broker
/// that hangs is noticed after 4 to 6 seconds.
const PING: Duration = Duration::from_secs(2);

/// How long it may take to connect once.
const CONNECTING: Duration = Duration::from_secs(2);

/// How many messages wait in the client for one subscription. Its reader does nothing but put them into inboxes, so that this is
/// only reached when this machine cannot keep up.
const WAITING: usize = 65_536;

/// How many messages the client takes before whoever publishes has to wait for the socket.
const OUTGOING: usize = 8192;

/// How often it is checked that what is told of the connection is so.
const CHECK: Duration = Duration::from_millis(250);

/// How often the mode is asked whether what it has at the broker is still there, in checks: each second.
const CHECKS_PER_LOOK: u32 = 4;

/// How many times in a row the broker may not say, before it is taken for gone: it may just be busy.
const LOOKS: u32 = 3;

/// How many refusals may wait for those who look for theirs.
const REFUSALS: usize = 256;

/// What happens to a connection.
pub(crate) type Events = mpsc::UnboundedReceiver<Event>;

/// A connection, and what all that work on it share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) subjects: Arc<Subjects>,
    pub(crate) inboxes: Arc<Inboxes>,
    pub(crate) counters: Arc<ConnectionCounters>,
    pub(crate) status: Arc<ConnectionStatus>,
    /// Where it leads.
    pub(crate) endpoint: Endpoint,
    /// After how long without it the transport closes for good.
    pub(crate) give_up_after: Option<Duration>,
    /// What the broker did not permit, in its words.
    pub(crate) refusals: broadcast::Sender<Arc<str>>,
    /// What has been published, should it be refused.
    pub(crate) published: Published,
    /// Where inboxes are asked for again, when this is left before they are open.
    pub(crate) again: Again,
}

impl Connection {
    /// Done as soon as the connection stands.
    pub(crate) async fn connected(&self) {
        // The sender is in `self`, so there is always an answer.
        let _ = self.status.watch().wait_for(|state| *state == ConnectionState::Connected).await;
    }

    /// Done as soon as the connection is lost.
    pub(crate) async fn lost(&self) {
        let _ = self.status.watch().wait_for(|state| *state != ConnectionState::Connected).await;
    }

    /// An inbox may not be read any more; the others go on.
    pub(crate) fn ends(&self, at: &Address, why: &dyn std::fmt::Display) {
        if !self.inboxes.has(at) {
            return;
        }
        tracing::error!(?at, %why, "an inbox may not be read any more; it ends");
        self.inboxes.end(at);
    }

    /// What has been published so far is with the broker when this is done and the answer is yes. The end of a flush only says that
    /// it has left.
    pub(crate) async fn round_trip(&self) -> bool {
        let own = self.client.new_inbox();
        let mut refusals = self.refusals.subscribe();
        let Ok(mut echo) = self.client.subscribe(own.clone()).await else { return false };
        if self.client.publish(own.clone(), Vec::new().into()).await.is_err() {
            return false;
        }
        // To be refused is an answer, too.
        let refused = async { while !refusals.recv().await.is_ok_and(|text| text.contains(&own)) {} };
        tokio::select! {
            echo = echo.next() => echo.is_some(),
            () = refused => true,
        }
    }

    /// A place where refusals are heard from now on.
    pub(crate) fn refusals() -> broadcast::Sender<Arc<str>> {
        broadcast::Sender::new(REFUSALS)
    }
}

/// What files say of how to connect, read once: they may change or go while there is a connection that works.
#[derive(Default)]
pub(crate) struct Files {
    /// A seed, or credentials.
    login: String,
    /// Whom to trust.
    tls: Option<ClientConfig>,
}

impl Files {
    /// # Errors
    /// When one of them cannot be read, or has something else in it. It is named.
    pub(crate) fn read(config: &Config) -> Result<Self, ConnectError> {
        let login = match &config.login {
            Login::Anonymous | Login::Token(_) | Login::Password(..) => String::new(),
            Login::Nkey(file) | Login::Credentials(file) => {
                std::fs::read_to_string(file).map_err(|error| of_file(file, error))?
            }
        };
        let tls = config.ca.as_ref().map(|file| trusting(file).map_err(|error| of_file(file, error))).transpose()?;
        Ok(Self { login, tls })
    }
}

/// Trusts those whose certificates are in a file.
fn trusting(file: &Path) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(of_pem)? {
        roots.add(certificate.map_err(of_pem)?).map_err(io::Error::other)?;
    }
    if roots.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no certificate in it"));
    }
    // Somebody else in the program may have chosen another provider.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn of_pem(error: pem::Error) -> io::Error {
    match error {
        pem::Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

fn of_file(file: &Path, error: io::Error) -> ConnectError {
    io::Error::new(error.kind(), format!("{}: {error}", file.display())).into()
}

/// Connects, once. What happens to the connection from then on, which the client makes again by itself, are the events.
///
/// # Errors
/// Each as [`ConnectError`] says.
pub(crate) async fn connect(config: &Config, files: &Files) -> Result<(Client, Events), ConnectError> {
    let (sender, events) = mpsc::unbounded_channel();
    let address = ServerAddr::from_url(config.url.clone())
        .map_err(|error| ConnectError::BadUrl { what: error.to_string(), example: EXAMPLE })?;
    let (host, port) = (address.host().to_owned(), address.port());
    let (first, backoff) = (AtomicBool::new(true), Mutex::new(Backoff::default()));
    let mut options = ConnectOptions::new()
        .name("neuron")
        .ping_interval(PING)
        .connection_timeout(CONNECTING)
        .subscription_capacity(WAITING)
        .client_capacity(OUTGOING)
        .ignore_discovered_servers()
        .reconnect_delay_callback(move |attempts| {
            if first.swap(false, Ordering::Relaxed) {
                return Duration::ZERO;
            }
            let mut backoff = backoff.lock().unwrap_or_else(PoisonError::into_inner);
            if attempts <= 1 {
                *backoff = Backoff::default();
            }
            backoff.pause()
        })
        .event_callback(move |event| {
            // Whoever listened may have gone. Nothing here may wait: the client drops events that nobody takes.
            let _ = sender.send(event);
            std::future::ready(())
        });
    options = match &config.login {
        Login::Anonymous => options,
        Login::Token(token) => options.token(token.clone()),
        // Answers come where only this user may listen, if the broker sees to that.
        Login::Password(user, password) if user.parse::<neuron_core::NeuronId>().is_ok() => {
            options.user_and_password(user.clone(), password.clone()).custom_inbox_prefix(format!("_INBOX.{user}"))
        }
        Login::Password(user, password) => options.user_and_password(user.clone(), password.clone()),
        Login::Nkey(_) => options.nkey(files.login.trim().to_owned()),
        Login::Credentials(file) => options.credentials(&files.login).map_err(|error| of_file(file, error))?,
    };
    if let Some(tls) = &files.tls {
        options = options.tls_client_config(tls.clone());
    }
    let result = tokio::select! {
        result = options.connect(address) => result,
        said = probe::another_kind(&host, port) => {
            return Err(no_broker(config, PLAIN, format!("it said {said:?}").into()));
        }
    };
    result.map(|client| (client, events)).map_err(|error| failed(config, error))
}

fn failed(config: &Config, error: async_nats::ConnectError) -> ConnectError {
    let broker = config.endpoint();
    let is_io = |kind| {
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|error| error.kind() == kind)
    };
    let is_other = || error.source().is_some_and(|source| source.to_string().starts_with("expected INFO, got "));
    match error.kind() {
        ConnectErrorKind::ServerParse => ConnectError::BadUrl { what: error.to_string(), example: EXAMPLE },
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            ConnectError::Unauthorized { broker, example: EXAMPLE, source: error.into() }
        }
        ConnectErrorKind::Tls => no_broker(config, TRUSTED, error.into()),
        // This is how what reads TLS says that it does not like what it reads,
        ConnectErrorKind::Io if is_io(io::ErrorKind::InvalidData) => no_broker(config, TRUSTED, error.into()),
        // and this is how what reads the protocol does.
        ConnectErrorKind::Io if is_io(io::ErrorKind::InvalidInput) || is_other() => {
            no_broker(config, PLAIN, error.into())
        }
        _ => ConnectError::Unreachable { broker, source: error.into() },
    }
}

/// What is expected to answer,
const PLAIN: &str = "a NATS server";
/// and where there is TLS.
const TRUSTED: &str = "a NATS server with TLS and a certificate that is trusted here (ca=FILE names whom to trust)";

fn no_broker(config: &Config, expected: &'static str, source: Box<dyn Error + Send + Sync>) -> ConnectError {
    ConnectError::NotABroker { broker: config.endpoint(), expected, source }
}

/// Follows what happens to the connection, tells its state, and has the mode put right what was lost with it. From when `begun` is
/// done, that is; nobody else tells that the connection stands.
///
/// It ends with the client, or when it has given up. Then it says so on `given_up`.
pub(crate) async fn supervise(
    carrier: Carrier,
    mut events: Events,
    begun: impl Future<Output = ()> + Send + 'static,
    given_up: watch::Sender<bool>,
) {
    let connection = carrier.connection().clone();
    let lost = (!connection.status.is_connected()).then(Instant::now);
    let mut watch =
        Supervisor { carrier, attempts: 0, lost, restoring: Some(Box::pin(begun)), looking: None, in_vain: 0 };
    let mut check = interval(CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checks = 0_u32;
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => watch.happened(event),
                // The client is gone, and with it the connection.
                None => return,
            },
            () = or_never(&mut watch.restoring) => watch.restored(),
            is_there = or_never(&mut watch.looking) => watch.looked(is_there),
            _ = check.tick() => {
                // Events are dropped when there are too many of them at once; this is not.
                match connection.client.connection_state() {
                    Socket::Connected => watch.up(),
                    _ => watch.down("it broke"),
                }
                if watch.gives_up() {
                    given_up.send_replace(true);
                    return;
                }
                checks += 1;
                if checks.is_multiple_of(CHECKS_PER_LOOK) {
                    watch.look();
                }
            }
        }
    }
}

/// The subject that the broker speaks of.
fn subject(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

pub(crate) type Task<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Waits for a task if there is one, and takes it away when it is done.
pub(crate) async fn or_never<T>(task: &mut Task<T>) -> T {
    match task {
        Some(running) => {
            let done = running.await;
            *task = None;
            done
        }
        None => std::future::pending().await,
    }
}

struct Supervisor {
    carrier: Carrier,
    /// Since the connection was lost.
    attempts: u32,
    /// When that was.
    lost: Option<Instant>,
    restoring: Task<()>,
    looking: Task<Option<bool>>,
    /// How many times in a row nobody has said what is there.
    in_vain: u32,
}

impl Supervisor {
    fn happened(&mut self, event: Event) {
        let connection = self.carrier.connection().clone();
        match event {
            Event::Disconnected => self.down("it broke"),
            Event::Connected => self.up(),
            Event::ClientError(ClientError::Other(why)) if !connection.status.is_connected() => {
                self.attempts = self.attempts.saturating_add(1);
                connection.status.set(ConnectionState::Reconnecting { attempts: self.attempts, why });
            }
            // How many envelopes the client has dropped with a message, it does not say.
            Event::SlowConsumer(_) => connection.counters.overflowed(1),
            Event::ServerError(ServerError::Other(text)) => {
                tracing::warn!(broker = connection.status.broker(), %text, "the broker refuses something");
                if text.contains("Violation for Publish") && self.is_envelope(&text) {
                    connection.counters.refused(connection.published.refused(subject(&text).unwrap_or_default()));
                }
                if text.contains("Violation for Subscription") && self.restoring.is_some() {
                    self.end_what_is_refused(&text);
                }
                // Nobody may be looking for it.
                let _ = connection.refusals.send(text.into());
            }
            other => tracing::debug!(broker = connection.status.broker(), %other, "something happened"),
        }
    }

    /// An inbox that the broker lets nobody read any more, since the connection was lost, ends; the others go on.
    fn end_what_is_refused(&self, text: &str) {
        let Connection { inboxes, subjects, .. } = &**self.carrier.connection();
        for at in inboxes.addresses() {
            if subjects.patterns(&at).iter().any(|pattern| names(text, pattern)) {
                self.carrier.connection().ends(&at, &text);
            }
        }
    }

    /// Whether it is about an envelope. What an inbox sends to itself is there to confirm a subscription, and is none; nor is what
    /// the broker itself is asked or told.
    fn is_envelope(&self, text: &str) -> bool {
        let parsed = subject(text).and_then(|subject| self.carrier.connection().subjects.parse(subject));
        parsed.is_some_and(|parsed| parsed.target != parsed.source)
    }

    fn down(&mut self, why: &str) {
        let status = &self.carrier.connection().status;
        if self.restoring.take().is_some() || status.is_connected() {
            self.attempts = 0;
            self.lost.get_or_insert_with(Instant::now);
            self.looking = None;
            status.set(ConnectionState::Reconnecting { attempts: 0, why: why.to_owned() });
        }
    }

    /// The socket is connected. The state says so only once everything else is as it was.
    fn up(&mut self) {
        if self.restoring.is_none()
            && matches!(self.carrier.connection().status.get(), ConnectionState::Reconnecting { .. })
        {
            let carrier = self.carrier.clone();
            self.restoring = Some(Box::pin(async move { carrier.restore().await }));
        }
    }

    fn restored(&mut self) {
        let connection = self.carrier.connection();
        self.lost = None;
        if !connection.status.is_connected() {
            connection.counters.reconnects(1);
            connection.status.set(ConnectionState::Connected);
        }
    }

    /// Whether the connection has been lost for longer than anybody wants to wait.
    fn gives_up(&self) -> bool {
        let limit = self.carrier.connection().give_up_after;
        self.lost.is_some_and(|lost| limit.is_some_and(|limit| lost.elapsed() > limit))
    }

    fn look(&mut self) {
        if self.looking.is_none() && self.carrier.connection().status.is_connected() {
            let carrier = self.carrier.clone();
            self.looking = Some(Box::pin(async move { carrier.is_there().await }));
        }
    }

    fn looked(&mut self, is_there: Option<bool>) {
        self.in_vain = if is_there.is_none() { self.in_vain + 1 } else { 0 };
        let why = match is_there {
            Some(false) => "what the broker kept for this network is gone",
            None if self.in_vain >= LOOKS => "JetStream does not answer",
            Some(true) | None => return,
        };
        self.in_vain = 0;
        if self.carrier.connection().status.is_connected() {
            self.down(why);
            self.up();
        }
    }
}
