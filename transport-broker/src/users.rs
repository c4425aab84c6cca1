//! The users of a network at a broker, and what each may publish and subscribe to.

use std::{collections::BTreeMap, fmt};

use neuron_core::{ControllerId, Network, NeuronId, transport::Address};

use crate::{MessageKind, ParsedSubject};

/// A user of the broker: a device, a controller, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name of the user, which is also that of its host and of the controller of that host.
    pub name: String,
    /// The neurons that it may speak and listen as.
    pub neurons: Vec<String>,
    /// Its controller may make requests.
    pub is_controller: bool,
}

impl User {
    fn of_device(name: &str) -> Self {
        Self { name: name.to_owned(), neurons: Vec::new(), is_controller: false }
    }

    /// Returns the messages that the user may publish: each kind with the source.
    pub fn publishes(&self) -> Vec<(MessageKind, &str)> {
        let as_neuron = |kind| self.neurons.iter().map(move |neuron| (kind, neuron.as_str()));
        let requests = self.is_controller.then_some((MessageKind::Request, self.name.as_str()));
        let of_neurons = as_neuron(MessageKind::Signal).chain(as_neuron(MessageKind::Report));
        of_neurons.chain(requests).chain([(MessageKind::Host, self.name.as_str())]).collect()
    }

    /// Returns the messages that the user may receive: each kind with the target.
    ///
    /// Reports to its own name are always among them, because the host of a device has a controller
    /// of that name, even if it may not make requests; and so are messages to a host of its name.
    pub fn receives(&self) -> Vec<(MessageKind, &str)> {
        let as_neuron = |kind| self.neurons.iter().map(move |neuron| (kind, neuron.as_str()));
        let of_neurons = as_neuron(MessageKind::Signal).chain(as_neuron(MessageKind::Request));
        of_neurons.chain([MessageKind::Report, MessageKind::Host].map(|kind| (kind, self.name.as_str()))).collect()
    }

    /// Returns the addresses whose inboxes the user may read.
    pub fn inboxes(&self) -> Vec<Address> {
        let parsed = |(kind, target)| ParsedSubject { kind, target, source: target }.address();
        let is_first = |(kind, _): &(MessageKind, &str)| *kind != MessageKind::Request;
        self.receives().into_iter().filter(is_first).filter_map(parsed).collect()
    }
}

/// How a user proves who it is. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A password.
    Password(String),
    /// The hash of a password, in the form that the broker takes: for Redis SHA-256 as 64
    /// hexadecimal digits, for NATS bcrypt as `$2a$…`.
    Hash(String),
    /// The public part of a key, for NATS: `U…`, as `nk` and `nsc` make it. The device keeps the
    /// seed.
    PublicKey(String),
}

impl From<String> for Credential {
    fn from(password: String) -> Self {
        Self::Password(password)
    }
}

impl From<&str> for Credential {
    fn from(password: &str) -> Self {
        Self::Password(password.to_owned())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::Hash(_) => "Hash(..)",
            Self::PublicKey(_) => "PublicKey(..)",
        })
    }
}

/// A user that the broker would not take, or that would get the permissions of another one.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the user {user} cannot be used: {what}")]
pub struct BadUser {
    /// The name of the user. Its credential is never shown.
    pub user: String,
    /// What is wrong, and what to do.
    pub what: &'static str,
}

/// Prints the message, because that is what a `main` that returns `Box<dyn Error>` shows.
impl fmt::Debug for BadUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The users of a network: one for each device and each controller.
#[derive(Clone, Debug)]
pub struct Users(Vec<User>);

impl Users {
    /// Creates one user for each neuron of a network, with its name.
    pub fn for_network(network: &Network) -> Self {
        let user = |id: &NeuronId| User { neurons: vec![id.to_string()], ..User::of_device(id.as_str()) };
        Self(network.neurons().map(|(id, _)| user(id)).collect())
    }

    /// Creates one user for each host of a network, with its name, and one for each neuron without
    /// a host.
    pub fn for_hosts(network: &Network) -> Self {
        let mut hosts: BTreeMap<&str, User> = BTreeMap::new();
        let mut others = Vec::new();
        for (id, spec) in network.neurons() {
            match &spec.host {
                Some(host) => {
                    let user = hosts.entry(host.as_str()).or_insert_with(|| User::of_device(host.as_str()));
                    user.neurons.push(id.to_string());
                }
                None => others.push(User { neurons: vec![id.to_string()], ..User::of_device(id.as_str()) }),
            }
        }
        Self(hosts.into_values().chain(others).collect())
    }

    /// Allows a controller to make requests. If a device has its name, the two share one user.
    pub fn allow_controller(&mut self, controller: &ControllerId) {
        match self.0.iter_mut().find(|user| user.name == controller.as_str()) {
            Some(user) => user.is_controller = true,
            None => self.0.push(User { is_controller: true, ..User::of_device(controller.as_str()) }),
        }
    }

