//! The permissions that each user of a network needs at a Redis server.

use neuron_core::{ControllerId, Network};
use transport_broker::{BadUser, Credential, Subjects, User, Users};

use crate::{config::RedisMode, contact, sha256::sha256_hex, streams::sort};

/// The access control list of a network, for a Redis server of version 7 or newer.
///
/// It has one user for each device and each controller, with its name. A device is a neuron
/// ([`Acl::new`]) or a host with its neurons ([`Acl::for_hosts`]). Its user may send as its neurons
/// and receive what is sent to them; and it may receive reports to a controller of its name, which
/// its host has (`HostBuilder::controller`), and be a host of that name. A controller's user may
/// make requests in this name, and receive the reports. Everything else is forbidden. The user
/// `default`, which needs no password, is off.
///
/// The server needs [`SERVER_SETTINGS`](Acl::SERVER_SETTINGS) as well.
///
/// # Limits
/// - A device's user can send signals to neurons that its neurons are not connected to. Those drop
///   them.
/// - What it writes on its own channel of notes is read by all processes of the network.
/// - With [`RedisMode::Streams`] it can run scripts. A script has no more permissions than its
///   user, but one that does not end holds up the server until it is killed, which the server
///   permits after `lua-time-limit`. Where devices are not trusted to that degree, use
///   [`RedisMode::PubSub`].
/// - With [`RedisMode::Streams`] it can fill the server's memory, and what it has written stays:
///   streams to invented targets without an expiry, cursors of its own.
/// - The list does not limit how much a user sends.
///
/// ```
/// use neuron_core::Network;
/// use transport_redis::{Acl, RedisMode};
///
/// let network = Network::builder("home").neuron("lamp", |lamp| lamp.host("pi1")).build()?;
/// let acl = Acl::for_hosts(&network, "nn", RedisMode::PubSub).file(|user| format!("secret-of-{user}"))?;
/// assert!(acl.contains("user pi1 on #") && !acl.contains("secret-of-pi1"));
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

    /// Creates the list for the neurons of a network, with a user for each. `prefix` (by default
    /// `nn`) and `mode` must be those of the transports. Controllers are added with
    /// [`controller`](Acl::controller).
    pub fn new(network: &Network, prefix: &str, mode: RedisMode) -> Self {
        Self { subjects: Subjects::new(prefix, network.name(), ':'), mode, users: Users::for_network(network) }
    }

    /// Creates the list for the hosts of a network, with a user for each that serves all its
    /// neurons, and a user for each neuron without a host. Otherwise as [`new`](Acl::new).
    pub fn for_hosts(network: &Network, prefix: &str, mode: RedisMode) -> Self {
        Self { users: Users::for_hosts(network), ..Self::new(network, prefix, mode) }
    }

    /// Allows a controller of this name to make requests.
    #[must_use]
    pub fn controller(mut self, name: &ControllerId) -> Self {
        self.users.allow_controller(name);
        self
    }

    /// Returns the content of the file that `aclfile` in the server's configuration names.
    /// `credential` gives, for the name of each user, its password, or the SHA-256 of it as a
    /// [`Credential::Hash`]. The file contains the hashes only.
    ///
    /// Hashes are as good as their passwords are long: a short one is found by trying.
    ///
    /// # Errors
    /// When a credential is unusable, or two users would share a name.
    pub fn file<C: Into<Credential>>(&self, credential: impl Fn(&str) -> C) -> Result<String, BadUser> {
        let users = self.users.with_credentials(credential)?;
        let lines: Result<String, BadUser> =
            users.iter().map(|(user, credential)| Ok(format!("user {}\n", self.user(user, credential)?))).collect();
        // If a device is called `default`, its own line replaces this one.
        let off = if self.users().any(|user| user == "default") { "" } else { "user default off\n" };
        Ok(off.to_owned() + &lines?)
    }

    /// Returns the commands that bring the users of a server that runs up to date, one a line, for
    /// a user that may administer it. Connections stand; the server closes those whose inboxes may
    /// not be read any more.
    ///
    /// Users that are not among [`users`](Acl::users) any more are removed with `ACL DELUSER`,
    /// which closes their connections. `ACL SAVE` writes the file.
    ///
    /// # Errors
    /// As for [`file`](Acl::file).
    pub fn commands<C: Into<Credential>>(&self, credential: impl Fn(&str) -> C) -> Result<Vec<String>, BadUser> {
        let users = self.users.with_credentials(credential)?;
        // The name comes first, then what the user had before is taken away.
        let command = |(user, credential): &(&User, Credential)| {
            let line = self.user(user, credential)?;
            Ok(format!("ACL SETUSER {}", line.replacen(' ', " reset ", 1)))
        };
        users.iter().map(command).collect()
    }

    /// Returns the names of the users.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(|user| user.name.as_str())
    }

    /// Returns the rules of one user, after its name.
    fn user(&self, user: &User, credential: &Credential) -> Result<String, BadUser> {
        let name = &user.name;
        let hash = hash_of(credential).map_err(|what| BadUser { user: name.clone(), what })?;
        let published = |with: char| -> String {
            let subjects = user.publishes().into_iter();
            subjects.map(|(kind, source)| format!(" {with}{}", self.subjects.subject(kind, "*", source))).collect()
        };
        let received = |with: &str| -> String {
            let subjects = user.receives().into_iter();
            subjects.map(|(kind, target)| format!(" {with}{}", self.subjects.subject(kind, target, "*"))).collect()
        };
        let base = "resetkeys resetchannels -@all +hello +auth +ping +select +time +unsubscribe";
        let stem = self.subjects.stem();
        let mut line = format!("{name} on #{hash} {base}");
        let notes: String = names_of(user).map(|name| format!(" &{stem}note:{name}")).collect();
        line += &format!(" (+publish{}{notes})", published('&'));
        line += &format!(" (+subscribe{})", received("&"));
        line += &format!(" (+psubscribe &{})", contact::pattern(&self.subjects));
        if self.mode == RedisMode::Streams {
            // The script declares the stream as a key; each command that it runs on it needs a
            // permission of its own.
            line += &format!(" (+eval +xadd +pexpire{})", published('~'));
            line += &format!(" (+xread{})", received("%R~"));
            let inboxes = user.inboxes();
            let cursors: String = inboxes.iter().map(|at| format!(" ~{stem}read:{}:{}", sort(at), at.name())).collect();
            line += &format!(" (+hgetall +hset +hdel +pexpire +del{cursors})");
        }
        Ok(line)
    }
}

