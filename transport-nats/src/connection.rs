//! Making one connection to a NATS server, and what all parts that use it share.
//!
//! Why: docs/decisions/0038-broker-clients-and-reconnection.md

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, ReconnectToServer, ServerAddr, client::SetServerPoolError};
use futures_util::StreamExt as _;
use neuron_core::transport::Address;
use tokio::sync::mpsc;
use transport_broker::{
    ConnectError, ConnectionCounters, ConnectionState, ConnectionStatus, Endpoint, Inboxes, Subjects,
};
use url::Url;

use crate::{
    config::{EXAMPLE, NatsConfig},
    error,
    login::Login,
    login_files::{LoginFiles, file_error},
    open_request::ReopenQueue,
    probe,
    publish_acks::PublishAcks,
    publish_log::PublishLog,
    refusal::Refusals,
    server_order::ServerOrder,
};

/// How often the broker is pinged. The client gives up at the third ping without an answer, so a
/// broker that hangs is noticed after 4 to 6 seconds.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How many messages the client queues for each subscription. The task that takes them only puts
/// them into inboxes, so the queue overflows only if this machine cannot keep up.
const SUBSCRIPTION_CAPACITY: usize = 65_536;

/// How many messages the client queues before publishing has to wait for the socket.
const CLIENT_CAPACITY: usize = 8192;

/// The events of a connection, as the client reports them.
pub(crate) type Events = mpsc::UnboundedReceiver<Event>;

/// A connection, and what all parts that use it share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) subjects: Arc<Subjects>,
    pub(crate) inboxes: Arc<Inboxes>,
    pub(crate) counters: Arc<ConnectionCounters>,
    pub(crate) status: Arc<ConnectionStatus>,
    /// The address of the broker.
    pub(crate) endpoint: Endpoint,
    /// After how long without a connection the transport closes for good; `None` means never.
    pub(crate) give_up_after: Option<Duration>,
    /// Passes on what the broker did not permit.
    pub(crate) refusals: Refusals,
    /// The messages that were published last, in case they are refused. For mode core.
    pub(crate) publish_log: PublishLog,
    /// The messages that wait for their acknowledgements. For mode JetStream.
    pub(crate) acks: Arc<PublishAcks>,
    /// What the subjects for acknowledgements begin with, the last separator included; `None` in
    /// mode core.
    pub(crate) ack_inbox: Option<String>,
    /// Where inboxes are requested again if the connection is left before they are open.
    pub(crate) reopen: ReopenQueue,
}

impl Connection {
    /// Waits until the connection stands.
    pub(crate) async fn connected(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = self.status.watch().wait_for(ConnectionState::is_standing).await;
    }

    /// Waits until the connection is lost.
    pub(crate) async fn lost(&self) {
        let _ = self.status.watch().wait_for(|state| !state.is_standing()).await;
    }

    /// Ends an inbox that may not be read any more. The others go on.
    pub(crate) fn end_inbox(&self, at: &Address, why: &dyn fmt::Display) {
        if !self.inboxes.is_open(at) {
            return;
        }
        tracing::error!(?at, %why, "an inbox may not be read any more; it ends");
        self.inboxes.close(at);
    }

    /// Waits until the broker has received everything published so far, and returns whether it has.
    ///
    /// A flush does not suffice: it ends when the bytes have left this process.
    pub(crate) async fn round_trip(&self) -> bool {
        let subject = self.client.new_inbox();
        let mut refusals = self.refusals.subscribe();
        let Ok(mut echo) = self.client.subscribe(subject.clone()).await else { return false };
        if self.client.publish(subject.clone(), Vec::new().into()).await.is_err() {
            return false;
        }
        // A refusal is an answer as well.
        let refused = async { while !refusals.recv().await.is_ok_and(|text| text.contains(&subject)) {} };
        tokio::select! {
            echo = echo.next() => echo.is_some(),
            () = refused => true,
        }
    }
}

/// Makes one attempt to connect to each of the servers in their order, until one succeeds. Returns
/// the client, which reconnects by itself from then on, and the events of its connection.
///
/// # Errors
/// As [`ConnectError`] says.
pub(crate) async fn connect(config: &NatsConfig, files: &LoginFiles) -> Result<(Client, Events), ConnectError> {
    let mut failures = Vec::new();
    for url in &config.urls {
        match connect_to(url, config, files).await {
            Ok((client, events)) => {
                if config.urls.len() > 1 {
                    tracing::info!(broker = %Endpoint::of(url), "this server is used");
                    let unusable = |error: SetServerPoolError| ConnectError::Unreachable {
                        broker: config.endpoint(),
                        source: error.into(),
                    };
                    client.set_server_pool(addresses(&config.urls)?.as_slice()).await.map_err(unusable)?;
                }
                return Ok((client, events));
            }
            Err(error) => failures.push(error),
        }
    }
    Err(ConnectError::of_all(config.endpoint(), failures))
}

fn addresses(urls: &[Url]) -> Result<Vec<ServerAddr>, ConnectError> {
    let unusable = |error: io::Error| ConnectError::BadUrl { what: error.to_string(), example: EXAMPLE };
    urls.iter().map(|url| ServerAddr::from_url(url.clone()).map_err(unusable)).collect()
}

/// Makes one attempt to connect to a server.
async fn connect_to(url: &Url, config: &NatsConfig, files: &LoginFiles) -> Result<(Client, Events), ConnectError> {
    let (sender, events) = mpsc::unbounded_channel();
    let broker = Endpoint::of(url);
    let addresses = addresses(std::slice::from_ref(url))?;
    let (host, port) = addresses.first().map(|address| (address.host().to_owned(), address.port())).unwrap_or_default();
    let order = Arc::new(Mutex::new(ServerOrder::default()));
    let connected = order.clone();
    let mut options = ConnectOptions::new()
        .name("neuron")
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECT_TIMEOUT)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .client_capacity(CLIENT_CAPACITY)
        .ignore_discovered_servers()
        .retain_servers_order()
        .reconnect_to_server_callback(move |servers, _| {
            let mut order = order.lock().unwrap_or_else(PoisonError::into_inner);
            let (index, delay) = order.next(servers.len());
            let next = servers.get(index);
            let next = next.map(|server| ReconnectToServer { addr: server.addr.clone(), delay: Some(delay) });
            std::future::ready(next)
        })
        .event_callback(move |event| {
            if matches!(event, Event::Connected) {
                connected.lock().unwrap_or_else(PoisonError::into_inner).start_over();
            }
            // The receiver may be gone. This must not wait: the client drops events meanwhile.
            let _ = sender.send(event);
            std::future::ready(())
        });
    options = match &config.login {
        Login::Anonymous => options,
        Login::Token(token) => options.token(token.clone()),
        Login::Password(user, password) => options.user_and_password(user.clone(), password.clone()),
        Login::Nkey(_) => options.nkey(files.login.trim().to_owned()),
        Login::Credentials(file) => options.credentials(&files.login).map_err(|error| file_error(file, error))?,
    };
    // With a user, answers come to subjects that `Permissions` reserves for it.
    options = options.custom_inbox_prefix(config.inbox_prefix());
    if let Some(tls) = &files.tls {
        options = options.tls_client_config(tls.clone());
    }
    let result = tokio::select! {
        result = options.connect(addresses.as_slice()) => result,
        server = probe::detect_foreign_server(&host, port) => return Err(error::foreign_server(broker, &server)),
    };
    result.map(|client| (client, events)).map_err(|error| error::connect_error(broker, error))
}
