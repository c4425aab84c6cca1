//! Levels, and the sources that they lack.
//!
//! Why: docs/decisions/0008-marks-name-root-causes.md

use std::{fmt, sync::Arc};

use crate::id::SourceId;

/// The neurons and sensors that an answer lacks: with them it could have been a different one.
///
/// The set is empty for a *plain* answer. Otherwise the answer is *degraded*: the set names the
/// inputs that were missing, and the sensors that were unknown, at the neuron itself or anywhere
/// upstream. It holds at most
/// [`Missing::MAX_NAMED`] names, the first ones in their order. An empty set allocates nothing, and
/// clones share the names.
///
/// ```
/// use neuron_core::{Missing, SourceId};
///
/// let names: [SourceId; 3] = ["y".parse()?, "x".parse()?, "y".parse()?];
/// let missing = Missing::from_iter(names);
/// assert_eq!(missing.to_string(), "x, y");
/// assert!(Missing::NONE.is_empty());
/// # Ok::<(), neuron_core::NameError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Missing(Option<Arc<Vec<SourceId>>>);

impl Missing {
    /// The empty set.
    pub const NONE: Self = Self(None);

    /// The most names that are kept.
    ///
    /// This is enough to see what happened, and with names of full length a message stays below 5
    /// kB.
    pub const MAX_NAMED: usize = 64;

    /// Returns whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the missing neurons and sensors, in the order of their names.
    pub fn names(&self) -> &[SourceId] {
        self.0.as_ref().map_or(&[], |names| names)
    }
}

impl<N: Into<SourceId>> FromIterator<N> for Missing {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        let mut names: Vec<SourceId> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(Self::MAX_NAMED);
        names.shrink_to_fit();
        Self((!names.is_empty()).then(|| names.into()))
    }
}

/// Writes the names, separated by commas; an empty text if none is missing.
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

/// A level, and the neurons and sensors that were missing when it was computed.
///
/// Two values with the same level that lack different sources are different. So a degradation
/// spreads through the network, and ends, like a change of level.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    /// The level. That of a neuron is 0 or 1.
    pub level: f64,
    /// What was missing.
    pub missing: Missing,
}

impl Value {
    /// Returns a plain level.
    pub const fn plain(level: f64) -> Self {
        Self { level, missing: Missing::NONE }
    }

    /// Returns whether something is missing that could have changed the level.
    pub fn is_degraded(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Returns whether this is the value that every neuron starts with: level 0, and nothing
    /// missing.
    pub fn is_rest(&self) -> bool {
        self.level == 0.0 && self.missing.is_empty()
    }
}
