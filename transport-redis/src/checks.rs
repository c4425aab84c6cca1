//! What a server is asked before messages go over it, and again from time to time.
//!
//! `HELLO` tells which role a server has, is one trip as a `PING` is, and is permitted to every user.
//! Whether a user may publish, run scripts and write streams is tried with a message that has
//! no notes, and with a script that appends to a stream only if that exists, which it does not.
//!
//! Why: docs/decisions/0053-a-refusal-is-told-where-it-is-noticed.md

use neuron_core::NeuronId;
use redis::{Pipeline, RedisError, Value, aio::ConnectionLike as _};
use transport_broker::{ConnectError, Endpoint, MessageKind, Subjects};
use url::Url;

use crate::{
    config::{RedisConfig, RedisMode},
    connection::Session,
    error,
};

/// The user of an address that names none.
const DEFAULT_USER: &str = "default";

/// Runs the commands of a script that keeps a message, on a stream that does not exist. They change
/// nothing, and fail for lack of permission like that script.
const TRIAL_SCRIPT: &str = "local tried = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', '*', 'f', '')
if type(tried) == 'table' and tried.err then return tried end
return redis.pcall('PEXPIRE', KEYS[1], 1)";

/// What a server must be able to do.
pub(crate) struct Checks {
    /// The channel of notes that belongs to the user.
    own_channel: String,
    /// A stream that the user may write, and that no transport writes: signs of life are not kept.
    /// `None` in mode pubsub.
    unused_stream: Option<String>,
}

impl Checks {
    pub(crate) fn new(config: &RedisConfig, subjects: &Subjects) -> Self {
        // A name that is escaped is no name that `Acl` gives.
        let user = config.urls.first().map(Url::username).and_then(|user| user.parse::<NeuronId>().ok());
        let user = user.as_ref().map_or(DEFAULT_USER, NeuronId::as_str);
        Self {
            own_channel: format!("{}note:{user}", subjects.stem()),
            unused_stream: (config.mode == RedisMode::Streams).then(|| subjects.subject(MessageKind::Host, user, user)),
        }
    }

    /// Asks a server over a new connection whether it can carry messages.
    ///
    /// # Errors
    /// [`ConnectError::Replica`], [`ConnectError::Unsupported`] or [`ConnectError::Forbidden`] if it
    /// cannot; otherwise as the connection fails.
    pub(crate) async fn run(&self, session: &mut Session, broker: &Endpoint) -> Result<(), ConnectError> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HELLO").arg(3).cmd("PUBLISH").arg(&self.own_channel).arg("");
        if let Some(stream) = &self.unused_stream {
            pipeline.cmd("EVAL").arg(TRIAL_SCRIPT).arg(1).arg(stream);
        }
        let answers = session.redis.req_packed_commands(&pipeline, 0, pipeline.cmd_iter().count()).await;
        let answers = answers.map_err(|error| error::connect_error(broker.clone(), error))?;
        let mut answers = answers.into_iter();
        check_role(answers.next(), broker)?;
        check_command(answers.next(), broker, "publish (the command PUBLISH)", "`PUBLISH`, which all messages need")?;
        check_command(
            answers.next(),
            broker,
            "run scripts that write streams, which mode=streams needs (the commands EVAL, XADD and PEXPIRE)",
            "`EVAL`, which mode=streams needs; use mode=pubsub, or a server that has it",
        )
    }
}

/// Returns an error if a server, by its answer to `HELLO`, is a replica, a node of a cluster, or a
/// Sentinel.
fn check_role(answer: Option<Value>, broker: &Endpoint) -> Result<(), ConnectError> {
    let unsupported = |what: &str| Err(ConnectError::Unsupported { broker: broker.clone(), what: what.to_owned() });
    match answer.as_ref().and_then(|answer| field(answer, "mode")) {
        Some("cluster") => {
            return unsupported(
                "it is a node of a Redis Cluster, which keeps each stream on a node of its own, and counts the \
                 receivers of one node only; use a server with `cluster-enabled no`, and replicas of it",
            );
        }
        Some("sentinel") => {
            return unsupported(
                "it is a Sentinel, which carries no messages; give the addresses of the servers that it watches, \
                 separated by commas",
            );
        }
        Some(_) | None => {}
    }
    if answer.as_ref().is_some_and(is_replica) {
        return Err(ConnectError::Replica { broker: broker.clone() });
    }
    Ok(())
}

