//! The permissions that each user of a network needs at a NATS server.

use neuron_core::{ControllerId, Network};
use transport_broker::{BadUser, Credential, MessageKind, Subjects, User, Users};

use crate::{config::NatsMode, jetstream::stream_name};

/// The users of a network, for the configuration of a NATS server.
///
/// There is one for each device and each controller, with its name. A device is a neuron
/// ([`Permissions::new`]) or a host with its neurons ([`Permissions::for_hosts`]). Its user may
/// send as its neurons and receive what is sent to them; and it may receive reports to a controller
/// of its name, which its host has (`HostBuilder::controller`), and be a host of that name. A
/// controller's user may make requests in this name, and receive the reports. With
/// [`NatsMode::JetStream`] each may also look at the stream of the network, and create, look at and
/// delete the consumers of its own inbox. Only a controller's user may create the stream, because
/// its creator decides who reads it; `NatsConfig::stream_definition` is for an operator who rather
/// creates it. None may empty, change or delete the stream.
///
/// # Limits
/// A device's user can send signals to neurons that its neurons are not connected to (those drop
/// them), and as much as it likes. With [`NatsMode::JetStream`] it can have the server's own
/// answers and acknowledgements, which are JSON, sent to any subject; no neuron can read them.
///
/// The server's answers come to `_INBOX.<user>`, which only this user may read, and only this user
/// and the server may write to. Transports that log in with such a user expect them there. One that
/// logs in with a key says the name of the user in the address: `nats://lamp@host?nkey=FILE`.
///
/// ```
/// use neuron_core::Network;
/// use transport_nats::{NatsMode, Permissions};
///
/// let network = Network::builder("home").neuron("lamp", |lamp| lamp).build()?;
/// let permissions = Permissions::new(&network, "nn", NatsMode::Core);
/// let config = permissions.config(|user| format!("secret-of-{user}"))?;
/// assert!(config.contains(r#"user: "lamp""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Permissions {
    subjects: Subjects,
    mode: NatsMode,
    /// The name of the stream.
    stream: String,
    users: Users,
}

impl Permissions {
    /// Creates the users for the neurons of a network. `prefix` (by default `nn`) and `mode` must
    /// be those of the transports. Controllers are added with
    /// [`controller`](Permissions::controller).
    pub fn new(network: &Network, prefix: &str, mode: NatsMode) -> Self {
        Self {
            subjects: Subjects::new(prefix, network.name(), '.'),
            mode,
            stream: stream_name(prefix, network.name()),
            users: Users::for_network(network),
        }
    }

    /// Creates the users for the hosts of a network, one for each that serves all its neurons, and
    /// one for each neuron without a host. Otherwise as [`new`](Permissions::new).
    pub fn for_hosts(network: &Network, prefix: &str, mode: NatsMode) -> Self {
        Self { users: Users::for_hosts(network), ..Self::new(network, prefix, mode) }
    }

    /// Allows a controller of this name to make requests.
    #[must_use]
    pub fn controller(mut self, name: &ControllerId) -> Self {
        self.users.allow_controller(name);
        self
    }

    /// Returns the block `authorization` of the server's configuration. `credential` gives, for the
    /// name of each user, its password, the bcrypt of it as a [`Credential::Hash`] (`nats server
    /// passwd` makes it), or the public part of its key as a [`Credential::PublicKey`]. A password
    /// stands in the file as it is.
    ///
    /// A server that runs takes a new file on `SIGHUP` (`nats-server --signal reload`). It closes
    /// the connections of users that are gone or log in differently; the others stand.
    ///
    /// # Errors
    /// When a credential is unusable, or two users would share a name.
    pub fn config<C: Into<Credential>>(&self, credential: impl Fn(&str) -> C) -> Result<String, BadUser> {
        let users = self.users.with_credentials(credential)?;
        let users: Result<String, BadUser> =
            users.iter().map(|(user, credential)| self.user(user, credential)).collect();
        Ok(format!("authorization {{\n  users: [\n{}  ]\n}}\n", users?))
    }

