//! Names of neurons, sensors, networks, hosts and controllers: checked when they are parsed,
//! trusted from then on.

use std::{borrow::Borrow, fmt, str::FromStr};

pub use crate::name_text::MAX_NAME;
use crate::name_text::NameText;

/// Why a text is not a name.
///
/// A name has 1 to [`MAX_NAME`] characters of `A–Z a–z 0–9 _ -`. Characters that mean something to
/// a broker (`.`, `*`, `>`, `:`, space, control characters) are not among them, so no name can
/// change the meaning of a subject or a key.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The text has more than [`MAX_NAME`] characters.
    #[error("a name has at most {MAX_NAME} characters, this one has {0}")]
    TooLong(usize),
    /// The text holds a character outside the alphabet of names.
    #[error("{character:?} at position {position} cannot stand in a name; allowed are A-Z a-z 0-9 _ -")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The position of that character, counted in characters from 1.
        position: usize,
    },
}

impl fmt::Debug for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Checks that `text` is a name.
fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if let Some((index, character)) = text.chars().enumerate().find(|(_, c)| !allowed(*c)) {
        return Err(NameError::Character { character, position: index + 1 });
    }
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong(text.len()));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Cheap to clone: a text of up to 15 bytes is stored inline, clones of a longer one share
        /// it. Names are ordered by their bytes.
        ///
        /// # Errors
        /// Parsing fails with a [`NameError`] for anything but 1 to [`MAX_NAME`] characters of
        /// `A–Z a–z 0–9 _ -`.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NameText);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(NameText::new(text)))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

name! {
    /// The name of a neuron within its network.
    NeuronId
}

impl NeuronId {
    /// Returns whether clones share one allocation; false for a text that is stored inline.
    pub(crate) fn is_shared(&self) -> bool {
        self.0.is_shared()
    }
}

name! {
    /// The name of a sensor: a source of readings outside the network. One or more neurons weigh
    /// it.
    SensorId
}
name! {
    /// The name of a neuron or of a sensor. In one network no sensor has the name of a neuron.
    SourceId
}
name! {
    /// The name of a network.
    NetworkId
}
name! {
    /// The name of a host: a machine, or a process, that runs neurons.
    HostId
}
name! {
    /// The name of a controller: a client that sends commands to neurons and receives their
    /// reports.
    ControllerId
}

/// A source of levels that a weight can belong to: a neuron or a sensor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A neuron, whose level arrives over a connection.
    Neuron(NeuronId),
    /// A sensor, whose readings controllers send to this neuron directly.
    Sensor(SensorId),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neuron(id) => id.fmt(f),
            Self::Sensor(id) => id.fmt(f),
        }
    }
}

impl From<NeuronId> for Source {
    fn from(id: NeuronId) -> Self {
        Self::Neuron(id)
    }
}

impl From<SensorId> for Source {
    fn from(id: SensorId) -> Self {
        Self::Sensor(id)
    }
}

impl From<NeuronId> for SourceId {
    fn from(id: NeuronId) -> Self {
        Self(id.0)
    }
}

impl From<SensorId> for SourceId {
    fn from(id: SensorId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_64_characters_of_the_alphabet() {
        assert_eq!("".parse::<NeuronId>(), Err(NameError::Empty));
        assert!("a".repeat(64).parse::<NeuronId>().is_ok());
        assert_eq!("a".repeat(65).parse::<NeuronId>(), Err(NameError::TooLong(65)));
        assert!("Az09_-".parse::<SensorId>().is_ok());
    }

    #[test]
    fn a_character_with_a_meaning_to_a_broker_is_refused() {
        for bad in ['.', '*', '>', ':', ' ', '\n', '\0', 'é', '神'] {
            let error = format!("a{bad}").parse::<NetworkId>();
            assert_eq!(error, Err(NameError::Character { character: bad, position: 2 }));
        }
    }
}
