//! How a transport logs in.

use std::{fmt, path::PathBuf};

use neuron_core::NeuronId;
use url::Url;

/// How the transport logs in. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    Anonymous,
    Token(String),
    Password(String, String),
    /// The path of a file with the seed of a key.
    Nkey(PathBuf),
    /// The path of a file with a token and the seed of its key, as `nsc` makes it.
    Credentials(PathBuf),
}

impl Login {
    /// Returns whether the login needs a file, so that what stands before the host in the address
    /// only names the user.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::Nkey(_) | Self::Credentials(_))
    }
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

/// The name of the user, to whose own subjects the broker's answers come. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserName(NeuronId);

impl UserName {
    /// Returns the user in a URL; `None` if it is not a name that subjects can contain.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        decoded(url.username()).parse().ok().map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserName(..)")
    }
}

/// Returns the login in a URL. A user without a password is a token, as in other NATS clients.
pub(crate) fn login(url: &Url) -> Login {
    match (url.username(), url.password()) {
        ("", None) => Login::Anonymous,
        (token, None) => Login::Token(decoded(token)),
        (user, Some(password)) => Login::Password(decoded(user), decoded(password)),
    }
}

/// Decodes percent-encoding. The decoder is one for forms, so `+` and `&` are escaped first.
fn decoded(text: &str) -> String {
    let escaped = text.replace('+', "%2B").replace('&', "%26");
    let form = format!("={escaped}");
    url::form_urlencoded::parse(form.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}
