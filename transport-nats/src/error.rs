//! Translates the errors of the NATS client.

use std::{error::Error, io};

use async_nats::{ConnectErrorKind, ServerError};
use transport_broker::{ConnectError, Endpoint, descriptors_error, is_without_tls};

use crate::{config::EXAMPLE, probe::Foreign};

/// What is expected at an address without TLS.
const PLAIN_SERVER: &str = "a NATS server";

/// What is expected at an address with TLS.
const TLS_SERVER: &str = "a NATS server with TLS and a certificate that is trusted here (ca=FILE names whom to trust)";

/// What is expected at an address with TLS, where the server has none.
const WITHOUT_TLS: &str =
    "a NATS server with TLS: it has no certificate; for one without TLS, the address begins with nats://";

/// What is expected where a server begins with TLS.
const TLS_LATER: &str =
    "a NATS server that says who it is before TLS begins, as it does unless `handshake_first` is set";

/// Translates the error of an attempt to connect.
pub(crate) fn connect_error(broker: Endpoint, error: async_nats::ConnectError) -> ConnectError {
    let is_io = |kind| {
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|error| error.kind() == kind)
    };
    let is_foreign = || error.source().is_some_and(|source| source.to_string().starts_with("expected INFO, got "));
    #[cfg(not(feature = "tls"))]
    if error.source().is_some_and(|source| source.to_string().contains(crate::tls::REFUSAL)) {
        return without_tls(broker);
    }
    let text = error.to_string();
    if let Some(error) = descriptors_error(&text) {
        return error;
    }
    if let Some(refusal) = error.source().and_then(|source| source.downcast_ref::<ServerError>()) {
        return refused(broker, refusal, error.kind());
    }
    match error.kind() {
        _ if is_without_tls(&text) => not_a_broker(broker, WITHOUT_TLS, error.into()),
        ConnectErrorKind::ServerParse => ConnectError::BadUrl { what: error.to_string(), example: EXAMPLE },
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => unauthorized(broker, error),
        ConnectErrorKind::Tls => not_a_broker(broker, TLS_SERVER, error.into()),
        // The TLS reader reports invalid input in this way.
        ConnectErrorKind::Io if is_io(io::ErrorKind::InvalidData) => not_a_broker(broker, TLS_SERVER, error.into()),
        // The protocol reader reports it in this way.
        ConnectErrorKind::Io if is_io(io::ErrorKind::InvalidInput) || is_foreign() => {
            not_a_broker(broker, PLAIN_SERVER, error.into())
        }
        _ => ConnectError::Unreachable { broker, source: error.into() },
    }
}

/// Translates what a server says in place of a welcome.
fn refused(broker: Endpoint, refusal: &ServerError, kind: ConnectErrorKind) -> ConnectError {
    let source = Box::new(refusal.clone());
    let text = refusal.to_string().to_lowercase();
    if matches!(kind, ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation) {
        return unauthorized(broker, source);
    }
    if text.contains("maximum") && text.contains("connections exceeded") {
        let advice = "close some of its connections, or raise `max_connections` in its configuration or of the account";
        return ConnectError::Busy { broker, advice, source };
    }
    if text.contains("authentication timeout") {
        let advice = "the login takes too long: try again, or raise `timeout` of its `authorization`";
        return ConnectError::Busy { broker, advice, source };
    }
    if ["authentication", "authorization", "credential"].iter().any(|word| text.contains(word)) {
        return unauthorized(broker, source);
    }
    ConnectError::Refused { broker, source }
}

fn unauthorized(broker: Endpoint, source: impl Into<Box<dyn Error + Send + Sync>>) -> ConnectError {
    ConnectError::Unauthorized { broker, example: EXAMPLE, source: source.into() }
}

/// Returns the error for an address or a server that demands TLS, in a build without it.
pub(crate) fn without_tls(broker: Endpoint) -> ConnectError {
    ConnectError::WithoutTls { broker, package: env!("CARGO_PKG_NAME") }
}

/// Returns the error for a server of another kind, with the first line that it sent.
pub(crate) fn foreign_server(broker: Endpoint, server: &Foreign) -> ConnectError {
    match server {
        Foreign::Says(line) => not_a_broker(broker, PLAIN_SERVER, format!("it said {line:?}").into()),
        Foreign::BeginsWithTls => not_a_broker(broker, TLS_LATER, "it expects TLS at once".into()),
    }
}

fn not_a_broker(broker: Endpoint, expected: &'static str, source: Box<dyn Error + Send + Sync>) -> ConnectError {
    ConnectError::NotABroker { broker, expected, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NatsConfig;

    #[test]
    fn what_a_server_says_in_place_of_a_welcome_is_told_with_what_to_do() {
        let config = NatsConfig::parse("nats://me:secret@host").expect("an address");
        let told = |text: &str| refused(config.endpoint(), &ServerError::Other(text.to_owned()), ConnectErrorKind::Io);
        for text in ["maximum connections exceeded", "maximum account active connections exceeded"] {
            let error = told(text);
            assert!(
                matches!(&error, ConnectError::Busy { advice, .. } if advice.contains("max_connections")),
                "{error:?}"
            );
            assert!(error.transient_reason().is_some_and(|why| why.contains(text)), "{error:?}");
        }
        let error = told("Authentication Timeout");
        assert!(matches!(&error, ConnectError::Busy { advice, .. } if advice.contains("timeout")), "{error:?}");
        for text in ["User Authentication Expired", "User Authentication Revoked", "Account Authentication Expired"] {
            assert!(matches!(told(text), ConnectError::Unauthorized { .. }), "{text}");
        }
        let error = told("Protocol Version Mismatch");
        assert!(
            matches!(error, ConnectError::Refused { .. }) && format!("{error:?}").contains("Mismatch"),
            "{error:?}"
        );
    }
}