/// Returns the names that a user owns: those of its neurons, and its own.
fn names_of(user: &User) -> impl Iterator<Item = &String> {
    let own = (!user.neurons.contains(&user.name)).then_some(&user.name);
    user.neurons.iter().chain(own)
}

/// Returns the SHA-256 of a password.
///
/// # Errors
/// Says what the credential is instead.
fn hash_of(credential: &Credential) -> Result<String, &'static str> {
    match credential {
        Credential::Password(password) => Ok(sha256_hex(password.as_bytes())),
        Credential::Hash(hash) if hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            Ok(hash.to_ascii_lowercase())
        }
        Credential::Hash(_) => Err("its hash is not the SHA-256 of a password, 64 hexadecimal digits"),
        _ => Err("Redis takes passwords and their hashes only"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_redis_does_not_know_is_refused_and_not_shown() {
        let network = Network::builder("home").neuron("lamp", |lamp| lamp).build().expect("it is right");
        let acl = Acl::new(&network, "nn", RedisMode::PubSub);
        for bad in [Credential::PublicKey("UABC".to_owned()), Credential::Hash("$2a$secret".to_owned())] {
            let error = acl.file(|_| bad.clone()).expect_err("it is not one of Redis").to_string();
            assert!(error.contains("lamp") && !error.contains("secret"), "{error}");
        }
        let (hash, password) = (Credential::Hash(sha256_hex(b"secret")), Credential::from("secret"));
        assert_eq!(acl.file(|_| hash.clone()), acl.file(|_| password.clone()));
    }
}
