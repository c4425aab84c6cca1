//! The address of a broker, and what it says besides.

use std::{fmt, path::PathBuf, time::Duration};

use transport_broker::{CAPACITY, ConnectError, Endpoint};
use url::Url;

/// How an address looks.
pub(crate) const EXAMPLE: &str = "nats://user:password@host:4222?mode=core";

/// How to write what has a meaning in addresses.
const HIDDEN: &str = "in a password, `/`, `#`, `?` and `@` are written %2F, %23, %3F and %40";

/// What an address may say after the `?`.
const PARAMETERS: &str = "mode, prefix, creds, nkey, ca, storage, lifetime";

/// How long JetStream keeps what nobody has taken yet, unless the address says otherwise.
///
/// Long enough for a connection to be made again, short enough that nobody acts on what is long past.
const LIFETIME: Duration = Duration::from_millis(2250);

/// The shortest lifetime: NATS takes no shorter one.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest name before all subjects.
const PREFIX_LENGTH: usize = 32;

/// What the broker does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// It passes it on to whoever listens at that moment.
    Core,
    /// It keeps it for a while, and passes it on as soon as the receiver is there and has room.
    JetStream,
}

/// Where JetStream keeps messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// In memory: fast, and gone when the broker restarts.
    Memory,
    /// On disk.
    File,
}

/// How to say who we are. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    Anonymous,
    Token(String),
    Password(String, String),
    /// A file with the seed of a key.
    Nkey(PathBuf),
    /// A file with a token and the seed of its key, as `nsc` makes it.
    Credentials(PathBuf),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Token(_) => "Token(..)",
            Self::Password(..) => "Password(..)",
            Self::Nkey(_) => "Nkey(..)",
            Self::Credentials(_) => "Credentials(..)",
        })
    }
}

/// Where the broker is and how to use it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Scheme, host and port, and nothing else: it is seen in logs.
    pub(crate) url: Url,
    pub(crate) login: Login,
    pub(crate) mode: Mode,
    pub(crate) prefix: String,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) storage: Storage,
    pub(crate) lifetime: Duration,
    pub(crate) capacity: usize,
    pub(crate) give_up_after: Option<Duration>,
}

