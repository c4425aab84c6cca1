//! What is wrong with a network, where, and what to do about it.

use std::{fmt, path::PathBuf};

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// Counted in characters, from 1.
    pub column: usize,
}

/// One thing that is wrong with a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, if the network comes from a file.
    pub position: Option<Position>,
    /// The key it stands under, such as `neurons.z.weights`.
    pub path: String,
    /// What is wrong, and where one can tell, what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why there is no network.
///
/// Its `Debug` form is the readable one as well, so that a `main` that returns it tells what is wrong.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The file cannot be read.
    #[error("cannot read the network file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// All that is wrong with the network.
    #[error("{}", List { origin, problems })]
    Invalid {
        /// The file it comes from, if any.
        origin: Option<PathBuf>,
        /// At least one; in the order of the file.
        problems: Vec<Problem>,
    },
}

impl NetworkError {
    /// What is wrong with the network; nothing if its file could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

impl fmt::Debug for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self {
            Self::Read { source, .. } => write!(f, ": {source}"),
            Self::Invalid { .. } => Ok(()),
        }
    }
}

struct List<'a> {
    origin: &'a Option<PathBuf>,
    problems: &'a [Problem],
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} {} in the network", if count == 1 { "problem" } else { "problems" })?;
        if let Some(origin) = self.origin {
            write!(f, " {}", origin.display())?;
        }
        for problem in self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}
