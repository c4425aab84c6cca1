//! Classifies the errors of the Redis client.

use redis::{ErrorKind, RedisError};
use transport_broker::{ConnectError, Endpoint, answers_ping, descriptors_error, is_without_tls, speaks_tls};
use url::Url;

use crate::config::EXAMPLE;

/// What is expected at an address that begins with `rediss://`.
const TLS_SERVER: &str = "a Redis server with TLS; for one without TLS, the address begins with redis://";

/// What is expected at an address that begins with `redis://`.
const PLAIN_SERVER: &str = "a Redis server without TLS; for one with TLS, the address begins with rediss://";

/// Translates the error of a first connection. Where TLS may be the reason, it asks the server.
pub(crate) async fn first_connect_error(url: &Url, error: RedisError) -> ConnectError {
    let broker = Endpoint::of(url);
    let host = url.host_str().unwrap_or_default();
    let port = url.port().unwrap_or(DEFAULT_PORT);
    let may_be_tls = matches!(error.kind(), ErrorKind::Parse | ErrorKind::Io)
        && !error.is_connection_refusal()
        && descriptors_error(&error.to_string()).is_none();
    let expected = match url.scheme() {
        "redis" if may_be_tls && speaks_tls(host, port).await => PLAIN_SERVER,
        // A server without TLS waits for the end of a line, and there is none in a greeting of TLS.
        "rediss" if may_be_tls && answers_ping(host, port).await => TLS_SERVER,
        _ => return connect_error(broker, error),
    };
    ConnectError::NotABroker { broker, expected, source: first_line(&error).into() }
}

/// The port of an address that names none.
const DEFAULT_PORT: u16 = 6379;

/// Translates the error of a first connection.
pub(crate) fn connect_error(broker: Endpoint, error: RedisError) -> ConnectError {
    let text = error.to_string();
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or_default();
    let is_rejected = matches!(code, "NOAUTH" | "WRONGPASS") || error.kind() == ErrorKind::AuthenticationFailed;
    let is_old = matches!(error.kind(), ErrorKind::RESP3NotSupported)
        || code == "NOPROTO"
        || code == "ERR" && detail.starts_with("unknown command");
    if let Some(error) = descriptors_error(&text) {
        return error;
    }
    if is_rejected {
        ConnectError::Unauthorized { broker, example: EXAMPLE, source: error.into() }
    } else if is_forbidden(&error) {
        ConnectError::Forbidden { broker, what: "do what the mode needs", source: error.into() }
    } else if code == READONLY {
        ConnectError::Replica { broker }
    } else if error.kind() == ErrorKind::Parse || is_old {
        let source = first_line(&error).into();
        ConnectError::NotABroker { broker, expected: "a Redis server of version 6 or newer", source }
    } else if detail.contains("DB index") {
        let what = format!(
            "{broker} has no database of this number ({detail}); choose a lower one, or raise `databases` in its \
             configuration"
        );
        ConnectError::BadUrl { what, example: EXAMPLE }
    } else if detail.contains("max number of clients") {
        let advice = "close some of its clients, or raise `maxclients` in its configuration";
        ConnectError::Busy { broker, advice, source: error.into() }
    } else if is_transient(&error) {
        ConnectError::Busy {
            broker,
            advice: "try again in a moment, or wait for it (`wait=true`)",
            source: error.into(),
        }
    } else if is_refusal(&error) {
        ConnectError::Refused { broker, source: error.into() }
    } else if is_without_tls(&text) {
        ConnectError::NotABroker { broker, expected: TLS_SERVER, source: error.into() }
    } else {
        ConnectError::Unreachable { broker, source: error.into() }
    }
}

/// Returns the text of an error without the further lines that only show the bytes that the parser
/// rejected.
fn first_line(error: &RedisError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Returns whether the server is alive and has refused the request. One that has become a replica
/// is of no use any more, so that its refusals count as the loss of the connection.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) && error.code() != Some(READONLY)
}

/// The code of the answer of a replica to a write.
const READONLY: &str = "READONLY";

/// Returns the kind of a refusal: refusals of one kind begin and end together.
pub(crate) fn kind_of(error: &RedisError) -> &str {
    error.code().unwrap_or("ERR")
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

    fn connect_error_of(line: &str) -> ConnectError {
        let url = Url::parse("redis://host/99").expect("a URL");
        connect_error(Endpoint::of(&url), error(line))
    }

    #[test]
    fn what_a_server_says_to_a_new_client_is_told_with_what_to_do() {
        for line in ["ERR max number of clients reached", "LOADING Redis is loading the dataset in memory"] {
            let told = connect_error_of(line);
            assert!(matches!(told, ConnectError::Busy { .. }), "{line}: {told:?}");
            let words = line.split_once(' ').expect("two words").1;
            assert!(told.transient_reason().is_some_and(|why| why.contains(words)), "{line}: {told:?}");
        }
        let told = connect_error_of("DENIED Redis is running in protected mode because protected mode is enabled");
        assert!(matches!(told, ConnectError::Refused { .. }) && told.transient_reason().is_none(), "{told:?}");
        assert!(format!("{told:?}").contains("protected mode"), "{told:?}");
        for line in ["ERR unknown command `HELLO`, with args", "NOPROTO unsupported protocol version"] {
            let told = connect_error_of(line);
            assert!(matches!(told, ConnectError::NotABroker { .. }), "{line}: {told:?}");
        }
        let told = connect_error_of("WRONGPASS invalid username-password pair or user is disabled.");
        assert!(matches!(told, ConnectError::Unauthorized { .. }), "{told:?}");
    }

    #[test]
    fn a_replica_is_no_server_that_refuses_one_request() {
        let error = error("READONLY You can't write against a read only replica.");
        assert!(!is_refusal(&error) && !is_transient(&error));
        let told = connect_error_of("READONLY You can't write against a read only replica.");
        assert!(matches!(told, ConnectError::Replica { .. }) && told.transient_reason().is_some(), "{told:?}");
        let told = connect_error_of("NOPERM User x has no permissions to run the 'psubscribe' command");
        assert!(matches!(told, ConnectError::Forbidden { .. }), "{told:?}");
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
