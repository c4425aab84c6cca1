//! The transport at an address that was typed.

use std::{error::Error, sync::Arc};

use neuron_core::{NetworkId, transport::Transport};
use transport_local::LocalTransport;

type Opened = Result<Arc<dyn Transport>, Box<dyn Error>>;

/// Opens the transport at `address`: `local`, `redis://HOST:6379` or `nats://HOST:4222`.
///
/// # Errors
/// - The address names no transport.
/// - The transport needs a feature that this build lacks. The error names the feature and the
///   command to type.
/// - The broker refuses the connection.
pub async fn open(address: &str, network: &NetworkId) -> Opened {
    let scheme = address.split_once("://").map_or(address, |(scheme, _)| scheme);
    match scheme {
        "local" => Ok(Arc::new(LocalTransport::new())),
        "redis" | "rediss" => redis(address, network).await,
        "nats" | "tls" => nats(address, network).await,
        _ => {
            let known = "`local`, redis://HOST:6379, rediss://HOST:6379, nats://HOST:4222 and tls://HOST:4222";
            // There may be a password in the address.
            let shown = if scheme == address && !address.contains([':', '@']) { scheme } else { "this" };
            Err(format!("`{shown}` is no transport; there are {known}").into())
        }
    }
}

#[cfg(feature = "redis")]
async fn redis(address: &str, network: &NetworkId) -> Opened {
    Ok(Arc::new(transport_redis::RedisTransport::connect(address, network).await?))
}

#[cfg(not(feature = "redis"))]
async fn redis(address: &str, _: &NetworkId) -> Opened {
    Err(crate::missing_feature::explain("redis", address).into())
}

#[cfg(feature = "nats")]
async fn nats(address: &str, network: &NetworkId) -> Opened {
    Ok(Arc::new(transport_nats::NatsTransport::connect(address, network).await?))
}

#[cfg(not(feature = "nats"))]
async fn nats(address: &str, _: &NetworkId) -> Opened {
    Err(crate::missing_feature::explain("nats", address).into())
}
