//! The address of a Redis server, and what can be chosen beside it.

use std::{path::PathBuf, time::Duration};

use transport_broker::{CAPACITY, ConnectError, Endpoint};
use url::Url;

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Publish and subscribe: nothing is kept.
    #[default]
    PubSub,
    /// Published, and kept in a stream for each edge as well.
    Streams,
}

/// How an address looks.
pub(crate) const EXAMPLE: &str = "redis://user:password@192.168.1.7:6379/0?mode=streams";

/// Where to connect to, and how.
#[derive(Clone)]
pub struct Config {
    pub(crate) url: Url,
    pub(crate) mode: Mode,
    pub(crate) prefix: String,
    pub(crate) capacity: usize,
    pub(crate) lifetime: Duration,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) give_up_after: Option<Duration>,
}

impl Config {
    /// Reads an address: `redis://[user][:password@]host[:port][/database]`, or `rediss://` for TLS. After a `?`:
    /// - `mode=pubsub` (default) or `mode=streams`
    /// - `prefix=nn`: what all keys and channels begin with
    /// - `ca=FILE`: the certificates to trust, in PEM; those of the system if it is not given
    /// - `lifetime=2.25s`: see [`Config::lifetime`]
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`] that says what is wrong.
    pub fn parse(address: &str) -> Result<Self, ConnectError> {
        let mut url = Url::parse(address).map_err(|error| {
            // It is not shown: with a `/` or a `#` in its password an address is none, and the password would be in the log.
            bad(format!(
                "that is no address ({error}); in a password, `/`, `#`, `?` and `@` are written %2F, %23, %3F and %40"
            ))
        })?;
        if url.query().is_some_and(|query| query.contains('@')) || url.fragment().is_some() {
            return Err(bad("in a password, `/`, `#`, `?` and `@` are written %2F, %23, %3F and %40".to_owned()));
        }
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(bad(format!("`{}` is not the scheme of a Redis server", url.scheme())));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("the address names no host".to_owned()));
        }
        let mut config = Self {
            url: url.clone(),
            mode: Mode::PubSub,
            prefix: "nn".to_owned(),
            capacity: CAPACITY,
            lifetime: Duration::from_millis(2250),
            ca: None,
            give_up_after: None,
        };
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("mode", "pubsub") => config.mode = Mode::PubSub,
                ("mode", "streams") => config.mode = Mode::Streams,
                ("mode", other) => return Err(bad(format!("there is no mode `{other}`, only `pubsub` and `streams`"))),
                ("prefix", prefix) if is_prefix(prefix) => config.prefix = prefix.to_owned(),
                ("prefix", prefix) => {
                    return Err(bad(format!("the prefix `{prefix}` is not made of A-Z, a-z, 0-9, _ and -")));
                }
                ("ca", file) => config.ca = Some(file.into()),
                ("lifetime", text) => config.lifetime = span(text)?,
                (other, _) => {
                    let known = "mode, prefix, ca and lifetime";
                    return Err(bad(format!("`{other}` cannot be set in an address, only {known}")));
                }
            }
        }
        url.set_query(None);
        config.url = url;
        Ok(config)
    }

    /// How many envelopes an inbox holds; [`CAPACITY`] if not set. When it is full, what comes is dropped and counted; with
    /// [`Mode::Streams`] it stays in its stream.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// How long a message is worth something, for [`Mode::Streams`]: what waited for longer is skipped. A level lasts for a lease
    /// and a patience unless it is renewed, which makes 2.25 s, the default.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// After how long without a connection the transport closes for good; never, if not set.
    #[must_use]
    pub fn give_up_after(mut self, pause: Duration) -> Self {
        self.give_up_after = Some(pause);
        self
    }

    /// The address, as a person may see it.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::of(&self.url)
    }
}

/// Without the password.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("broker", &self.endpoint().as_str())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

fn bad(what: String) -> ConnectError {
    ConnectError::BadUrl { what, example: EXAMPLE }
}

fn is_prefix(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Seconds or milliseconds.
fn span(text: &str) -> Result<Duration, ConnectError> {
    let seconds = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => number.parse::<f64>().map(|millis| millis / 1e3),
        (None, Some(number)) => number.parse(),
        (None, None) => text.parse(),
    };
    let span = seconds.ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    span.filter(|span| !span.is_zero()).ok_or_else(|| bad(format!("`{text}` is no time like `2.25s` or `500ms`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_say_how() {
        let config =
            Config::parse("redis://me:secret@host:7000/2?mode=streams&prefix=lab&lifetime=500ms").expect("it is one");
        assert_eq!((config.mode, config.prefix.as_str()), (Mode::Streams, "lab"));
        assert_eq!(config.lifetime, Duration::from_millis(500));
        assert_eq!(config.endpoint().as_str(), "redis://host:7000");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (address, publish_kinds) in [
            ("host", "no address"),
            ("redis://me:se#cret@host", "%23"),
            ("redis://me:se/cret@host", "%2F"),
            ("redis://me:12?secret@host", "%3F"),
            ("http://host", "`http` is not the scheme"),
            ("redis://host?mode=fast", "no mode `fast`, only `pubsub` and `streams`"),
            ("redis://host?colour=red", "`colour` cannot be set"),
            ("redis://host?lifetime=long", "`long` is no time"),
            ("redis://host?prefix=a*b", "the prefix `a*b`"),
        ] {
            let error = Config::parse(address).expect_err(address).to_string();
            assert!(error.contains(publish_kinds), "{address}: {error}");
            assert!(!error.contains("cret"), "{address}: {error}");
        }
    }
}
