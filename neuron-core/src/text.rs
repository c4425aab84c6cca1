//! The text of a name.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::id::MAX_NAME;

/// How long a text is that needs no memory of its own.
const SHORT: usize = 15;

/// The text of a name, with zeros behind it, which no name has in it: so texts are ordered as what is kept of them.
///
/// A large network compares names all the time, of neurons that have not been looked at for long. Most names are short, and
/// kept where they are compared; it takes no more room than the pointer to a text elsewhere and its length.
#[derive(Clone)]
pub(crate) enum Text {
    Short([u8; SHORT]),
    Long(Arc<[u8; MAX_NAME]>),
}

impl Text {
    /// `text` is a name.
    pub(crate) fn new(text: &str) -> Self {
        if text.len() <= SHORT { Self::Short(padded(text)) } else { Self::Long(Arc::new(padded(text))) }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.characters()).expect("a name is made of ASCII characters")
    }

    /// Without the zeros.
    fn characters(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => {
                let mut all = [0; 16];
                all[..SHORT].copy_from_slice(bytes);
                &bytes[..16 - u128::from_le_bytes(all).leading_zeros() as usize / 8]
            }
            Self::Long(bytes) => &bytes[..bytes.iter().position(|byte| *byte == 0).unwrap_or(MAX_NAME)],
        }
    }

    pub(crate) fn is_long(&self) -> bool {
        matches!(self, Self::Long(_))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => &bytes[..],
        }
    }
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Short(one), Self::Short(other)) => one == other,
            (Self::Long(one), Self::Long(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for Text {}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Short(one), Self::Short(other)) => one.cmp(other),
            _ => self.bytes().cmp(other.bytes()),
        }
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Text {
    /// As a `str`, which can stand in for a name when one is looked up: its bytes, and one that no text has.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.characters());
        state.write_u8(0xff);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use super::*;

    #[test]
    fn a_text_is_what_it_was_made_of() {
        for length in 1..=MAX_NAME {
            let text = "b".repeat(length);
            assert_eq!(Text::new(&text).as_str(), text);
        }
    }

    #[test]
    fn texts_are_ordered_like_their_characters() {
        let lengths = [1, 2, SHORT - 1, SHORT, SHORT + 1, SHORT + 2, MAX_NAME];
        let starts = lengths.map(|length| "b".repeat(length));
        let texts: Vec<String> =
            starts.iter().flat_map(|start| ['-', 'a', 'b', 'c'].map(|last| format!("{}{last}", &start[1..]))).collect();
        for one in &texts {
            for other in &texts {
                let (a, b) = (Text::new(one), Text::new(other));
                assert_eq!(a.cmp(&b), one.cmp(other), "{one} and {other}");
                assert_eq!(a == b, one == other, "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_text_can_be_looked_up_by_its_characters() {
        let hashing = std::hash::RandomState::new();
        for length in 1..=MAX_NAME {
            let text = "b".repeat(length);
            assert_eq!(hashing.hash_one(Text::new(&text)), hashing.hash_one(text.as_str()));
            #[cfg(feature = "actor")]
            assert_eq!(
                rustc_hash::FxBuildHasher.hash_one(Text::new(&text)),
                rustc_hash::FxBuildHasher.hash_one(text.as_str())
            );
        }
    }

    #[test]
    fn a_short_text_takes_no_more_room_than_a_pointer_and_a_length() {
        assert_eq!(size_of::<Text>(), 16);
    }
}
