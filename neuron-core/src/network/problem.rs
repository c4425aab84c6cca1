//! Problems of a network: what is wrong, where, and what to do about it.

use std::{fmt, path::PathBuf};

use crate::error_text::fmt_with_causes;

/// A position in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
}

/// One problem of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The position in the file; `None` if the network was built in code.
    pub position: Option<Position>,
    /// The path of keys that leads to the problem, such as `neurons.z.weights`.
    pub path: String,
    /// A sentence that says what is wrong and, where that is known, how to repair it.
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

/// The reason why a network cannot be loaded or built.
///
/// `Debug` prints the same text as `Display`, so that a `main` that returns this error is readable.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The file cannot be read.
    #[error("cannot read the network file {}", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The error of the file system.
        source: std::io::Error,
    },
    /// The network has problems.
    #[error("{}", List { origin, problems })]
    Invalid {
        /// The file that the network comes from; `None` if it comes from a text or from code.
        origin: Option<PathBuf>,
        /// The problems, at least one, in the order of the file.
        problems: Vec<Problem>,
    },
}

impl NetworkError {
    /// Returns the problems of the network; empty if its file could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

impl fmt::Debug for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
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
