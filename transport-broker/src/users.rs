//! The users of a network at a broker: who says and hears what.

use neuron_core::{ControllerId, Network};

use crate::MessageKind;

/// A user, who speaks for the neuron, or the controller, or both, of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// It speaks for a neuron.
    pub is_neuron: bool,
    /// It may steer.
    pub is_controller: bool,
}

impl User {
    /// As what it may speak.
    pub fn publish_kinds(&self) -> Vec<MessageKind> {
        let neuron = [MessageKind::Signal, MessageKind::Report].into_iter().filter(|_| self.is_neuron);
        neuron.chain([MessageKind::Request].into_iter().filter(|_| self.is_controller)).collect()
    }

    /// What it may hear: its neuron's inbox, and that of a controller of its name, which the neuron's host has as well.
    pub fn subscribe_kinds(&self) -> Vec<MessageKind> {
        let neuron = [MessageKind::Signal, MessageKind::Request].into_iter().filter(|_| self.is_neuron);
        neuron.chain([MessageKind::Report]).collect()
    }
}

/// Why there is no list of users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password of {user} is empty, or has a space, a quotation mark, a backslash or a control character in it")]
pub struct BadPassword {
    /// Whose password it is.
    pub user: String,
}

/// The users of a network: one for each neuron and each controller.
#[derive(Clone, Debug)]
pub struct Users(Vec<User>);

impl Users {
    /// One for each neuron.
    pub fn of(network: &Network) -> Self {
        let user = |id: &neuron_core::NeuronId| User { name: id.to_string(), is_neuron: true, is_controller: false };
        Self(network.neurons().map(|(id, _)| user(id)).collect())
    }

    /// Lets a controller steer.
    pub fn allow_controller(&mut self, controller: &ControllerId) {
        match self.0.iter_mut().find(|user| user.name == controller.as_str()) {
            Some(user) => user.is_controller = true,
            None => self.0.push(User { name: controller.to_string(), is_neuron: false, is_controller: true }),
        }
    }

    /// Each user with its password.
    ///
    /// # Errors
    /// When a password has something in it that a configuration file would take for something else.
    pub fn with_passwords<'a>(
        &'a self,
        password: impl Fn(&str) -> String,
    ) -> Result<Vec<(&'a User, String)>, BadPassword> {
        let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\\');
        let with_password = |user: &'a User| {
            let password = password(&user.name);
            if password.is_empty() || password.contains(is_odd) {
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
        Users::of(&network)
    }

    #[test]
    fn a_controller_of_a_neurons_name_is_the_same_user() {
        let mut users = users();
        users.allow_controller(&"b".parse().expect("a name"));
        users.allow_controller(&"boss".parse().expect("a name"));
        let all = users.with_passwords(str::to_owned).expect("they are plain");
        let names: Vec<&str> = all.iter().map(|(user, _)| user.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "boss"]);
        assert_eq!(all[0].0.publish_kinds(), [MessageKind::Signal, MessageKind::Report]);
        assert_eq!(all[1].0.publish_kinds(), [MessageKind::Signal, MessageKind::Report, MessageKind::Request]);
        assert_eq!(all[2].0.publish_kinds(), [MessageKind::Request]);
        assert_eq!(
            (all[1].0.subscribe_kinds(), all[2].0.subscribe_kinds()),
            (MessageKind::ALL.to_vec(), vec![MessageKind::Report])
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
