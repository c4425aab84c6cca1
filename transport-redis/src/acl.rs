//! The permissions that let each device do what it has to, and no more.

use neuron_core::{ControllerId, Network};
use transport_broker::{BadPassword, Subjects, User, Users};

use crate::Mode;

/// The access control list of a network, for a Redis server of version 7 or newer: one user for each neuron and each controller,
/// with its name.
///
/// A neuron's user may speak as this neuron, read this neuron's inbox, and that of a controller of the same name, which its host
/// has ([`HostBuilder::controller`]). A controller's user may make requests in this name, and read the answers. Nobody may
/// do anything else; the user `default`, who needs no password, is off.
///
/// What such a list cannot forbid: a neuron's user may send signals to neurons that it is not connected to (they are counted
/// there, and change nothing), and with [`Mode::Streams`] it may note names of sources that do not exist (readers then look
/// into streams that are empty), and run scripts: what those touch is limited as everything is, but one that does not end holds
/// up the server until `lua-time-limit` lets others kill it. Where devices are not trusted so far, use [`Mode::PubSub`].
/// It limits neither how much a user sends nor how much memory its streams take beyond a thousand entries for each edge.
///
/// [`HostBuilder::controller`]: neuron_core::actor::HostBuilder::controller
///
/// ```
/// use neuron_core::Network;
/// use transport_redis::{Acl, Mode};
///
/// let network = Network::builder("home").neuron("lamp", |lamp| lamp).build()?;
/// let acl = Acl::new(&network, "nn", Mode::PubSub).file(|user| format!("secret-of-{user}"))?;
/// assert!(acl.contains("user lamp on >secret-of-lamp"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Acl {
    subjects: Subjects,
    mode: Mode,
    users: Users,
}

impl Acl {
    /// For the neurons of a network, with the prefix (`nn`) and the mode that its transports have. Controllers are
    /// [added](Acl::controller).
    pub fn new(network: &Network, prefix: &str, mode: Mode) -> Self {
        Self { subjects: Subjects::new(prefix, network.name(), ':'), mode, users: Users::of(network) }
    }

    /// Lets a controller of this name steer the network.
    #[must_use]
    pub fn controller(mut self, name: &ControllerId) -> Self {
        self.users.allow_controller(name);
        self
    }

    /// The file, as `aclfile` in the server's configuration names it. `password` gives the password of each user.
    ///
    /// # Errors
    /// When a password has a space in it, or anything else that would change the meaning of the file.
    pub fn file(&self, password: impl Fn(&str) -> String) -> Result<String, BadPassword> {
        let users = self.users.with_passwords(password)?;
        let lines = users.iter().map(|(user, password)| self.user(user, password) + "\n");
        // Should a neuron have its name, that is the line that counts.
        Ok(["user default off\n".to_owned()]
            .into_iter()
            .filter(|_| !users.iter().any(|(user, _)| user.name == "default"))
            .chain(lines)
            .collect())
    }

    fn user(&self, user: &User, password: &str) -> String {
        let name = &user.name;
        let said = |with: char| -> String {
            let subjects = user
                .publish_kinds()
                .into_iter()
                .map(|kind| format!(" {with}{}", self.subjects.subject(kind, "*", name)));
            subjects.collect()
        };
        let heard = |with: &str| -> String {
            let subjects = user
                .subscribe_kinds()
                .into_iter()
                .map(|kind| format!(" {with}{}", self.subjects.subject(kind, name, "*")));
            subjects.collect()
        };
        let base = "resetkeys resetchannels -@all +hello +auth +ping +select +time +punsubscribe";
        let mut line = format!("user {name} on >{password} {base}");
        line += &format!(" (+publish{})", said('&'));
        line += &format!(" (+psubscribe{})", heard("&"));
        if self.mode == Mode::Streams {
            let stem = self.subjects.stem();
            // The script names the stream and the set of its target's sources; what it does with them is permitted one by one.
            line += &format!(" (+eval{} ~{stem}from:*)", said('~'));
            line += &format!(" (+xadd +pexpire{})", said('~'));
            line += &format!(" (+sadd ~{stem}from:*)");
            line += &format!(" (+xread{})", heard("%R~"));
            line += &format!(" (+smembers %R~{stem}from:n:{name} %R~{stem}from:c:{name})");
            line += &format!(" (+hgetall +hset +del ~{stem}read:n:{name} ~{stem}read:c:{name})");
        }
        line
    }
}
