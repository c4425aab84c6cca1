//! The address of a NATS server, and the settings of a transport.

use std::{path::PathBuf, time::Duration};

use neuron_core::NetworkId;
use transport_broker::{
    CAPACITY, ConnectError, ConnectionOptions, Endpoint, NO_UNIX_SOCKETS, has_unescaped_login, host_problem, is_secret,
    is_unix_socket, parse_duration, parse_hosts, repeated_parameter, shown_parameter,
};
use url::Url;

use crate::{
    error, jetstream,
    login::{Login, UserName, login},
};

/// What an address may look like.
pub(crate) const EXAMPLE: &str = "nats://user:password@host:4222?mode=core";

/// How to write the characters of a password that have a meaning in addresses.
const ESCAPES: &str = "in a password, `/`, `#`, `?` and `@` are written %2F, %23, %3F and %40";

/// The parameters that may follow the `?` of an address.
const PARAMETERS: &str = "mode, prefix, creds, nkey, ca, storage, lifetime, wait, local_first";

/// How long JetStream keeps a message, unless set otherwise: a level lasts for a lease and a
/// patience unless it is renewed, which makes 2.25 s.
const LIFETIME: Duration = Duration::from_millis(2250);

/// The shortest lifetime that NATS accepts.
const MIN_LIFETIME: Duration = Duration::from_millis(100);

/// The longest prefix of all subjects, in characters.
const MAX_PREFIX_LENGTH: usize = 32;

/// How messages travel through the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NatsMode {
    /// The broker passes a message on to the present subscribers, and keeps nothing. What is sent
    /// to an address without an inbox is lost. The default.
    #[default]
    Core,
    /// The broker keeps a message for its lifetime, and passes it on as soon as the receiver is
    /// there and has room.
    JetStream,
}

/// Where JetStream keeps messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// In memory: fast, and lost when the broker restarts. The default.
    #[default]
    Memory,
    /// On disk.
    File,
}

/// Where to connect to, and how.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// The servers in the order in which they are tried; at least one. Scheme, host and port only,
    /// because they appear in logs.
    pub(crate) urls: Vec<Url>,
    pub(crate) login: Login,
    /// The name of the user, to whose own subjects the broker's answers come; `None` if they come
    /// to subjects that all users share.
    pub(crate) user: Option<UserName>,
    pub(crate) mode: NatsMode,
    pub(crate) prefix: String,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) storage: Storage,
    pub(crate) lifetime: Duration,
    pub(crate) capacity: usize,
    pub(crate) options: ConnectionOptions,
    pub(crate) wait: bool,
}

impl NatsConfig {
    /// Returns what the subjects of the broker's answers begin with.
    pub(crate) fn inbox_prefix(&self) -> String {
        self.user.as_ref().map_or_else(|| "_INBOX".to_owned(), |user| format!("_INBOX.{}", user.as_str()))
    }

