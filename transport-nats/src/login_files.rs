//! The files that an address names: a key or credentials, and the certificates to trust.

use std::{io, path::Path};

use async_nats::rustls::ClientConfig;
use transport_broker::{ConnectError, shown_path};

use crate::{config::NatsConfig, login::Login, tls};

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
            Login::Nkey(file) => read("nkey", file)?,
            Login::Credentials(file) => read("creds", file)?,
        };
        Ok(Self { login, tls: tls::client_config(config.ca.as_deref())? })
    }
}

fn read(parameter: &str, file: &Path) -> Result<String, ConnectError> {
    std::fs::read_to_string(file).map_err(|error| {
        // What is no path may be the secret itself.
        let shown = shown_path(parameter, &file.to_string_lossy());
        io::Error::new(error.kind(), format!("{shown}: {error}")).into()
    })
}

/// Adds the name of the file to an error.
pub(crate) fn file_error(file: &Path, error: io::Error) -> ConnectError {
    io::Error::new(error.kind(), format!("{}: {error}", file.display())).into()
}
