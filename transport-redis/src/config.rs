//! The address of a Redis server, and the settings of a transport.

use std::{fmt, path::PathBuf, time::Duration};

use transport_broker::{
    CAPACITY, ConnectError, ConnectionOptions, Endpoint, NO_UNIX_SOCKETS, has_unescaped_login, host_problem,
    is_unix_socket, parse_duration, parse_hosts, repeated_parameter, shown_parameter,
};
use url::Url;

/// How messages travel through the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedisMode {
    /// Publish and subscribe: the server keeps nothing. What is sent to an address without an inbox
    /// is lost. The default.
    #[default]
    PubSub,
    /// Messages are published, and kept in a stream for each edge as well. A receiver that was away
    /// or slow reads them later.
    Streams,
}

/// What an address may look like.
pub(crate) const EXAMPLE: &str = "redis://user:password@192.168.1.7:6379/0?mode=streams";

/// How to write the characters of a password that have a meaning in addresses.
const ESCAPES: &str = "in a password, `/`, `#`, `?` and `@` are written %2F, %23, %3F and %40";

/// How long a message is of use, unless set otherwise: a level lasts for a lease and a patience
/// unless it is renewed, which makes 2.25 s.
const LIFETIME: Duration = Duration::from_millis(2250);

/// Where to connect to, and how.
#[derive(Clone)]
pub struct RedisConfig {
    /// The addresses of the servers, in the order in which they are tried; at least one. They
    /// differ in host and port only, and have no parameters.
    pub(crate) urls: Vec<Url>,
    pub(crate) mode: RedisMode,
    pub(crate) prefix: String,
    pub(crate) capacity: usize,
    pub(crate) lifetime: Duration,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) options: ConnectionOptions,
    pub(crate) wait: bool,
}

impl RedisConfig {
    /// Parses an address: `redis://[user][:password@]host[:port][/database]`, or `rediss://` for
    /// TLS. Several servers are separated by commas, as in `redis://me:secret@a:6379,b,c:7000/0`:
    /// they are tried in this order, at each connection anew, until one is a master that takes
    /// messages. These parameters may follow a `?`:
    /// - `mode=pubsub` (default) or `mode=streams`: see [`RedisMode`]
    /// - `prefix=nn`: what all keys and channels begin with
    /// - `ca=FILE`: the certificates to trust, in PEM; by default those of the system
    /// - `lifetime=2.25s`: see [`RedisConfig::lifetime`]; `ms`, `s`, `m` and `h` are units, plain
    ///   numbers are seconds
    /// - `wait=true`: see [`RedisConfig::wait_for_broker`]
    /// - `local_first=false`: see [`RedisConfig::local_first`]
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`], which says what is wrong. It never repeats a password.
    /// [`ConnectError::WithoutTls`] for `rediss://` in a build without the feature `tls`.
    pub fn parse(address: &str) -> Result<Self, ConnectError> {
        if is_unix_socket(address) {
            return Err(bad(NO_UNIX_SOCKETS.to_owned()));
        }
        // The address is not repeated: a password with a `/` or a `#` in it makes it invalid, and
        // would be shown.
        let mut urls = parse_hosts(address).map_err(|error| bad(format!("that is no address ({error}); {ESCAPES}")))?;
        if urls.iter().any(has_unescaped_login) {
            return Err(bad(ESCAPES.to_owned()));
        }
        let Some(url) = urls.first().cloned() else { return Err(bad("the address names no host".to_owned())) };
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(bad("the address begins neither with redis:// nor with rediss://".to_owned()));
        }
        if let Some(problem) = urls.iter().find_map(host_problem) {
            return Err(bad(problem.to_owned()));
        }
        if !url.path().trim_start_matches('/').bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(bad("what follows the host is not the number of a database".to_owned()));
        }
        let mut config = Self {
            urls: Vec::new(),
            mode: RedisMode::PubSub,
            prefix: "nn".to_owned(),
            capacity: CAPACITY,
            lifetime: LIFETIME,
            ca: None,
            options: ConnectionOptions::default(),
            wait: false,
        };
        if let Some(name) = repeated_parameter(&url) {
            return Err(bad(format!("{name} is given twice; give it once")));
        }
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("mode", "pubsub") => config.mode = RedisMode::PubSub,
                ("mode", "streams") => config.mode = RedisMode::Streams,
                ("mode", other) => return Err(bad(format!("there is no mode `{other}`, only `pubsub` and `streams`"))),
                ("prefix", prefix) if is_prefix(prefix) => config.prefix = prefix.to_owned(),
                ("prefix", prefix) => {
                    return Err(bad(format!("the prefix `{prefix}` is not made of A-Z, a-z, 0-9, _ and -")));
                }
                ("ca", file) => config.ca = Some(file.into()),
                ("lifetime", text) => config.lifetime = parse_duration(text).map_err(bad)?,
                ("wait", text) => config.wait = parse_bool(text)?,
                ("local_first", text) => config.options.local_first = parse_bool(text)?,
                (other, value) => {
                    let known = "mode, prefix, ca, lifetime, wait and local_first";
                    let other = shown_parameter(other, value);
                    return Err(bad(format!("{other} cannot be set in an address, only {known}")));
                }
            }
        }
        urls.iter_mut().for_each(|url| url.set_query(None));
        config.urls = urls;
        if cfg!(not(feature = "tls")) && url.scheme() == "rediss" {
            return Err(ConnectError::WithoutTls { broker: config.endpoint(), package: env!("CARGO_PKG_NAME") });
        }
        Ok(config)
    }

    /// Sets how many envelopes an inbox holds; by default [`CAPACITY`], at least 1.
    ///
    /// What comes to a full inbox is dropped and counted; with [`RedisMode::Streams`] it stays in
    /// its stream until there is room.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets for how long a message is of use, for [`RedisMode::Streams`]; by default 2.25 s, which
    /// is how long a level lasts unless it is renewed (a lease and a patience). Older messages are
    /// skipped.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Closes the transport for good after this time without a connection, and with it all inboxes,
    /// so neurons of this process stop as well. By default it tries for ever.
    #[must_use]
    pub fn give_up_after(mut self, pause: Duration) -> Self {
        self.options.give_up_after = Some(pause);
        self
    }

    /// Lets the transport start also if the server cannot be reached yet. What is in this process
    /// works at once, and the rest as soon as the server answers. By default the first attempt has
    /// to succeed. A wrong password, another kind of server or a bad address is an error in any
    /// case.
    #[must_use]
    pub fn wait_for_broker(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// Sets whether what has its inbox in this process is reached without the server; so by
    /// default. Then a host goes on with its own neurons while the server is away, and its signals
    /// are as fast as over a local transport. With `false` the server sees all messages.
    #[must_use]
    pub fn local_first(mut self, local_first: bool) -> Self {
        self.options.local_first = local_first;
        self
    }

    /// Returns the address of all servers as it may be shown.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::of_all(&self.urls)
    }
}

