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

/// Whether the server does not permit what it was asked for, and will not if it is asked again.
pub(crate) fn is_forbidden(error: &RedisError) -> bool {
    error.code() == Some("NOPERM")
}

/// Whether the server lives and cannot do anything for anybody at this moment: a script holds it up, it reads its disk, or it has
/// lost the server that it follows.
pub(crate) fn is_passing(error: &RedisError) -> bool {
    matches!(error.code(), Some("BUSY" | "LOADING" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN"))
}

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;

    fn error(line: &str) -> RedisError {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("it is an answer");
        match value {
            Value::ServerError(error) => error.into(),
            other => panic!("{other:?} is no error"),
        }
    }

    #[test]
    fn a_server_that_is_held_up_refuses_nothing_for_good() {
        for line in [
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        ] {
            let error = error(line);
            assert!(is_refusal(&error) && is_passing(&error) && !is_forbidden(&error), "{line}");
        }
        let no = error("NOPERM No permissions to access a channel");
        assert!(is_refusal(&no) && is_forbidden(&no) && !is_passing(&no));
        let other = error("ERR something else");
        assert!(is_refusal(&other) && !is_forbidden(&other) && !is_passing(&other));
    }
}
