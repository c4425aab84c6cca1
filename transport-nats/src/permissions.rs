//! The permissions that let each device do what it has to, and no more.

use neuron_core::{ControllerId, Network};
use transport_broker::{BadPassword, MessageKind, Subjects, User, Users};

use crate::{config::Mode, jetstream::stream_name};

/// The users of a network, for the configuration of a NATS server: one for each neuron and each controller, with its name.
///
/// A neuron's user may speak as this neuron, read this neuron's inbox, and that of a controller of the same name, which its host
/// has ([`HostBuilder::controller`]). A controller's user may make requests in this name, and read the answers. With
/// [`Mode::JetStream`] each may also make the stream of the network if it is not there, look at it, and make, look at and
/// remove the consumers of its own inbox; nobody may empty the stream, change it or remove it.
///
/// What such permissions cannot forbid: a neuron's user may send signals to neurons that it is not connected to (they are
/// counted there, and change nothing), and as much as it likes. Answers of the server come to `_INBOX.<user>`, which only the
/// user itself reads and, beside the server, writes; transports that log in with this user ask for them there.
///
/// [`HostBuilder::controller`]: neuron_core::actor::HostBuilder::controller
///
/// ```
/// use neuron_core::Network;
/// use transport_nats::{Mode, Permissions};
///
/// let network = Network::builder("home").neuron("lamp", |lamp| lamp).build()?;
/// let config = Permissions::new(&network, "nn", Mode::Core).config(|user| format!("secret-of-{user}"))?;
/// assert!(config.contains(r#"user: "lamp""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Permissions {
    subjects: Subjects,
    mode: Mode,
    stream: String,
    users: Users,
}

impl Permissions {
    /// For the neurons of a network, with the prefix (`nn`) and the mode that its transports have. Controllers are
    /// [added](Permissions::controller).
    pub fn new(network: &Network, prefix: &str, mode: Mode) -> Self {
        Self {
            subjects: Subjects::new(prefix, network.name(), '.'),
            mode,
            stream: stream_name(prefix, network.name()),
            users: Users::of(network),
        }
    }

    /// Lets a controller of this name steer the network.
    #[must_use]
    pub fn controller(mut self, name: &ControllerId) -> Self {
        self.users.allow_controller(name);
        self
    }

    /// The block `authorization` of the server's configuration. `password` gives the password of each user.
    ///
    /// # Errors
    /// When a password has a quotation mark in it, or anything else that would change the meaning of the file.
    pub fn config(&self, password: impl Fn(&str) -> String) -> Result<String, BadPassword> {
        let users = self.users.with_passwords(password)?;
        let users: String = users.iter().map(|(user, password)| self.user(user, password)).collect();
        Ok(format!("authorization {{\n  users: [\n{users}  ]\n}}\n"))
    }

    fn user(&self, user: &User, password: &str) -> String {
        let (name, subscribe_kinds) = (&user.name, user.subscribe_kinds());
        let mut publish: Vec<String> =
            user.publish_kinds().into_iter().map(|kind| self.subjects.subject(kind, "*", name)).collect();
        // An inbox speaks to itself, to see whether it hears.
        publish.extend(subscribe_kinds.iter().map(|kind| self.subjects.subject(*kind, name, name)));
        // Before a connection is left, its user sends something to itself there, to see whether all that it has sent has arrived.
        publish.push(format!("_INBOX.{name}.>"));
        let mut subscribe = vec![format!("_INBOX.{name}.>")];
        match self.mode {
            Mode::Core => subscribe.extend(subscribe_kinds.iter().map(|kind| self.subjects.subject(*kind, name, "*"))),
            Mode::JetStream => {
                let Self { stream, .. } = self;
                let stem = self.subjects.stem();
                publish.extend(["INFO", "CREATE"].map(|what| format!("$JS.API.STREAM.{what}.{stream}")));
                let neuron = (format!("n_{name}"), format!("{stem}*.{name}.*"));
                let controller = (format!("c_{name}"), self.subjects.subject(MessageKind::Report, name, "*"));
                for (consumer, filter) in [neuron].into_iter().filter(|_| user.is_neuron).chain([controller]) {
                    publish.push(format!("$JS.API.CONSUMER.CREATE.{stream}.{consumer}.{filter}"));
                    publish
                        .extend(["INFO", "DELETE"].map(|what| format!("$JS.API.CONSUMER.{what}.{stream}.{consumer}")));
                    // With the domain and the account in it, as newer servers have it, and without.
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

    fn publish(mode: Mode) -> String {
        let network = Network::builder("home").neuron("lamp", |lamp| lamp).build().expect("it is right");
        let config = Permissions::new(&network, "nn", mode).config(|_| "secret".to_owned()).expect("it is plain");
        let line = config.lines().find(|line| line.trim_start().starts_with("publish:"));
        line.expect("it may publish something").trim().to_owned()
    }

    #[test]
    fn both_forms_of_acknowledgement_are_permitted_for_the_own_consumers_only() {
        let publish = publish(Mode::JetStream);
        let acknowledge: Vec<&str> = publish.split('"').filter(|subject| subject.starts_with("$JS.ACK.")).collect();
        let own = ["$JS.ACK.NN_home.n_lamp.>", "$JS.ACK.*.*.NN_home.n_lamp.>"];
        let controller = ["$JS.ACK.NN_home.c_lamp.>", "$JS.ACK.*.*.NN_home.c_lamp.>"];
        assert_eq!(acknowledge, [own, controller].concat());
    }

    #[test]
    fn whatever_a_user_may_do_it_answers_itself() {
        for mode in [Mode::Core, Mode::JetStream] {
            let publish = publish(mode);
            let answers: Vec<&str> = publish.split('"').filter(|subject| subject.starts_with("_INBOX.")).collect();
            assert_eq!(answers, ["_INBOX.lamp.>"]);
        }
    }
}
