//! The files that an address names: a key or credentials, and the certificates to trust.

use std::{io, path::Path, sync::Arc};

use async_nats::rustls::{
    self, ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject as _},
    },
};
use transport_broker::ConnectError;

use crate::config::{Login, NatsConfig};

/// The content of the files of a configuration.
///
/// They are read once: they may change or be removed while the connection lasts.
#[derive(Default)]
pub(crate) struct LoginFiles {
    /// The seed of a key, or credentials; empty if the login needs no file.
    pub(crate) login: String,
    /// Trusts the given certificates; `None` means those of the system.
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
        let trust = |file| trust_certificates(file).map_err(|error| file_error(file, error));
        let tls = config.ca.as_deref().map(trust).transpose()?;
        Ok(Self { login, tls })
    }
}

/// Returns a TLS configuration that trusts the certificates in a file.
fn trust_certificates(file: &Path) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(pem_error)? {
        roots.add(certificate.map_err(pem_error)?).map_err(io::Error::other)?;
    }
    if roots.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no certificate in it"));
    }
    // Named here, because another part of the program may have installed another default provider.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn pem_error(error: pem::Error) -> io::Error {
    match error {
        pem::Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

/// Adds the name of the file to an error.
pub(crate) fn file_error(file: &Path, error: io::Error) -> ConnectError {
    io::Error::new(error.kind(), format!("{}: {error}", file.display())).into()
}
