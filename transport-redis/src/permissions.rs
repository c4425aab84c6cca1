//! The permissions that each user of a network needs at a Redis server.

use neuron_core::{ControllerId, Network};
use transport_broker::{BadPassword, Subjects, User, Users};

use crate::config::RedisMode;

/// The access control list of a network, for a Redis server of version 7 or newer.
///
/// It has one user for each neuron and each controller, with its name. A neuron's user may send as
/// this neuron and receive what is sent to it; and it may receive reports to a controller of the
/// same name, which its host has (`HostBuilder::controller`), and be a host of that name. A
/// controller's user may make requests in this name, and receive the reports. Everything else is
/// forbidden. The user `default`, which needs no password, is off.
///
/// # Limits
/// - A neuron's user can send signals to neurons that it is not connected to. They are counted
///   there, and change nothing.
/// - With [`RedisMode::Streams`] it can add names of sources that do not exist. Readers then look
///   into empty streams, at most 16,384 of them.
/// - With [`RedisMode::Streams`] it can fill the server's memory, and what it has written stays:
///   streams to invented targets without an expiry, names of sources, cursors of its own.
/// - With [`RedisMode::Streams`] it can run scripts. A script has no more permissions than its
///   user, but one that does not end holds up the server until it is killed, which the server
///   permits after `lua-time-limit`. Where devices are not trusted to that degree, use
///   [`RedisMode::PubSub`].
/// - The list limits neither how much a user sends, nor the memory of its streams beyond about a
///   thousand entries for each edge.
///
/// ```
/// use neuron_core::Network;
/// use transport_redis::{Acl, RedisMode};
///
/// let network = Network::builder("home").neuron("lamp", |lamp| lamp).build()?;
/// let acl = Acl::new(&network, "nn", RedisMode::PubSub).file(|user| format!("secret-of-{user}"))?;
/// assert!(acl.contains("user lamp on >secret-of-lamp"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Acl {
    subjects: Subjects,
    mode: RedisMode,
    users: Users,
}

impl Acl {
    /// What the configuration of the server needs beside `aclfile`.
    ///
    /// The largest message is 1 MiB. Without this limit a device may send 512 MiB, and the server
    /// closes the connection of each host that it is for, because more than
    /// `client-output-buffer-limit pubsub` waits there, 32 MiB unless set otherwise.
    pub const SERVER_SETTINGS: &str = "proto-max-bulk-len 1mb\n";

    /// Creates the list for the neurons of a network. `prefix` (by default `nn`) and `mode` must be
    /// those of the transports. Controllers are added with [`controller`](Acl::controller).
    pub fn new(network: &Network, prefix: &str, mode: RedisMode) -> Self {
        Self { subjects: Subjects::new(prefix, network.name(), ':'), mode, users: Users::for_network(network) }
    }

    /// Allows a controller of this name to make requests.
    #[must_use]
    pub fn controller(mut self, name: &ControllerId) -> Self {
        self.users.allow_controller(name);
        self
    }

    /// Returns the content of the file that `aclfile` in the server's configuration names.
    /// `password` gives the password for the name of each user.
    ///
    /// # Errors
    /// When a password is empty, or contains a character with a meaning in the file, such as a
    /// space.
    pub fn file(&self, password: impl Fn(&str) -> String) -> Result<String, BadPassword> {
        let users = self.users.with_passwords(password)?;
        let lines = users.iter().map(|(user, password)| self.user(user, password) + "\n");
        // If a neuron is called `default`, its own line replaces this one.
        Ok(["user default off\n".to_owned()]
            .into_iter()
            .filter(|_| !users.iter().any(|(user, _)| user.name == "default"))
            .chain(lines)
            .collect())
    }

    /// Returns the line of one user.
    fn user(&self, user: &User, password: &str) -> String {
        let name = &user.name;
        let published = |with: char| -> String {
            let kinds = user.publish_kinds().into_iter();
            kinds.map(|kind| format!(" {with}{}", self.subjects.subject(kind, "*", name))).collect()
        };
        let subscribed = |with: &str| -> String {
            let kinds = user.subscribe_kinds().into_iter();
            kinds.map(|kind| format!(" {with}{}", self.subjects.subject(kind, name, "*"))).collect()
        };
        let base = "resetkeys resetchannels -@all +hello +auth +ping +select +time +punsubscribe";
        let mut line = format!("user {name} on >{password} {base}");
        line += &format!(" (+publish{})", published('&'));
        line += &format!(" (+psubscribe{})", subscribed("&"));
        if self.mode == RedisMode::Streams {
            let stem = self.subjects.stem();
            // The script declares the stream and the set of sources as keys; each command that it
            // runs on them needs a permission of its own.
            line += &format!(" (+eval{} ~{stem}from:*)", published('~'));
            line += &format!(" (+xadd +pexpire{})", published('~'));
            line += &format!(" (+sadd ~{stem}from:*)");
            line += &format!(" (+xread{})", subscribed("%R~"));
            line += &format!(" (+scard +sscan %R~{stem}from:n:{name} %R~{stem}from:c:{name} %R~{stem}from:h:{name})");
            line += &format!(" (+hgetall +hset +del ~{stem}read:n:{name} ~{stem}read:c:{name} ~{stem}read:h:{name})");
        }
        line
    }
}
