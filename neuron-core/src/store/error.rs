//! What can go wrong with a store.

use std::{error::Error, io, path::PathBuf};

/// Why a store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else uses the folder.
    #[error(
        "the folder {} is in use by another process, or by another store of this one; stop that one, or use another folder",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was to be done, as it stands before the path: "write", "read".
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// A file is there, and is not what was written to it. It is never taken for a missing one.
    #[error(
        "the file {} is damaged: {what}; if it is lost, remove it: then the neuron starts anew from the network file, unless \
         others have heard of its former lives",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A newer program has written the file.
    #[error("the file {} has version {version}, which this program does not know; use the program that wrote it, or a newer one", path.display())]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
    /// Another kind of store failed.
    #[error("the store failed")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// The error of another kind of store than those that are here.
    pub fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(source.into())
    }
}
