//! Connections with TLS.

use std::{io, path::Path};

use redis::{Client, ConnectionInfo, TlsCertificates};
use transport_broker::ConnectError;

use crate::{config::RedisConfig, error};

/// Returns a client for a server with TLS, which trusts what the configuration says.
pub(crate) fn client(config: &RedisConfig, info: ConnectionInfo) -> Result<Client, ConnectError> {
    // Another part of the program may have installed a provider before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root_cert = config.ca.as_deref().map(read_file).transpose()?;
    let client = Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert });
    client.map_err(|error| error::connect_error(config.endpoint(), error))
}

/// Reads a file. An error names it.
fn read_file(file: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}
