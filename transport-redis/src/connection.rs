//! Making one connection to a Redis server.
//!
//! Why: docs/decisions/0038-broker-clients-and-reconnection.md

use std::{io, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, RedisError,
    aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::sync::watch;
use transport_broker::{ConnectError, Endpoint};
use url::Url;

use crate::config::{EXAMPLE, RedisConfig};
#[cfg(feature = "tls")]
use crate::tls;

/// How long it may take to connect, including the greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an answer may take before the server is taken for gone: together with
/// [`PING_INTERVAL`], a server that hangs is noticed within 5 s.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How often the server is pinged.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How many pipelines the client queues. More of them wait in the command queue, which is bounded
/// by envelopes.
const CLIENT_QUEUE: usize = 64;

/// Handles a message that the server pushes. It is called in the order of the messages.
pub(crate) type PushHandler = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// A connection that stands.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) redis: MultiplexedConnection,
    /// Becomes `true`, or loses its sender, when the connection has ended.
    pub(crate) ended: watch::Receiver<bool>,
}

/// Connects to the servers of a configuration, as often as needed.
pub(crate) struct Connector {
    servers: Vec<Server>,
}

/// One of the servers that an address names.
pub(crate) struct Server {
    client: Client,
    pub(crate) url: Url,
}

impl Connector {
    /// # Errors
    /// When an address, or a file that it names, cannot be used.
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, ConnectError> {
        let server = |url: &Url| Ok(Server { client: client(config, url)?, url: url.clone() });
        Ok(Self { servers: config.urls.iter().map(server).collect::<Result<_, ConnectError>>()? })
    }

    /// Returns the servers, in the order in which they are to be tried.
    pub(crate) fn servers(&self) -> &[Server] {
        &self.servers
    }
}

fn client(config: &RedisConfig, url: &Url) -> Result<Client, ConnectError> {
    let unusable = |error: RedisError| ConnectError::BadUrl { what: error.to_string(), example: EXAMPLE };
    let info = url.clone().into_connection_info().map_err(unusable)?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    let info = info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true));
    #[cfg(feature = "tls")]
    if url.scheme() == "rediss" {
        return tls::client(config, info);
    }
    Client::open(info).map_err(unusable)
}

impl Server {
    /// Returns the address as it may be shown.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::of(&self.url)
    }

    /// Makes one attempt to connect; the name of the host is resolved anew. Pushed messages go to
    /// `on_push`.
    pub(crate) async fn connect(&self, on_push: PushHandler) -> Result<Session, RedisError> {
        let (end, ended) = watch::channel(false);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_pipeline_buffer_size(CLIENT_QUEUE)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    end.send_replace(true);
                } else {
                    on_push(push);
                }
                Ok::<(), redis::aio::SendError>(())
            });
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let redis = match tokio::time::timeout(CONNECT_TIMEOUT * 2, connecting).await {
            Ok(connected) => connected?,
            Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        };
        Ok(Session { redis, ended })
    }
}