    /// Returns the names of the users.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(|user| user.name.as_str())
    }

    /// Returns the entry of one user.
    fn user(&self, user: &User, credential: &Credential) -> Result<String, BadUser> {
        let name = &user.name;
        let login = login(name, credential).map_err(|what| BadUser { user: name.clone(), what })?;
        let mut publish: Vec<String> =
            user.publishes().into_iter().map(|(kind, source)| self.subjects.subject(kind, "*", source)).collect();
        // An inbox sends echoes to itself, to see whether its subscription stands.
        publish.extend(user.inboxes().iter().map(|at| self.subjects.echo_subject(at)));
        // Before a connection is left, its user sends an echo to itself there, to see whether
        // everything before it has arrived.
        publish.push(format!("_INBOX.{name}.>"));
        let mut subscribe = vec![format!("_INBOX.{name}.>")];
        match self.mode {
            NatsMode::Core => {
                let received = user.receives().into_iter();
                subscribe.extend(received.map(|(kind, target)| self.subjects.subject(kind, target, "*")));
            }
            NatsMode::JetStream => {
                let Self { stream, .. } = self;
                let stem = self.subjects.stem();
                publish.push(format!("$JS.API.STREAM.INFO.{stream}"));
                publish.extend(user.is_controller.then(|| format!("$JS.API.STREAM.CREATE.{stream}")));
                let neuron = |id: &String| (format!("n_{id}"), format!("{stem}*.{id}.*"));
                let controller = (format!("c_{name}"), self.subjects.subject(MessageKind::Report, name, "*"));
                let host = (format!("h_{name}"), self.subjects.subject(MessageKind::Host, name, "*"));
                for (consumer, filter) in user.neurons.iter().map(neuron).chain([controller, host]) {
                    publish.push(format!("$JS.API.CONSUMER.CREATE.{stream}.{consumer}.{filter}"));
                    publish
                        .extend(["INFO", "DELETE"].map(|what| format!("$JS.API.CONSUMER.{what}.{stream}.{consumer}")));
                    // Newer servers insert the domain and the account.
                    publish.extend(["", "*.*."].map(|before| format!("$JS.ACK.{before}{stream}.{consumer}.>")));
                }
            }
        }
        let list = |subjects: &[String]| {
            let quoted: Vec<String> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
            quoted.join(", ")
        };
        Ok(format!(
            "    {{ {login}, permissions: {{\n      publish: [{}]\n      subscribe: [{}]\n    }} }}\n",
            list(&publish),
            list(&subscribe),
        ))
    }
}

/// Returns how a user logs in, as it stands in the configuration.
///
/// # Errors
/// Says what is wrong with the credential.
fn login(name: &str, credential: &Credential) -> Result<String, &'static str> {
    let is_public_key = |key: &str| {
        key.len() == 56 && key.starts_with('U') && key.bytes().all(|c| matches!(c, b'A'..=b'Z' | b'2'..=b'7'))
    };
    match credential {
        Credential::Password(password) if password.starts_with("$2") => {
            Err("the server would take its password for a hash; it may not begin with $2")
        }
        Credential::Hash(hash) if !hash.starts_with("$2a$") || hash.len() != 60 => {
            Err("its hash is not a bcrypt, $2a$ and 56 more characters")
        }
        Credential::Password(text) | Credential::Hash(text) => Ok(format!("user: \"{name}\", password: \"{text}\"")),
        Credential::PublicKey(key) if is_public_key(key) => Ok(format!("nkey: {key}")),
        _ => Err("its key is not the public key of a user, U and 55 more characters; a seed, S…, is never given away"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(mode: NatsMode) -> String {
        let network = Network::builder("home").neuron("lamp", |lamp| lamp).build().expect("it is right");
        let config = Permissions::new(&network, "nn", mode).config(|_| "secret").expect("it is plain");
        let line = config.lines().find(|line| line.trim_start().starts_with("publish:"));
        line.expect("it may publish something").trim().to_owned()
    }

    #[test]
    fn both_forms_of_acknowledgement_are_permitted_for_the_users_own_consumers_only() {
        let publish = publish(NatsMode::JetStream);
        let acknowledge: Vec<&str> = publish.split('"').filter(|subject| subject.starts_with("$JS.ACK.")).collect();
        let own = ["$JS.ACK.NN_home.n_lamp.>", "$JS.ACK.*.*.NN_home.n_lamp.>"];
        let controller = ["$JS.ACK.NN_home.c_lamp.>", "$JS.ACK.*.*.NN_home.c_lamp.>"];
        let host = ["$JS.ACK.NN_home.h_lamp.>", "$JS.ACK.*.*.NN_home.h_lamp.>"];
        assert_eq!(acknowledge, [own, controller, host].concat());
    }

    #[test]
    fn a_credential_that_nats_would_misunderstand_is_refused_and_not_shown() {
        let network = Network::builder("home").neuron("lamp", |lamp| lamp).build().expect("it is right");
        let permissions = Permissions::new(&network, "nn", NatsMode::Core);
        let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
        for bad in [
            Credential::from("$2a$11$secret"),
            Credential::Hash("secret".to_owned()),
            Credential::PublicKey(seed.to_owned()),
            Credential::PublicKey("Usecret".to_owned()),
        ] {
            let error = permissions.config(|_| bad.clone()).expect_err("it would be misunderstood").to_string();
            assert!(error.contains("lamp") && !error.contains("secret") && !error.contains(seed), "{error}");
        }
    }

    #[test]
    fn a_user_may_publish_to_its_own_answer_subject_only() {
        for mode in [NatsMode::Core, NatsMode::JetStream] {
            let publish = publish(mode);
            let answers: Vec<&str> = publish.split('"').filter(|subject| subject.starts_with("_INBOX.")).collect();
            assert_eq!(answers, ["_INBOX.lamp.>"]);
        }
    }
}
