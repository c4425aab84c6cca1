//! Making one connection to a Redis server.
//!
//! Why: docs/decisions/0038-broker-clients-and-reconnection.md

use std::{io, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, RedisError,
    aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::sync::watch;
use transport_broker::ConnectError;

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

/// Connects to the server of a configuration, as often as needed.
pub(crate) struct Connector {
    client: Client,
}

impl Connector {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, ConnectError> {
        let unusable = |error: RedisError| ConnectError::BadUrl { what: error.to_string(), example: EXAMPLE };
        let info = config.url.clone().into_connection_info().map_err(unusable)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
        let info = info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        #[cfg(feature = "tls")]
        if config.url.scheme() == "rediss" {
            return Ok(Self { client: tls::client(config, info)? });
        }
        Ok(Self { client: Client::open(info).map_err(unusable)? })
    }

    /// Makes one attempt to connect. Pushed messages go to `on_push`.
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
