//! What the client says, in our words.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use transport_broker::{ConnectError, Endpoint};

use crate::config::EXAMPLE;

/// Why a first connection was not made.
pub(crate) fn connecting(broker: Endpoint, error: RedisError) -> ConnectError {
    let code = error.code().unwrap_or_default();
    let says_no = matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM") || error.kind() == ErrorKind::AuthenticationFailed;
    let speaks_otherwise = matches!(
        error.kind(),
        ErrorKind::Parse | ErrorKind::RESP3NotSupported | ErrorKind::Server(ServerErrorKind::ResponseError)
    );
    if says_no {
        ConnectError::Unauthorized { broker, example: EXAMPLE, source: error.into() }
    } else if speaks_otherwise {
        // What follows tells which bytes the parser did not like.
        let source = error.to_string().lines().next().unwrap_or_default().into();
        ConnectError::NotABroker { broker, expected: "a Redis server of version 6 or newer", source }
    } else {
        ConnectError::Unreachable { broker, source: error.into() }
    }
}

/// Whether the server lives and has refused what it was asked for.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}
