//! Errors of a store.

use std::{error::Error, fmt, io, path::PathBuf};

use crate::error_text::fmt_with_causes;

/// The reason why an operation of a store failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder is in use by another process, or by another store of this one.
    #[error(
        "the folder {} is in use by another process, or by another store of this one; stop that one, or use another folder",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The path of a folder is empty.
    #[error(
        "the path of the store's folder is empty; name a folder, such as /var/lib/neurons, or `.` for the working folder"
    )]
    NoFolder,
    /// The lock of a folder that is in use was removed, or the folder was moved away or replaced.
    /// Another process may use the folder now, so nothing is written to it.
    #[error(
        "the lock file {} was removed or replaced while the store was in use, or its folder was moved: another process may          use the folder now, so nothing is saved; put the folder back where it was, or stop this host and start it again",
        path.display()
    )]
    LockLost {
        /// The lock file.
        path: PathBuf,
    },
    /// The file system reported an error.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The operation, as a verb that precedes the path in the message: "write", "read".
        action: &'static str,
        /// The file or the folder.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// A file exists but does not hold what was written to it. It is never treated as missing.
    #[error(
        "the file {} is damaged: {what}; if it is lost, remove it: then the neuron starts anew from the network file, \
         unless other neurons know an earlier incarnation of it",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// A description of the damage.
        what: String,
    },
    /// The file that says how far the neurons of a folder may have spoken is damaged. Without it
    /// they could contradict what they have said.
    #[error(
        "the file {} is damaged: none of its entries is whole; bring the folder back from a backup, or remove the \
         whole folder: then its neurons start anew from the network file",
        path.display()
    )]
    DamagedCeiling {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error("the file {} has version {version}, which this program does not know; use the program that wrote it, or a newer one", path.display())]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        version: u8,
    },
    /// A store of another kind failed.
    #[error("the store failed")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
    }
}

impl StoreError {
    /// Returns an error for a store that is implemented outside of this crate.
    pub fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(source.into())
    }
}
