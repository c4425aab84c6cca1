//! How an error reads that a program returns from `main`.

use std::{error::Error, fmt};

/// Writes the text of an error and of each of its causes: the `Debug` of the errors of this crate,
/// and of transports.
///
/// A program that returns an error from `main` prints it with `Debug`. For an error with a cause,
/// `Display` has only the first part.
// Inline, so that it has no code of its own here: else the crate is split for code generation so
// that an asap hop takes 3 % more instructions.
#[inline]
pub fn fmt_with_causes(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}
