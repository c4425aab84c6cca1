//! The text of a name: inline if it is short, else shared.
//!
//! Why: docs/decisions/0025-short-names-are-stored-inline.md

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The longest name, in characters.
pub const MAX_NAME: usize = 64;

/// The longest text that is stored inline, in bytes.
///
/// With the tag of the enum this makes 16 bytes, as many as a pointer and a length take.
const MAX_INLINE: usize = 15;

/// The text of a name, padded with zero bytes.
///
/// No name contains a zero byte, so padded texts are ordered like the texts themselves.
///
/// A large network compares names of neurons that are not in the cache. Most names are short, so an
/// inline text saves the second cache miss that following a pointer would cost.
#[derive(Clone)]
pub(crate) enum NameText {
    Inline([u8; MAX_INLINE]),
    Shared(Arc<[u8; MAX_NAME]>),
}

impl NameText {
    /// Stores `text`, which must be a valid name: 1 to [`MAX_NAME`] ASCII characters.
    pub(crate) fn new(text: &str) -> Self {
        if text.len() <= MAX_INLINE { Self::Inline(padded(text)) } else { Self::Shared(Arc::new(padded(text))) }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.characters()).expect("a name is made of ASCII characters")
    }

    /// Returns the bytes of the text without the padding.
    fn characters(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => {
                let mut all = [0; 16];
                all[..MAX_INLINE].copy_from_slice(bytes);
                &bytes[..16 - u128::from_le_bytes(all).leading_zeros() as usize / 8]
            }
            Self::Shared(bytes) => &bytes[..bytes.iter().position(|byte| *byte == 0).unwrap_or(MAX_NAME)],
        }
    }

    /// Returns whether clones share one allocation.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// Returns the bytes of the text with the padding.
    fn padded_bytes(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(bytes) => &bytes[..],
        }
    }
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

impl PartialEq for NameText {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inline(one), Self::Inline(other)) => one == other,
            (Self::Shared(one), Self::Shared(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for NameText {}

impl Ord for NameText {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Inline(one), Self::Inline(other)) => one.cmp(other),
            _ => self.padded_bytes().cmp(other.padded_bytes()),
        }
    }
}

impl PartialOrd for NameText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for NameText {
    /// Hashes like the `str`, so that a map can be searched by `&str`: the bytes, then a byte that
    /// occurs in no text.
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
    fn a_text_reads_as_the_string_that_made_it() {
        for length in 1..=MAX_NAME {
            let text = "b".repeat(length);
            assert_eq!(NameText::new(&text).as_str(), text);
        }
    }

    #[test]
    fn texts_are_ordered_like_their_strings() {
        let lengths = [1, 2, MAX_INLINE - 1, MAX_INLINE, MAX_INLINE + 1, MAX_INLINE + 2, MAX_NAME];
        let starts = lengths.map(|length| "b".repeat(length));
        let texts: Vec<String> =
            starts.iter().flat_map(|start| ['-', 'a', 'b', 'c'].map(|last| format!("{}{last}", &start[1..]))).collect();
        for one in &texts {
            for other in &texts {
                let a = NameText::new(one);
                let b = NameText::new(other);
                assert_eq!(a.cmp(&b), one.cmp(other), "{one} and {other}");
                assert_eq!(a == b, one == other, "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_text_hashes_like_its_string() {
        let hashing = std::hash::RandomState::new();
        for length in 1..=MAX_NAME {
            let text = "b".repeat(length);
            assert_eq!(hashing.hash_one(NameText::new(&text)), hashing.hash_one(text.as_str()));
            #[cfg(feature = "actor")]
            assert_eq!(
                rustc_hash::FxBuildHasher.hash_one(NameText::new(&text)),
                rustc_hash::FxBuildHasher.hash_one(text.as_str())
            );
        }
    }

    #[test]
    fn a_text_is_as_large_as_a_pointer_and_a_length() {
        assert_eq!(size_of::<NameText>(), 16);
    }
}
