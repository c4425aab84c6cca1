//! The permissions that each user of a network needs at a NATS server.

use neuron_core::{ControllerId, Network};
use transport_broker::{BadPassword, MessageKind, Subjects, User, Users};

use crate::{config::NatsMode, jetstream::stream_name};

/// The users of a network, for the configuration of a NATS server.
///
/// There is one for each neuron and each controller, with its name. A neuron's user may send as
/// this neuron and receive what is sent to it; and it may receive reports to a controller of the
/// same name, which its host has (`HostBuilder::controller`), and be a host of that name. A
/// controller's user may make requests in this name, and receive the reports. With
/// [`NatsMode::JetStream`] each may also look at the stream of the network, and create, look at and
/// delete the consumers of its own inbox. Only a controller's user may create the stream, because
/// its creator decides who reads it; `NatsConfig::stream_definition` is for an operator who rather
/// creates it. None may empty, change or delete the stream.
///
/// # Limits
/// A neuron's user can send signals to neurons that it is not connected to (they are counted there,
/// and change nothing), and as much as it likes.
///
/// The server's answers come to `_INBOX.<user>`, which only this user may read, and only this user
/// and the server may write to. Transports that log in with such a user expect them there.
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

    /// Allows a controller of this name to make requests.
    #[must_use]
    pub fn controller(mut self, name: &ControllerId) -> Self {
        self.users.allow_controller(name);
        self
    }

    /// Returns the block `authorization` of the server's configuration. `password` gives the
    /// password for the name of each user.
    ///
    /// # Errors
    /// When a password is empty, or contains a character with a meaning in the file, such as a
    /// quotation mark.
    pub fn config(&self, password: impl Fn(&str) -> String) -> Result<String, BadPassword> {
        let users = self.users.with_passwords(password)?;
        let users: String = users.iter().map(|(user, password)| self.user(user, password)).collect();
        Ok(format!("authorization {{\n  users: [\n{users}  ]\n}}\n"))
    }

    /// Returns the entry of one user.
    fn user(&self, user: &User, password: &str) -> String {
        let name = &user.name;
        let subscribe_kinds = user.subscribe_kinds();
        let mut publish: Vec<String> =
            user.publish_kinds().into_iter().map(|kind| self.subjects.subject(kind, "*", name)).collect();
        // An inbox sends echoes to itself, to see whether its subscription stands.
        publish.extend(subscribe_kinds.iter().map(|kind| self.subjects.subject(*kind, name, name)));
        // Before a connection is left, its user sends an echo to itself there, to see whether
        // everything before it has arrived.
        publish.push(format!("_INBOX.{name}.>"));
        let mut subscribe = vec![format!("_INBOX.{name}.>")];
        match self.mode {
            NatsMode::Core => {
                subscribe.extend(subscribe_kinds.iter().map(|kind| self.subjects.subject(*kind, name, "*")))
            }
            NatsMode::JetStream => {
                let Self { stream, .. } = self;
                let stem = self.subjects.stem();
                publish.push(format!("$JS.API.STREAM.INFO.{stream}"));
                publish.extend(user.is_controller.then(|| format!("$JS.API.STREAM.CREATE.{stream}")));
                let neuron = (format!("n_{name}"), format!("{stem}*.{name}.*"));
                let controller = (format!("c_{name}"), self.subjects.subject(MessageKind::Report, name, "*"));
                let host = (format!("h_{name}"), self.subjects.subject(MessageKind::Host, name, "*"));
                for (consumer, filter) in [neuron].into_iter().filter(|_| user.is_neuron).chain([controller, host]) {
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
        format!(
            "    {{ user: \"{name}\", password: \"{password}\", permissions: {{\n      publish: [{}]\n      subscribe: [{}]\n    }} }}\n",
            list(&publish),
            list(&subscribe),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(mode: NatsMode) -> String {
        let network = Network::builder("home").neuron("lamp", |lamp| lamp).build().expect("it is right");
        let config = Permissions::new(&network, "nn", mode).config(|_| "secret".to_owned()).expect("it is plain");
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
    fn a_user_may_publish_to_its_own_answer_subject_only() {
        for mode in [NatsMode::Core, NatsMode::JetStream] {
            let publish = publish(mode);
            let answers: Vec<&str> = publish.split('"').filter(|subject| subject.starts_with("_INBOX.")).collect();
            assert_eq!(answers, ["_INBOX.lamp.>"]);
        }
    }
}
