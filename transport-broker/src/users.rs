//! The users of a network at a broker, and what each may publish and subscribe to.

use std::fmt;

use neuron_core::{ControllerId, Network};

use crate::MessageKind;

/// A user of the broker, with the name of the neuron, of the controller, or of both that it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name of the user.
    pub name: String,
    /// There is a neuron of this name.
    pub is_neuron: bool,
    /// There is a controller of this name that may make requests.
    pub is_controller: bool,
}

impl User {
    /// Returns the kinds of message that the user may publish with its name as the source. Each may
    /// be a host.
    pub fn publish_kinds(&self) -> Vec<MessageKind> {
        let neuron = [MessageKind::Signal, MessageKind::Report].into_iter().filter(|_| self.is_neuron);
        let controller = [MessageKind::Request].into_iter().filter(|_| self.is_controller);
        neuron.chain(controller).chain([MessageKind::Host]).collect()
    }

    /// Returns the kinds of message that the user may receive with its name as the target.
    ///
    /// Reports are always among them, because the host of a neuron has a controller of its name,
    /// even if that may not make requests; and so are messages to a host of its name.
    pub fn subscribe_kinds(&self) -> Vec<MessageKind> {
        let neuron = [MessageKind::Signal, MessageKind::Request].into_iter().filter(|_| self.is_neuron);
        neuron.chain([MessageKind::Report, MessageKind::Host]).collect()
    }
}

/// A password that would change the meaning of the broker's configuration file.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the password of {user} is empty, or contains a space, a quotation mark, a backslash or a control character")]
pub struct BadPassword {
    /// The user whose password it is. The password itself is never shown.
    pub user: String,
}

/// Prints the message, because that is what a `main` that returns `Box<dyn Error>` shows.
impl fmt::Debug for BadPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The users of a network: one for each name of a neuron or a controller.
#[derive(Clone, Debug)]
pub struct Users(Vec<User>);

impl Users {
    /// Creates one user for each neuron of a network.
    pub fn for_network(network: &Network) -> Self {
        let user = |id: &neuron_core::NeuronId| User { name: id.to_string(), is_neuron: true, is_controller: false };
        Self(network.neurons().map(|(id, _)| user(id)).collect())
    }

    /// Allows a controller to make requests. If a neuron has its name, the two share one user.
    pub fn allow_controller(&mut self, controller: &ControllerId) {
        match self.0.iter_mut().find(|user| user.name == controller.as_str()) {
            Some(user) => user.is_controller = true,
            None => self.0.push(User { name: controller.to_string(), is_neuron: false, is_controller: true }),
        }
    }

    /// Returns each user with its password, which `password` gives for the user's name.
    ///
    /// # Errors
    /// When a password is empty, or contains a character with a meaning in configuration files.
    pub fn with_passwords<'a>(
        &'a self,
        password: impl Fn(&str) -> String,
    ) -> Result<Vec<(&'a User, String)>, BadPassword> {
        let is_special = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\\');
        let with_password = |user: &'a User| {
            let password = password(&user.name);
            if password.is_empty() || password.contains(is_special) {
                return Err(BadPassword { user: user.name.clone() });
            }
            Ok((user, password))
        };
        self.0.iter().map(with_password).collect()
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
        let mut users = users();
        users.allow_controller(&"b".parse().expect("a name"));
        users.allow_controller(&"boss".parse().expect("a name"));
        let all = users.with_passwords(str::to_owned).expect("they are plain");
        let names: Vec<&str> = all.iter().map(|(user, _)| user.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "boss"]);
        assert_eq!(all[0].0.publish_kinds(), [MessageKind::Signal, MessageKind::Report, MessageKind::Host]);
        let kinds = [MessageKind::Signal, MessageKind::Report, MessageKind::Request, MessageKind::Host];
        assert_eq!(all[1].0.publish_kinds(), kinds);
        assert_eq!(all[2].0.publish_kinds(), [MessageKind::Request, MessageKind::Host]);
        assert_eq!(
            (all[1].0.subscribe_kinds(), all[2].0.subscribe_kinds()),
            (MessageKind::ALL.to_vec(), vec![MessageKind::Report, MessageKind::Host])
        );
    }

    #[test]
    fn passwords_that_would_change_the_file_are_refused() {
        for bad in ["", "a b", "a\nuser mallory on nopass", "a\"b", "a\\b", "a\0"] {
            let users = users();
            let refused = users.with_passwords(|user| if user == "b" { bad.to_owned() } else { "good".to_owned() });
            assert_eq!(refused, Err(BadPassword { user: "b".to_owned() }), "{bad:?}");
        }
    }
}
