//! Why a first connection was not made, and the address that it should have led to.

use std::{error::Error, fmt, io};

use neuron_core::transport::fmt_with_causes;
use url::Url;

/// The address of a broker without user and password, fit for logs and errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Takes scheme, host and port from a URL, and nothing else.
    pub fn of(url: &Url) -> Self {
        let mut shown = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            shown = format!("{shown}:{port}");
        }
        Self(shown)
    }

    /// Takes scheme, hosts and ports from the addresses of several servers, and nothing else.
    pub fn of_all(urls: &[Url]) -> Self {
        let mut all = urls.iter().map(|url| Self::of(url).0);
        let mut shown = all.next().unwrap_or_default();
        for one in all {
            shown.push(',');
            shown.push_str(one.split_once("://").map_or(one.as_str(), |(_, host)| host));
        }
        Self(shown)
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a first connection was not made.
///
/// The text says what to do; `source` has the words of the broker or of the system. `Debug` prints
/// both as plain text, because that is what a `main` that returns `Box<dyn Error>` shows. Neither
/// contains a password.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not a URL of this broker, or has an unknown parameter.
    #[error("{what}; a broker's address looks like {example}")]
    BadUrl {
        /// What is wrong with the address.
        what: String,
        /// What an address may look like.
        example: &'static str,
    },
    /// Nothing answers at the address.
    #[error("{broker} cannot be reached; is the broker running there, and may this machine connect to it?")]
    Unreachable {
        /// The address that was tried.
        broker: Endpoint,
        /// What the system or the client reported.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker rejects the user, the password, the token or the key.
    #[error("{broker} refuses the user or the password; give them in the address, as in {example}")]
    Unauthorized {
        /// The address that was tried.
        broker: Endpoint,
        /// How an address contains them.
        example: &'static str,
        /// What the broker answered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker answers, and cannot serve another client at the moment.
    #[error("{broker} cannot serve this client now; {advice}")]
    Busy {
        /// The address that was tried.
        broker: Endpoint,
        /// What to do.
        advice: &'static str,
        /// What the broker answered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker answers, and refuses the connection for a reason of its own.
    #[error("{broker} refuses the connection; mend there what it says, or give the address of another one")]
    Refused {
        /// The address that was tried.
        broker: Endpoint,
        /// What the broker answered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker admits the user, and does not permit what every transport needs.
    #[error(
        "{broker} does not let this user {what}; permit it there: docs/brokers.md, \"Who may do what\", says how to make \
         the permissions of a network"
    )]
    Forbidden {
        /// The address that was tried.
        broker: Endpoint,
        /// What the user may not do.
        what: &'static str,
        /// What the broker answered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server is a replica: it takes no writes, and what is published there reaches none of the
    /// master's clients.
    #[error(
        "{broker} is a replica, and messages go over the master; give the address of the master, or those of all \
         servers, separated by commas: the first that is a master is used"
    )]
    Replica {
        /// The address that was tried.
        broker: Endpoint,
    },
    /// The address names several servers, and none of them can be used.
    #[error("none of the servers can be used; {}", list(failures))]
    NoneUsable {
        /// The address that was tried.
        broker: Endpoint,
        /// Why each of the servers cannot be used, in their order.
        failures: Vec<Self>,
    },
    /// Another kind of server answers, or one that is too old, or one without the expected TLS.
    #[error("what answers at {broker} is not {expected}")]
    NotABroker {
        /// The address that was tried.
        broker: Endpoint,
        /// What was expected at the address.
        expected: &'static str,
        /// What the server answered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The address or the server demands TLS, and this program was built without it.
    #[error(
        "{broker} needs TLS, and this program was built without TLS: enable the feature `tls` of `{package}`, which is \
         on unless default features are off"
    )]
    WithoutTls {
        /// The address that needs TLS.
        broker: Endpoint,
        /// The package whose feature is to be enabled.
        package: &'static str,
    },
    /// The broker lacks what the mode needs.
    #[error("{broker} cannot do what this mode needs: {what}")]
    Unsupported {
        /// The address that was tried.
        broker: Endpoint,
        /// What the broker lacks, and what to do.
        what: String,
    },
    /// The broker lacks what a controller or its operator has to create, and this user may not.
    #[error("{broker} does not have {what}")]
    NotPrepared {
        /// The address that was tried.
        broker: Endpoint,
        /// What the broker does not have yet, and what to do.
        what: String,
    },
    /// This machine cannot start a thread, or cannot read a file that the address names.
    #[error("cannot prepare a connection")]
    Local(#[from] io::Error),
}

impl ConnectError {
    /// Returns the error for servers none of which can be used. If there is only one, it is its
    /// error.
    ///
    /// `failures` has at least one error.
    pub fn of_all(broker: Endpoint, mut failures: Vec<Self>) -> Self {
        match failures.pop() {
            Some(only) if failures.is_empty() => only,
            last => {
                failures.extend(last);
                Self::NoneUsable { broker, failures }
            }
        }
    }

    /// Returns why the broker cannot be used yet; `None` if waiting does not help.
    ///
    /// Of several servers it suffices that one is worth waiting for.
    pub fn transient_reason(&self) -> Option<String> {
        match self {
            Self::Unreachable { source, .. } | Self::Busy { source, .. } => Some(source.to_string()),
            Self::Replica { .. } => Some(self.to_string()),
            Self::NoneUsable { failures, .. } => {
                failures.iter().any(|failure| failure.transient_reason().is_some()).then(|| self.to_string())
            }
            _ => None,
        }
    }
}

/// Returns errors as one text, each with its causes.
fn list(failures: &[ConnectError]) -> String {
    let shown: Vec<String> = failures.iter().map(|failure| format!("{failure:?}")).collect();
    shown.join("; ")
}

/// Returns the error for a client's error, as text, that means that this process, or the system,
/// has no file descriptor for another socket; `None` if it means something else.
///
/// Such an error says nothing of the broker.
pub fn descriptors_error(text: &str) -> Option<ConnectError> {
    // `EMFILE` and `ENFILE`, which have the same numbers on all systems like Unix.
    let is_out = cfg!(unix) && (text.contains("(os error 24)") || text.contains("(os error 23)"));
    is_out.then(|| io::Error::other(format!("{text}; close files, or raise the limit (`ulimit -n`)")).into())
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shown_by_main_is_plain_text_with_its_cause() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "/ca.pem: no such file");
        assert_eq!(format!("{:?}", ConnectError::from(missing)), "cannot prepare a connection: /ca.pem: no such file");
        let url = Url::parse("nats://me:secret@host:4222?mode=core").expect("a URL");
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let error = ConnectError::Unreachable { broker: Endpoint::of(&url), source: refused.into() };
        let expected = "nats://host:4222 cannot be reached; is the broker running there, and may this machine connect \
                        to it?: connection refused";
        assert_eq!(format!("{error:?}"), expected);
    }

    #[test]
    fn each_of_several_servers_says_why_it_cannot_be_used() {
        let urls = ["redis://me:secret@a", "redis://me:secret@b:7000"].map(|url| Url::parse(url).expect("a URL"));
        let all = Endpoint::of_all(&urls);
        assert_eq!(all.as_str(), "redis://a,b:7000");
        let replica = || ConnectError::Replica { broker: Endpoint::of(&urls[0]) };
        let gone = ConnectError::Unreachable { broker: Endpoint::of(&urls[1]), source: "no route".into() };
        let told = format!("{:?}", ConnectError::of_all(all.clone(), vec![replica(), gone]));
        assert!(
            told.contains("redis://a is a replica") && told.contains("no route") && !told.contains("secret"),
            "{told}"
        );
        assert!(matches!(ConnectError::of_all(all.clone(), vec![replica()]), ConnectError::Replica { .. }));
        let unauthorized = || ConnectError::Unauthorized { broker: all.clone(), example: "x", source: "no".into() };
        let waits = |failures| ConnectError::of_all(all.clone(), failures).transient_reason().is_some();
        assert!(waits(vec![unauthorized(), replica()]) && !waits(vec![unauthorized(), unauthorized()]));
    }

    #[cfg(unix)]
    #[test]
    fn too_many_open_files_are_no_fault_of_the_broker() {
        let text = io::Error::from_raw_os_error(24).to_string();
        let error = descriptors_error(&text).expect("there are no more");
        assert!(matches!(error, ConnectError::Local(_)) && error.transient_reason().is_none(), "{error:?}");
        assert!(format!("{error:?}").contains(&text), "{error:?}");
        assert!(descriptors_error(&io::Error::from_raw_os_error(111).to_string()).is_none());
    }
}