/// Leaves out user and password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
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

fn parse_bool(text: &str) -> Result<bool, ConnectError> {
    text.parse().map_err(|_| bad(format!("`{text}` is neither `true` nor `false`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_parameters() {
        let config = RedisConfig::parse("redis://me:secret@host:7000/2?mode=streams&prefix=lab&lifetime=500ms")
            .expect("an address");
        assert_eq!((config.mode, config.prefix.as_str()), (RedisMode::Streams, "lab"));
        assert_eq!(config.lifetime, Duration::from_millis(500));
        assert_eq!(config.endpoint().as_str(), "redis://host:7000");
        assert!(!format!("{config:?}").contains("secret"));
        let config = RedisConfig::parse("redis://host?lifetime=1m").expect("an address");
        assert_eq!(config.lifetime, Duration::from_secs(60));
    }

    #[test]
    fn an_address_may_name_several_servers() {
        let config = RedisConfig::parse("redis://me:se,cret@a:7000,b,[::1]/2?mode=streams").expect("an address");
        assert_eq!(config.endpoint().as_str(), "redis://a:7000,b,[::1]");
        let urls: Vec<&str> = config.urls.iter().map(Url::as_str).collect();
        assert_eq!(urls, ["redis://me:se,cret@a:7000/2", "redis://me:se,cret@b/2", "redis://me:se,cret@[::1]/2"]);
        assert_eq!(config.mode, RedisMode::Streams);
    }

    #[test]
    fn an_address_with_tls_says_what_to_do_in_a_build_without_it() {
        let parsed = RedisConfig::parse("rediss://me:secret@host:7000?mode=streams");
        if cfg!(feature = "tls") {
            assert_eq!(parsed.expect("an address").endpoint().as_str(), "rediss://host:7000");
            return;
        }
        let expected = "rediss://host:7000 needs TLS, and this program was built without TLS: enable the feature \
                        `tls` of `transport-redis`, which is on unless default features are off";
        assert_eq!(parsed.expect_err("there is no TLS").to_string(), expected);
    }

    #[test]
    fn an_invalid_address_is_explained_without_its_password() {
        for (address, expected) in [
            ("host", "no address"),
            ("redis://me:se#cret@host", "%23"),
            ("redis://me:se/cret@host", "%2F"),
            ("redis://me:12?secret@host", "%3F"),
            ("http://host", "neither with redis://"),
            ("cret:word@host", "%2F"),
            ("cret://host", "neither with redis://"),
            ("redis://cret/word@host", "%2F"),
            ("redis://me:12/cret@host", "%2F"),
            ("redis://host/cret", "number of a database"),
            ("redis://host?cret", "one of them cannot be set"),
            ("redis://host?password=cret", "`password` cannot be set"),
            ("redis://host?mode=fast", "no mode `fast`, only `pubsub` and `streams`"),
            ("redis://host?colour=red", "`colour` cannot be set"),
            ("redis://host?lifetime=long", "`long` is no duration"),
            ("redis://host?prefix=a&mode=streams&prefix=a", "`prefix` is given twice"),
            ("redis://me:cret@a;b", "more than one host"),
            ("redis://me:cret@a,,b", "number 2 of the address is missing"),
            ("redis://me:cret@a,me:cret@b", "stand once"),
            ("redis://a,cret:word", "number 2 of the address: invalid port"),
            ("redis+unix:///run/cret.sock", "Unix sockets are not supported"),
            ("unix:///run/cret.sock", "Unix sockets are not supported"),
            ("redis:///run/cret.sock", "Unix sockets are not supported"),
            ("/run/cret.sock", "Unix sockets are not supported"),
            ("redis://host?prefix=a*b", "the prefix `a*b`"),
        ] {
            let error = RedisConfig::parse(address).expect_err(address).to_string();
            assert!(error.contains(expected), "{address}: {error}");
            assert!(!error.contains("cret"), "{address}: {error}");
        }
    }
}
