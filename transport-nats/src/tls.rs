//! Connections with TLS.

use std::{io, path::Path, sync::Arc};

use async_nats::rustls::{
    self, ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject as _},
    },
};
use transport_broker::ConnectError;

use crate::login_files::file_error;

/// Returns the configuration that trusts the certificates in a file; `None` if there is no file.
pub(crate) fn client_config(ca: Option<&Path>) -> Result<Option<ClientConfig>, ConnectError> {
    let trust = |file| trust_certificates(file).map_err(|error| file_error(file, error));
    ca.map(trust).transpose()
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
