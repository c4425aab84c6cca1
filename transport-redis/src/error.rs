//! Classifies the errors of the Redis client.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use transport_broker::{ConnectError, Endpoint};

use crate::config::EXAMPLE;

/// Translates the error of a first connection.
pub(crate) fn connect_error(broker: Endpoint, error: RedisError) -> ConnectError {
    let code = error.code().unwrap_or_default();
    let is_rejected =
        matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM") || error.kind() == ErrorKind::AuthenticationFailed;
    let is_foreign = matches!(
        error.kind(),
        ErrorKind::Parse | ErrorKind::RESP3NotSupported | ErrorKind::Server(ServerErrorKind::ResponseError)
    );
    if is_rejected {
        ConnectError::Unauthorized { broker, example: EXAMPLE, source: error.into() }
    } else if is_foreign {
        // The other lines only show the bytes that the parser rejected.
        let source = error.to_string().lines().next().unwrap_or_default().into();
        ConnectError::NotABroker { broker, expected: "a Redis server of version 6 or newer", source }
    } else {
        ConnectError::Unreachable { broker, source: error.into() }
    }
}

/// Returns whether the server is alive and has refused the request.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Returns whether the request is not permitted, so that repeating it does not help.
pub(crate) fn is_forbidden(error: &RedisError) -> bool {
    error.code() == Some("NOPERM")
}

/// Returns whether the server is alive and cannot serve any client at this moment: a script holds
/// it up, it loads its data, or it has lost the server that it replicates.
pub(crate) fn is_transient(error: &RedisError) -> bool {
    matches!(error.code(), Some("BUSY" | "LOADING" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN"))
}

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;

    fn error(line: &str) -> RedisError {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an answer");
        match value {
            Value::ServerError(error) => error.into(),
            other => panic!("{other:?} is no error"),
        }
    }

    #[test]
    fn the_refusals_of_a_busy_server_are_transient() {
        for line in [
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        ] {
            let error = error(line);
            assert!(is_refusal(&error) && is_transient(&error) && !is_forbidden(&error), "{line}");
        }
        let no = error("NOPERM No permissions to access a channel");
        assert!(is_refusal(&no) && is_forbidden(&no) && !is_transient(&no));
        let other = error("ERR something else");
        assert!(is_refusal(&other) && !is_forbidden(&other) && !is_transient(&other));
    }
}