impl Config {
    /// Reads an address:
    /// `nats://[user:password@|token@]host[:port][?mode=core|jetstream&prefix=nn&creds=FILE&nkey=FILE&ca=FILE&storage=memory|file&lifetime=2250ms]`,
    /// or the same with `tls://`.
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`] when it is none, or says something that is not known.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        // The text of an address is never repeated in an error: there may be a password in it.
        let mut url =
            Url::parse(url).map_err(|error| bad(format!("the address cannot be read ({error}); {HIDDEN}")))?;
        // With one of these in its password, an address has it where something else is expected, which would be in the error.
        if url.query().is_some_and(|query| query.contains('@')) || url.fragment().is_some() {
            return Err(bad(HIDDEN.to_owned()));
        }
        if !matches!(url.scheme(), "nats" | "tls") {
            return Err(bad(format!("the scheme {} is neither nats nor tls", url.scheme())));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("the address names no host".to_owned()));
        }
        if !matches!(url.path(), "" | "/") {
            return Err(bad("nothing may follow the host but its port and parameters".to_owned()));
        }
        let mut config = Self {
            login: login(&url),
            url: url.clone(),
            mode: Mode::Core,
            prefix: "nn".to_owned(),
            ca: None,
            storage: Storage::Memory,
            lifetime: LIFETIME,
            capacity: CAPACITY,
            give_up_after: None,
        };
        for (name, value) in url.query_pairs() {
            config.set(&name, &value)?;
        }
        // Neither fails for an address with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_path("");
        config.url = url;
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ConnectError> {
        match (name, value) {
            ("mode", "core") => self.mode = Mode::Core,
            ("mode", "jetstream") => self.mode = Mode::JetStream,
            ("mode", _) => return Err(bad(format!("there is no mode `{value}`, only `core` and `jetstream`"))),
            ("storage", "memory") => self.storage = Storage::Memory,
            ("storage", "file") => self.storage = Storage::File,
            ("storage", _) => return Err(bad(format!("there is no storage {value}; there are memory, file"))),
            ("prefix", _) => {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if value.is_empty() || value.len() > PREFIX_LENGTH || !value.chars().all(fits) {
                    return Err(bad(format!("the prefix is not 1 to {PREFIX_LENGTH} of A-Z a-z 0-9 _ -")));
                }
                value.clone_into(&mut self.prefix);
            }
            ("creds", _) => self.login = Login::Credentials(value.into()),
            ("nkey", _) => self.login = Login::Nkey(value.into()),
            ("ca", _) => self.ca = Some(value.into()),
            ("lifetime", _) => {
                let lifetime = humantime::parse_duration(value)
                    .map_err(|error| bad(format!("the lifetime {value} is no time: {error}")))?;
                if lifetime < SHORTEST {
                    return Err(bad(format!("the lifetime {value} is below {SHORTEST:?}")));
                }
                self.lifetime = lifetime;
            }
            _ => return Err(bad(format!("there is no parameter {name}; there are {PARAMETERS}"))),
        }
        Ok(())
    }

    /// What the broker does with a message.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Where JetStream keeps messages, if it creates the stream. In memory unless this is called.
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// How many envelopes an inbox holds, at least one. 16,384 unless this is called.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity.max(1);
        self
    }

    /// How long JetStream keeps what nobody has taken yet, at least 100 ms. 2.25 s unless this is called.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.max(SHORTEST);
        self
    }

    /// After how long without a connection the transport closes for good; never, if not set.
    #[must_use]
    pub fn give_up_after(mut self, pause: Duration) -> Self {
        self.give_up_after = Some(pause);
        self
    }

    /// The address as a person may see it.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::of(&self.url)
    }
}

/// A user without a password is a token, as NATS clients have it.
fn login(url: &Url) -> Login {
    match (url.username(), url.password()) {
        ("", None) => Login::Anonymous,
        (token, None) => Login::Token(decoded(token)),
        (user, Some(password)) => Login::Password(decoded(user), decoded(password)),
    }
}

/// Undoes `%41` for A. What reads forms does that, once what else has a meaning in forms is hidden from it.
fn decoded(text: &str) -> String {
    let hidden = text.replace('+', "%2B").replace('&', "%26");
    let form = format!("={hidden}");
    url::form_urlencoded::parse(form.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

fn bad(what: String) -> ConnectError {
    ConnectError::BadUrl { what, example: EXAMPLE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Config {
        Config::parse(url).expect("an address")
    }

    #[test]
    fn an_address_says_all_there_is_to_know() {
        let config = parse("tls://example.com:4223?mode=jetstream&prefix=lab&ca=/ca.pem&storage=file&lifetime=3s");
        assert_eq!((config.mode, config.storage, config.lifetime), (Mode::JetStream, Storage::File, LIFETIME * 4 / 3));
        assert_eq!((config.prefix.as_str(), config.ca), ("lab", Some("/ca.pem".into())));
        assert_eq!(config.url.as_str(), "tls://example.com:4223");
        assert_eq!(parse("nats://localhost").mode, Mode::Core);
    }

    #[test]
    fn a_user_without_a_password_is_a_token() {
        assert_eq!(parse("nats://localhost").login, Login::Anonymous);
        assert_eq!(parse("nats://s%40cr+et@localhost").login, Login::Token("s@cr+et".to_owned()));
        let password = Login::Password("me".to_owned(), "a&b=c%".to_owned());
        assert_eq!(parse("nats://me:a%26b=c%25@localhost").login, password);
        assert_eq!(parse("nats://localhost?nkey=/seed").login, Login::Nkey("/seed".into()));
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (url, word) in [
            ("nats://me:secret@localhost?mode=fast", "`core` and `jetstream`"),
            ("nats://me:secret@localhost?mood=core", "mood"),
            ("nats://me:secret@localhost?lifetime=1ms", "1ms"),
            ("nats://me:secret@localhost?prefix=a.b", "prefix"),
            ("nats://me:secret@localhost/secret", "port"),
            ("redis://me:secret@localhost", "redis"),
            ("nats://me:secret@:x", "cannot be read"),
            ("nats://me:12?secret@localhost", "%3F"),
            ("nats://me:secret?12@localhost", "%3F"),
            ("nats://me:12#secret@localhost", "%23"),
            ("nats://me:12/secret@localhost", "port"),
            ("nats://me:secret/12@localhost", "%2F"),
            ("localhost", "cannot be read"),
        ] {
            let error = Config::parse(url).expect_err("it is wrong").to_string();
            assert!(error.contains(word) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn nobody_sees_a_password() {
        let config = parse("nats://somebody:secret@localhost");
        let shown = format!("{config:?} {}", config.endpoint());
        assert!(!shown.contains("secret") && !shown.contains("somebody"), "{shown}");
    }
}
