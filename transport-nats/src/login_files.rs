//! The files that an address names: a key or credentials, and the certificates to trust.

use std::{io, path::Path};

use async_nats::rustls::ClientConfig;
use transport_broker::ConnectError;

use crate::{
    config::{Login, NatsConfig},
    tls,
};

/// The content of the files of a configuration.
///
/// They are read once: they may change or be removed while the connection lasts.
#[derive(Default)]
pub(crate) struct LoginFiles {
    /// The seed of a key, or credentials; empty if the login needs no file.
    pub(crate) login: String,
    /// How to encrypt; `None` means that the certificates of the system are trusted.
    pub(crate) tls: Option<ClientConfig>,
}

impl LoginFiles {
    /// # Errors
    /// When a file cannot be read, or has invalid content. The error names the file.
    pub(crate) fn read(config: &NatsConfig) -> Result<Self, ConnectError> {
        let login = match &config.login {
            Login::Anonymous | Login::Token(_) | Login::Password(..) => String::new(),
            Login::Nkey(file) | Login::Credentials(file) => {
                std::fs::read_to_string(file).map_err(|error| file_error(file, error))?
            }
        };
        Ok(Self { login, tls: tls::client_config(config.ca.as_deref())? })
    }
}

/// Adds the name of the file to an error.
pub(crate) fn file_error(file: &Path, error: io::Error) -> ConnectError {
    io::Error::new(error.kind(), format!("{}: {error}", file.display())).into()
}
