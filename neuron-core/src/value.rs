//! Levels, and what they may lack.

use std::{fmt, sync::Arc};

use crate::id::NeuronId;

/// The neurons that an answer lacks: had they been heard, it could have been another one.
///
/// Empty for a plain answer. Else the answer is *degraded*: marked with the inputs that were missing at the neuron itself
/// or anywhere upstream. At most [`Missing::MAX_NAMED`] are named, the first by name; an empty set is free, a copy shares the names.
///
/// ```
/// use neuron_core::Missing;
///
/// let missing: Missing = ["y".parse()?, "x".parse()?, "y".parse()?].into_iter().collect();
/// assert_eq!(missing.to_string(), "x, y");
/// assert!(Missing::NONE.is_empty());
/// # Ok::<(), neuron_core::NameError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Missing(Option<Arc<Vec<NeuronId>>>);

impl Missing {
    /// Nothing is missing.
    pub const NONE: Self = Self(None);

    /// The most neurons that are named.
    ///
    /// Enough to see what happened; with names of full length a message stays below 5 kB.
    pub const MAX_NAMED: usize = 64;

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The neurons that are missing, in the order of their names.
    pub fn names(&self) -> &[NeuronId] {
        self.0.as_ref().map_or(&[], |names| names)
    }
}

impl FromIterator<NeuronId> for Missing {
    fn from_iter<I: IntoIterator<Item = NeuronId>>(names: I) -> Self {
        let mut names: Vec<NeuronId> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(Self::MAX_NAMED);
        names.shrink_to_fit();
        Self((!names.is_empty()).then(|| names.into()))
    }
}

/// The names, with commas between them; nothing when none is missing.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            fmt::Display::fmt(name, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// A level, and what was missing when it was decided.
///
/// Two values with the same level that lack different neurons are different: marks travel, and go away again, as levels
/// do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    /// The level; of a neuron 0 or 1.
    pub level: f64,
    /// What was missing.
    pub missing: Missing,
}

impl Value {
    /// A level that nothing could change.
    pub const fn plain(level: f64) -> Self {
        Self { level, missing: Missing::NONE }
    }

    /// Whether something is missing that could have changed the level.
    pub fn is_degraded(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Whether it is what every neuron starts from: level 0, and nothing missing.
    pub fn is_rest(&self) -> bool {
        self.level == 0.0 && self.missing.is_empty()
    }
}