    /// Parses an address: `nats://[user:password@|token@]host[:port]`, or `tls://` for TLS. Several
    /// servers are separated by commas, as in `nats://me:secret@a:4222,b,c:4300`: they are tried in
    /// this order, at each connection anew. These parameters may follow a `?`:
    /// - `mode=core` (default) or `mode=jetstream`: see [`NatsMode`]
    /// - `prefix=nn`: what all subjects begin with; 1 to 32 letters, digits, `_` and `-`
    /// - `creds=FILE`: credentials, as `nsc` makes them
    /// - `nkey=FILE`: the seed of a key; `nats://user@host?nkey=FILE` also names the user, which
    ///   [`Permissions`](crate::Permissions) makes necessary, as with `creds`
    /// - `ca=FILE`: the certificates to trust, in PEM; by default those of the system
    /// - `storage=memory` (default) or `storage=file`: see [`NatsConfig::storage`]
    /// - `lifetime=2.25s`: see [`NatsConfig::lifetime`]; `ms`, `s`, `m` and `h` are units, plain
    ///   numbers are seconds
    /// - `wait=true`: see [`NatsConfig::wait_for_broker`]
    /// - `local_first=false`: see [`NatsConfig::local_first`]
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`], which says what is wrong. It never repeats a password.
    /// [`ConnectError::WithoutTls`] for `tls://` or `ca` in a build without the feature `tls`.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        if is_unix_socket(url) {
            return Err(bad(NO_UNIX_SOCKETS.to_owned()));
        }
        // The address is not repeated in an error, because there may be a password in it.
        let mut urls =
            parse_hosts(url).map_err(|error| bad(format!("the address cannot be read ({error}); {ESCAPES}")))?;
        // An `@` or a `#` here is part of a password that is not escaped. Other errors would show
        // it.
        if urls.iter().any(has_unescaped_login) {
            return Err(bad(ESCAPES.to_owned()));
        }
        let Some(url) = urls.first().cloned() else { return Err(bad("the address names no host".to_owned())) };
        if !matches!(url.scheme(), "nats" | "tls") {
            return Err(bad("the address begins neither with nats:// nor with tls://".to_owned()));
        }
        if let Some(problem) = urls.iter().find_map(host_problem) {
            return Err(bad(problem.to_owned()));
        }
        if !matches!(url.path(), "" | "/") {
            return Err(bad("nothing may follow the host but its port and parameters".to_owned()));
        }
        let mut config = Self {
            login: login(&url),
            user: None,
            urls: Vec::new(),
            mode: NatsMode::Core,
            prefix: "nn".to_owned(),
            ca: None,
            storage: Storage::Memory,
            lifetime: LIFETIME,
            capacity: CAPACITY,
            options: ConnectionOptions::default(),
            wait: false,
        };
        if let Some(name) = repeated_parameter(&url) {
            return Err(bad(format!("{name} is given twice; give it once")));
        }
        for (name, value) in url.query_pairs() {
            config.set(&name, &value)?;
        }
        if config.login.is_file() || matches!(config.login, Login::Password(..)) {
            config.user = UserName::of(&url);
        }
        for url in &mut urls {
            // Neither fails, because each address has a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_path("");
        }
        config.urls = urls;
        if cfg!(not(feature = "tls")) && (url.scheme() == "tls" || config.ca.is_some()) {
            return Err(error::without_tls(config.endpoint()));
        }
        Ok(config)
    }

    /// Sets the parameter of an address.
    fn set(&mut self, name: &str, value: &str) -> Result<(), ConnectError> {
        match (name, value) {
            ("mode", "core") => self.mode = NatsMode::Core,
            ("mode", "jetstream") => self.mode = NatsMode::JetStream,
            ("mode", _) => return Err(bad(format!("there is no mode `{value}`, only `core` and `jetstream`"))),
            ("storage", "memory") => self.storage = Storage::Memory,
            ("storage", "file") => self.storage = Storage::File,
            ("storage", _) => return Err(bad(format!("there is no storage {value}; there are memory, file"))),
            ("prefix", _) => {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if value.is_empty() || value.len() > MAX_PREFIX_LENGTH || !value.chars().all(fits) {
                    return Err(bad(format!("the prefix is not 1 to {MAX_PREFIX_LENGTH} of A-Z a-z 0-9 _ -")));
                }
                value.clone_into(&mut self.prefix);
            }
            ("creds" | "nkey", _) if is_secret(value) => {
                let what =
                    "names a file, and this is the content of one; write it to a file that only its user can read";
                return Err(bad(format!("`{name}` {what}")));
            }
            ("creds" | "nkey", _) if self.login.is_file() => {
                return Err(bad("`creds` and `nkey` are both given, and only one can be used".to_owned()));
            }
            ("creds", _) => self.login = Login::Credentials(value.into()),
            ("nkey", _) => self.login = Login::Nkey(value.into()),
            ("ca", _) => self.ca = Some(value.into()),
            ("lifetime", _) => {
                let lifetime = parse_duration(value).map_err(bad)?;
                if lifetime < MIN_LIFETIME {
                    return Err(bad(format!("the lifetime {value} is below {MIN_LIFETIME:?}")));
                }
                self.lifetime = lifetime;
            }
            ("wait", _) => self.wait = parse_bool(value)?,
            ("local_first", _) => self.options.local_first = parse_bool(value)?,
            _ => {
                let name = shown_parameter(name, value);
                return Err(bad(format!("{name} is no parameter; there are {PARAMETERS}")));
            }
        }
        Ok(())
    }

    /// Sets how messages travel; by default [`NatsMode::Core`].
    #[must_use]
    pub fn mode(mut self, mode: NatsMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets where JetStream keeps messages; by default [`Storage::Memory`]. A stream that exists
    /// and keeps them elsewhere is refused.
    #[must_use]
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Sets how many envelopes an inbox holds; by default [`CAPACITY`], at least 1.
    ///
    /// What comes to a full inbox is dropped and counted; with [`NatsMode::JetStream`] it waits at
    /// the broker until there is room.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity.max(1);
        self
    }

    /// Sets for how long a message is of use, for [`NatsMode::JetStream`]; by default 2.25 s, at
    /// least 100 ms. Older messages are skipped, and the broker keeps them no longer: it is the
    /// same for all processes of a network, and a stream that exists with another one is refused.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.max(MIN_LIFETIME);
        self
    }

    /// Closes the transport for good after this time without a connection, and with it all inboxes,
    /// so neurons of this process stop as well. By default it tries for ever.
    #[must_use]
    pub fn give_up_after(mut self, pause: Duration) -> Self {
        self.options.give_up_after = Some(pause);
        self
    }

    /// Lets the transport start also if the broker cannot be reached yet. What is in this process
    /// works at once, and the rest as soon as the broker answers. By default the first attempt has
    /// to succeed. A wrong password, another kind of server or a bad address is an error in any
    /// case.
    #[must_use]
    pub fn wait_for_broker(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// Sets whether what has its inbox in this process is reached without the broker; so by
    /// default. Then a host goes on with its own neurons while the broker is away, and its signals
    /// are as fast as over a local transport. With `false` the broker sees all messages.
    #[must_use]
    pub fn local_first(mut self, local_first: bool) -> Self {
        self.options.local_first = local_first;
        self
    }

    /// Returns the configuration of the stream that [`NatsMode::JetStream`] needs for a network, as
    /// JSON for `nats stream add --config FILE`, so that an operator can create it.
    ///
    /// ```
    /// use transport_nats::NatsConfig;
    ///
    /// let config = NatsConfig::parse("nats://localhost?mode=jetstream&lifetime=3s")?;
    /// let definition = config.stream_definition(&"home".parse().expect("a name"));
    /// assert!(definition.contains(r#""name": "NN_home""#) && definition.contains(r#""max_age": 3000000000"#));
    /// # Ok::<(), transport_nats::ConnectError>(())
    /// ```
    pub fn stream_definition(&self, network: &NetworkId) -> String {
        format!("{:#}", jetstream::to_json(&jetstream::definition(self, network)))
    }

    /// Returns the address of all servers as it may be shown.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::of_all(&self.urls)
    }
}