/// Returns whether an answer to `HELLO` is that of a replica.
pub(crate) fn is_replica(answer: &Value) -> bool {
    matches!(field(answer, "role"), Some("replica" | "slave"))
}

/// Returns an error if a command is not permitted, or does not exist. Other errors are for the
/// messages to find out: they may pass.
fn check_command(
    answer: Option<Value>,
    broker: &Endpoint,
    forbidden: &'static str,
    missing: &str,
) -> Result<(), ConnectError> {
    let Some(Value::ServerError(refusal)) = answer else { return Ok(()) };
    let error = RedisError::from(refusal);
    let text = error.to_string();
    if error::is_transient(&error) {
        return Err(error::connect_error(broker.clone(), error));
    }
    // A channel or a key may be forbidden although the command is not. The second text is that of
    // Redis 7.0 for a command in a script.
    if ["permissions to run", "can't run this command"].iter().any(|words| text.contains(words)) {
        return Err(ConnectError::Forbidden { broker: broker.clone(), what: forbidden, source: error.into() });
    }
    if text.contains("unknown command") {
        let what = format!("it has no command {missing} ({text})");
        return Err(ConnectError::Unsupported { broker: broker.clone(), what });
    }
    Ok(())
}

/// Returns a field of a map, or of a list of names and values; `None` if there is none, or it is no
/// text.
fn field<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    let text = |value: &'a Value| match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text.as_str()),
        _ => None,
    };
    match answer {
        Value::Map(fields) => fields.iter().find(|(key, _)| text(key) == Some(name)).and_then(|(_, value)| text(value)),
        Value::Array(items) => {
            items.chunks_exact(2).find(|pair| text(&pair[0]) == Some(name)).and_then(|pair| text(&pair[1]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn answer(text: &str) -> Option<Value> {
        Some(parse_redis_value(text.as_bytes()).expect("an answer"))
    }

    fn broker() -> Endpoint {
        Endpoint::of(&Url::parse("redis://host").expect("a URL"))
    }

    #[test]
    fn a_role_that_carries_no_messages_is_told() {
        let hello = |mode: &str, role: &str| {
            let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
            let text = ["mode", mode, "role", role].map(bulk).concat();
            check_role(answer(&format!("%2\r\n{text}")), &broker())
        };
        assert!(hello("standalone", "master").is_ok());
        assert!(matches!(hello("standalone", "replica"), Err(ConnectError::Replica { .. })));
        for (mode, word) in [("cluster", "cluster-enabled"), ("sentinel", "Sentinel")] {
            let told = hello(mode, "master").expect_err("it carries none");
            assert!(matches!(told, ConnectError::Unsupported { .. }) && told.to_string().contains(word), "{told}");
        }
        // What a proxy does not say is no reason to refuse it.
        assert!(check_role(answer("%0\r\n"), &broker()).is_ok() && check_role(None, &broker()).is_ok());
    }

    #[test]
    fn only_a_command_that_is_forbidden_or_missing_is_an_error() {
        let check = |text: &str| check_command(answer(text), &broker(), "publish", "`PUBLISH`");
        let forbidden = [
            "-NOPERM User x has no permissions to run the 'publish' command\r\n",
            "-NOPERM this user has no permissions to run the 'publish' command or its subcommand\r\n",
            "-NOPERM ACL failure in script: User x has no permissions to run the 'xadd' command\r\n",
            "-ERR The user executing the script can't run this command or subcommand\r\n",
        ];
        for text in forbidden {
            let told = check(text).expect_err(text);
            assert!(matches!(told, ConnectError::Forbidden { .. }), "{told:?}");
            let words = text.split_once(' ').expect("several words").1.trim_end();
            assert!(format!("{told:?}").contains(words), "{told:?}");
        }
        let told = check("-ERR unknown command 'PUBLISH', with args beginning with:\r\n").expect_err("it is missing");
        assert!(matches!(told, ConnectError::Unsupported { .. }), "{told:?}");
        let told = check("-BUSY Redis is busy running a script.\r\n").expect_err("it is busy");
        assert!(told.transient_reason().is_some(), "{told:?}");
        for text in [
            ":0\r\n",
            "-NOPERM User x has no permissions to access the 'nn:v1:n:note:x' channel\r\n",
            "-NOPERM No permissions to access a channel\r\n",
            "-ERR The user executing the script can't access at least one of the keys mentioned\r\n",
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
    }
}