    /// Returns the users.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.0.iter()
    }

    /// Returns each user with its credential, which `credential` gives for the user's name.
    ///
    /// # Errors
    /// When a credential is empty, or contains a character with a meaning in configuration files;
    /// when two users have one name, or a neuron of one has the name of another: a neuron, a host
    /// and a controller of one name share an inbox at some brokers.
    pub fn with_credentials<C: Into<Credential>>(
        &self,
        credential: impl Fn(&str) -> C,
    ) -> Result<Vec<(&User, Credential)>, BadUser> {
        self.0.iter().map(|user| Ok((user, self.checked(user, credential(&user.name).into())?))).collect()
    }

    fn checked(&self, user: &User, credential: Credential) -> Result<Credential, BadUser> {
        let bad = |what| Err(BadUser { user: user.name.clone(), what });
        let is_special = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\\');
        let (Credential::Password(text) | Credential::Hash(text) | Credential::PublicKey(text)) = &credential;
        if text.is_empty() || text.contains(is_special) {
            return bad(
                "its credential is empty, or contains a space, a quotation mark, a backslash or a control character",
            );
        }
        for other in self.0.iter().filter(|other| !std::ptr::eq(*other, user)) {
            if other.name == user.name {
                return bad("a neuron without a host has the name of a host; give it a host, or rename one of the two");
            }
            if other.neurons.contains(&user.name) {
                return bad("a neuron of another user has its name; rename one of the two");
            }
        }
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let network = Network::builder("two").neuron("a", |a| a).neuron("b", |b| b).build().expect("it is valid");
        Users::for_network(&network)
    }

    #[test]
    fn a_controller_of_a_neurons_name_is_the_same_user() {
        use MessageKind::{Host, Report, Request, Signal};
        let mut users = users();
        users.allow_controller(&"b".parse().expect("a name"));
        users.allow_controller(&"boss".parse().expect("a name"));
        let all: Vec<&User> = users.iter().collect();
        assert_eq!(all.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["a", "b", "boss"]);
        assert_eq!(all[0].publishes(), [(Signal, "a"), (Report, "a"), (Host, "a")]);
        assert_eq!(all[1].publishes(), [(Signal, "b"), (Report, "b"), (Request, "b"), (Host, "b")]);
        assert_eq!(all[2].publishes(), [(Request, "boss"), (Host, "boss")]);
        assert_eq!(all[1].receives(), [(Signal, "b"), (Request, "b"), (Report, "b"), (Host, "b")]);
        assert_eq!(all[2].receives(), [(Report, "boss"), (Host, "boss")]);
    }

    #[test]
    fn a_host_is_one_user_for_all_its_neurons() {
        use MessageKind::{Host, Report, Request, Signal};
        let network = |alone: &str| {
            let network = Network::builder("home").neuron("b", |b| b.host("pi1")).neuron("a", |a| a.host("pi1"));
            network.neuron("c", |c| c.host("pi2")).neuron(alone, |alone| alone).build().expect("it is valid")
        };
        let users = Users::for_hosts(&network("d"));
        let all: Vec<&User> = users.iter().collect();
        assert_eq!(all.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["pi1", "pi2", "d"]);
        let expected = [(Signal, "a"), (Signal, "b"), (Report, "a"), (Report, "b"), (Host, "pi1")];
        assert_eq!(all[0].publishes(), expected);
        let expected = [(Signal, "a"), (Signal, "b"), (Request, "a"), (Request, "b"), (Report, "pi1"), (Host, "pi1")];
        assert_eq!(all[0].receives(), expected);
        let names = |user: &User| user.inboxes().iter().map(|at| at.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (names(all[0]), names(all[2])),
            (vec!["a".into(), "b".into(), "pi1".into(), "pi1".into()], vec!["d".to_owned(); 3])
        );
        let mut named_like_a_neuron = users.clone();
        named_like_a_neuron.allow_controller(&"a".parse().expect("a name"));
        for (users, user) in [(Users::for_hosts(&network("pi2")), "pi2"), (named_like_a_neuron, "a")] {
            assert_eq!(users.with_credentials(|_| "good").expect_err("two have one name").user, user);
        }
    }

    #[test]
    fn credentials_that_would_change_the_file_are_refused() {
        for bad in ["", "a b", "a\nuser mallory on nopass", "a\"b", "a\\b", "a\0"] {
            for make in [Credential::Password, Credential::Hash, Credential::PublicKey] {
                let users = users();
                let refused = users.with_credentials(|user| make(if user == "b" { bad } else { "good" }.to_owned()));
                assert_eq!(refused.expect_err(bad).user, "b", "{bad:?}");
            }
        }
        assert!(!format!("{:?}", Credential::from("secret")).contains("secret"));
    }
}
