//! Why there is no connection, and where it should have led.

use std::{error::Error, fmt};

use url::Url;

/// The address of a broker, as a person may see it: without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// The address in a URL.
    pub fn of(url: &Url) -> Self {
        let mut shown = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            shown = format!("{shown}:{port}");
        }
        Self(shown)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a first connection was not made. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is none, or has something in it that is not known.
    #[error("{what}; a broker's address looks like {example}")]
    BadUrl {
        /// What is wrong with it.
        what: String,
        /// How it could look.
        example: &'static str,
    },
    /// Nobody answers there.
    #[error("{broker} cannot be reached; is the broker running there, and may this machine connect to it?")]
    Unreachable {
        /// Where.
        broker: Endpoint,
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker does not accept who we say we are.
    #[error("{broker} refuses the user or the password; give them in the address, as in {example}")]
    Unauthorized {
        /// Where.
        broker: Endpoint,
        /// How the address could look.
        example: &'static str,
        /// What it answered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Whoever answers there is not such a broker, or one that is too old.
    #[error("what answers at {broker} is not {expected}")]
    NotABroker {
        /// Where.
        broker: Endpoint,
        /// What was expected there.
        expected: &'static str,
        /// What it answered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker lacks what the mode needs.
    #[error("{broker} cannot do what this mode needs: {what}")]
    Unsupported {
        /// Where.
        broker: Endpoint,
        /// What it lacks, and what to do.
        what: String,
    },
    /// This machine has no thread, or no file, to give.
    #[error("cannot prepare a connection")]
    Local(#[from] std::io::Error),
}