fn parse_bool(text: &str) -> Result<bool, ConnectError> {
    text.parse().map_err(|_| bad(format!("`{text}` is neither `true` nor `false`")))
}

fn bad(what: String) -> ConnectError {
    ConnectError::BadUrl { what, example: EXAMPLE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> NatsConfig {
        NatsConfig::parse(url).expect("an address")
    }

    #[test]
    fn an_address_may_have_parameters() {
        let config = parse("nats://example.com:4223?mode=jetstream&prefix=lab&storage=file&lifetime=3s");
        assert_eq!(
            (config.mode, config.storage, config.lifetime),
            (NatsMode::JetStream, Storage::File, LIFETIME * 4 / 3)
        );
        assert_eq!((config.prefix.as_str(), config.urls[0].as_str()), ("lab", "nats://example.com:4223"));
        assert_eq!(parse("nats://localhost").mode, NatsMode::Core);
        assert_eq!(parse("nats://localhost?lifetime=1").lifetime, Duration::from_secs(1));
    }

    #[test]
    fn an_address_may_name_several_servers() {
        let config = parse("nats://me:se,cret@a:4223,b,[::1]?mode=jetstream");
        assert_eq!(config.endpoint().as_str(), "nats://a:4223,b,[::1]");
        let urls: Vec<&str> = config.urls.iter().map(Url::as_str).collect();
        assert_eq!(urls, ["nats://a:4223", "nats://b", "nats://[::1]"]);
        assert_eq!(config.login, Login::Password("me".to_owned(), "se,cret".to_owned()));
    }

    #[test]
    fn an_address_with_tls_says_what_to_do_in_a_build_without_it() {
        for url in ["tls://me:secret@host:7000", "nats://me:secret@host:7000?ca=/ca.pem", "tls://host?ca=/ca.pem"] {
            let parsed = NatsConfig::parse(url);
            if cfg!(feature = "tls") {
                let config = parsed.expect("an address");
                assert_eq!(config.ca, url.contains("ca=").then(|| "/ca.pem".into()));
                continue;
            }
            let error = parsed.expect_err("there is no TLS").to_string();
            let expected = " needs TLS, and this program was built without TLS: enable the feature `tls` of \
                            `transport-nats`, which is on unless default features are off";
            assert!(error.ends_with(expected) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_user_without_a_password_is_a_token() {
        assert_eq!(parse("nats://localhost").login, Login::Anonymous);
        assert_eq!(parse("nats://s%40cr+et@localhost").login, Login::Token("s@cr+et".to_owned()));
        let password = Login::Password("me".to_owned(), "a&b=c%".to_owned());
        assert_eq!(parse("nats://me:a%26b=c%25@localhost").login, password);
        for (address, user) in [("nats://localhost?nkey=/seed", None), ("nats://pi1@localhost?nkey=/seed", Some("pi1"))]
        {
            let config = parse(address);
            assert_eq!((config.login, config.user.as_ref().map(UserName::as_str)), (Login::Nkey("/seed".into()), user));
        }
        assert_eq!((parse("nats://me:x@host").user.is_some(), parse("nats://token@host").user), (true, None));
    }

    #[test]
    fn an_invalid_address_is_explained_without_its_password() {
        for (url, word) in [
            ("nats://me:secret@localhost?mode=fast", "`core` and `jetstream`"),
            ("nats://me:secret@localhost?mood=core", "mood"),
            ("nats://me:secret@localhost?lifetime=1ms", "1ms"),
            ("nats://me:secret@localhost?prefix=a.b", "prefix"),
            ("nats://me:secret@localhost?lifetime=long", "`long` is no duration"),
            ("nats://me:secret@localhost?wait=true&mode=core&wait=true", "`wait` is given twice"),
            ("nats://localhost?creds=/secret&nkey=/secret", "`creds` and `nkey` are both given"),
            ("nats://me:secret@a;b", "more than one host"),
            ("nats://me:secret@a,,b", "number 2 of the address is missing"),
            ("nats://me:secret@a,me:secret@b", "stand once"),
            ("nats://a,secret:word", "number 2 of the address: invalid port"),
            ("nats:///run/secret.sock", "Unix sockets are not supported"),
            ("unix:///run/secret.sock", "Unix sockets are not supported"),
            ("nats://me:secret@localhost/secret", "its port"),
            ("redis://me:secret@localhost", "neither with nats://"),
            ("secret:word@localhost", "%2F"),
            ("secret://localhost", "neither with nats://"),
            ("nats://secret/word@localhost", "%2F"),
            ("nats://localhost?secret", "one of them is no parameter"),
            ("nats://localhost?nkey=SUACsecretSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY", "names a file"),
            ("nats://localhost?creds=-----BEGIN NATS USER JWT-----secret", "names a file"),
            ("nats://localhost?creds=eyJsecret", "names a file"),
            ("nats://me:secret@:x", "cannot be read"),
            ("nats://me:12?secret@localhost", "%3F"),
            ("nats://me:secret?12@localhost", "%3F"),
            ("nats://me:12#secret@localhost", "%23"),
            ("nats://me:12/secret@localhost", "%2F"),
            ("nats://me:secret/12@localhost", "%2F"),
            ("localhost", "cannot be read"),
        ] {
            let error = NatsConfig::parse(url).expect_err("it is wrong").to_string();
            assert!(error.contains(word) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = parse("nats://alice:secret@localhost");
        let shown = format!("{config:?} {}", config.endpoint());
        assert!(!shown.contains("secret") && !shown.contains("alice"), "{shown}");
    }
}
