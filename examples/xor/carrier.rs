//! What carries the messages, by its address.

use std::{error::Error, sync::Arc};

use neuron_core::{NetworkId, transport::Transport};
use transport_local::LocalTransport;
use transport_nats::NatsTransport;
use transport_redis::RedisTransport;

/// Opens the transport at an address: `local`, `redis://...` or `nats://...`.
pub(crate) async fn open(address: &str, network: &NetworkId) -> Result<Arc<dyn Transport>, Box<dyn Error>> {
    let scheme = address.split_once("://").map_or(address, |(scheme, _)| scheme);
    Ok(match scheme {
        "local" => Arc::new(LocalTransport::new()),
        "nats" | "tls" => Arc::new(NatsTransport::connect(address, network).await?),
        "redis" | "rediss" => Arc::new(RedisTransport::connect(address, network).await?),
        _ => {
            let known = "`local`, redis://HOST:6379, rediss://HOST:6379, nats://HOST:4222 and tls://HOST:4222";
            return Err(format!("`{address}` is no transport; there are {known}").into());
        }
    })
}
