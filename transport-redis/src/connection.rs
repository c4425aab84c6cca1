//! One connection to a Redis server.

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, RedisError,
    TlsCertificates, aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::sync::watch;
use transport_broker::ConnectError;

use crate::{Config, error};

/// How long it may take to connect, greeting included.
const CONNECTING: Duration = Duration::from_secs(2);
/// How long an answer may take. A server that takes longer is as good as gone: together with [`PING`] a server that hangs is
/// noticed within 5 s.
pub(crate) const ANSWERING: Duration = Duration::from_secs(3);
/// How often the server is asked whether it is there.
pub(crate) const PING: Duration = Duration::from_secs(2);
/// How many batches wait to be written, at most. What waits for longer is better kept where it can be bounded.
const WAITING: usize = 64;

/// A connection that stands.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) redis: MultiplexedConnection,
    /// Becomes true when the connection has ended.
    pub(crate) ended: watch::Receiver<bool>,
}

/// What can connect, again and again.
pub(crate) struct Dialer {
    client: Client,
}

impl Dialer {
    pub(crate) fn new(config: &Config) -> Result<Self, ConnectError> {
        let broker = config.endpoint();
        let unusable =
            |error: RedisError| ConnectError::BadUrl { what: error.to_string(), example: crate::config::EXAMPLE };
        let info = config.url.clone().into_connection_info().map_err(unusable)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
        let info = info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        if config.url.scheme() != "rediss" {
            return Ok(Self { client: Client::open(info).map_err(unusable)? });
        }
        // Somebody else in the program may have chosen one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let read = |file: &std::path::PathBuf| {
            std::fs::read(file)
                .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", file.display())))
        };
        let root_cert = config.ca.as_ref().map(read).transpose()?;
        let client = Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert });
        Ok(Self { client: client.map_err(|error| error::connecting(broker, error))? })
    }

    /// Connects. What the server pushes is given to `take`, in order.
    pub(crate) async fn dial(&self, take: Arc<dyn Fn(PushInfo) + Send + Sync>) -> Result<Line, RedisError> {
        let (end, ended) = watch::channel(false);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(ANSWERING))
            .set_pipeline_buffer_size(WAITING)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    end.send_replace(true);
                } else {
                    take(push);
                }
                Ok::<(), redis::aio::SendError>(())
            });
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let redis = match tokio::time::timeout(CONNECTING * 2, connecting).await {
            Ok(connected) => connected?,
            Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        };
        Ok(Line { redis, ended })
    }
}
