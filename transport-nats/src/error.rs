//! Translates the errors of the NATS client.

use std::{error::Error, io};

use async_nats::ConnectErrorKind;
use transport_broker::ConnectError;

use crate::config::{EXAMPLE, NatsConfig};

/// What is expected at an address without TLS.
const PLAIN_SERVER: &str = "a NATS server";

/// What is expected at an address with TLS.
const TLS_SERVER: &str = "a NATS server with TLS and a certificate that is trusted here (ca=FILE names whom to trust)";

/// Translates the error of an attempt to connect.
pub(crate) fn connect_error(config: &NatsConfig, error: async_nats::ConnectError) -> ConnectError {
    let broker = config.endpoint();
    let is_io = |kind| {
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|error| error.kind() == kind)
    };
    let is_foreign = || error.source().is_some_and(|source| source.to_string().starts_with("expected INFO, got "));
    #[cfg(not(feature = "tls"))]
    if error.source().is_some_and(|source| source.to_string().contains(crate::tls::REFUSAL)) {
        return without_tls(config);
    }
    match error.kind() {
        ConnectErrorKind::ServerParse => ConnectError::BadUrl { what: error.to_string(), example: EXAMPLE },
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            ConnectError::Unauthorized { broker, example: EXAMPLE, source: error.into() }
        }
        ConnectErrorKind::Tls => not_a_broker(config, TLS_SERVER, error.into()),
        // The TLS reader reports invalid input in this way.
        ConnectErrorKind::Io if is_io(io::ErrorKind::InvalidData) => not_a_broker(config, TLS_SERVER, error.into()),
        // The protocol reader reports it in this way.
        ConnectErrorKind::Io if is_io(io::ErrorKind::InvalidInput) || is_foreign() => {
            not_a_broker(config, PLAIN_SERVER, error.into())
        }
        _ => ConnectError::Unreachable { broker, source: error.into() },
    }
}

/// Returns the error for an address or a server that demands TLS, in a build without it.
pub(crate) fn without_tls(config: &NatsConfig) -> ConnectError {
    ConnectError::WithoutTls { broker: config.endpoint(), package: env!("CARGO_PKG_NAME") }
}

/// Returns the error for a server of another kind, with the first line that it sent.
pub(crate) fn foreign_server(config: &NatsConfig, line: &str) -> ConnectError {
    not_a_broker(config, PLAIN_SERVER, format!("it said {line:?}").into())
}

fn not_a_broker(config: &NatsConfig, expected: &'static str, source: Box<dyn Error + Send + Sync>) -> ConnectError {
    ConnectError::NotABroker { broker: config.endpoint(), expected, source }
}
