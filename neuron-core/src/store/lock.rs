//! The lock of a folder.

use std::{
    fs::{File, TryLockError},
    ops::Deref,
};

/// A lock file that is locked until this is dropped. The system unlocks it however the process
/// ends.
#[derive(Debug)]
pub(super) struct FolderLock(File);

impl FolderLock {
    /// Locks a lock file.
    ///
    /// # Errors
    /// If it is locked, or cannot be locked.
    pub(super) fn try_new(file: File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Deref for FolderLock {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file would not do: a process that has just been started shares it for a
        // moment, and with it the lock.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_is_free_although_another_process_shares_the_file() {
        let path = std::env::temp_dir().join(format!("neuron-lock-{}", std::process::id()));
        let open = || File::create(&path).unwrap();
        let lock = FolderLock::try_new(open()).unwrap();
        let shared = lock.try_clone().unwrap();
        assert!(matches!(FolderLock::try_new(open()), Err(TryLockError::WouldBlock)));
        drop(lock);
        FolderLock::try_new(open()).unwrap();
        drop(shared);
        fs::remove_file(&path).unwrap();
    }
}
