//! The lock of a folder, and what may be written only while it is held.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    hash::{BuildHasher as _, RandomState},
    io::{self, Write as _},
    ops::Deref,
    path::{Path, PathBuf},
};

use super::{
    StoreError,
    file::failed,
    private::{self, sync_folder},
};

const LOCK: &str = "lock";
/// What follows the name of a file in that of a temporary one, before a random number.
const TEMPORARY: &str = ".tmp";

/// A lock file that is locked until this is dropped. The system unlocks it however the process
/// ends.
///
/// A cleaner may remove the lock file, or replace the folder, while it is locked. Another process
/// can lock the new one then, so each write looks first whether the lock is still in its place. No
/// file is overwritten that another process may have opened or written since:
/// - a file is [replaced](Self::replace) by a temporary one. That is written first, then the lock is
///   looked at, then it is put in place. Another process that has locked the folder before that look
///   makes it fail. One that locks it later removes all temporary files before it reads: either the
///   file is in place by then, or it cannot be put there any more.
/// - a file that is written in place was made by this process, and [checked](Self::check) before and
///   afterwards.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
    path: PathBuf,
}

impl FolderLock {
    /// Locks a folder that exists, and removes what a crash has left in the middle of a save. `None`
    /// means that the folder is locked already.
    ///
    /// # Errors
    /// If the lock file cannot be opened or locked, or a temporary file cannot be removed.
    pub(super) fn try_new(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(LOCK);
        let (file, is_new) = open_lock(&path).map_err(failed("open", &path))?;
        if !is_new {
            private::close_to_others(folder);
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
        }
        let lock = Self { file, path };
        // It may have been removed before it was locked.
        lock.check()?;
        remove_temporary_files(folder)?;
        Ok(Some(lock))
    }

    /// Checks that the file which is locked is still the lock file of the folder.
    ///
    /// # Errors
    /// [`StoreError::LockLost`] if it is not.
    #[cfg(unix)]
    pub(super) fn check(&self) -> Result<(), StoreError> {
        use std::os::unix::fs::MetadataExt as _;
        // Opened, because a file system in the network may answer from its memory otherwise.
        let found = match private::open(&self.path, OpenOptions::new().read(true)).and_then(|file| file.metadata()) {
            Ok(found) => Some(found),
            Err(error) if means_another_file(error.kind()) => None,
            Err(source) => return Err(failed("look at", &self.path)(source)),
        };
        let locked = self.file.metadata().map_err(failed("look at", &self.path))?;
        if found.is_some_and(|found| (found.dev(), found.ino()) == (locked.dev(), locked.ino())) {
            Ok(())
        } else {
            Err(StoreError::LockLost { path: self.path.clone() })
        }
    }

    /// Elsewhere the lock file is opened so that it can be neither removed nor renamed, nor can the
    /// folder.
    #[cfg(not(unix))]
    pub(super) fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Replaces a file of the folder as a whole, and makes that durable. Returns the new file, open
    /// for writing.
    ///
    /// # Errors
    /// If it cannot be replaced, or the lock is lost. Then the old one is there, unless only making
    /// the new one durable has failed.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<File, StoreError> {
        // So that a lock which is lost is told as that, and not as a folder that is missing.
        self.check()?;
        let mut temporary = OsString::from(path);
        temporary.push(format!("{TEMPORARY}-{:016x}", RandomState::new().hash_one(path)));
        let temporary = PathBuf::from(temporary);
        let mut file = private::create_new(&temporary).map_err(failed("create", &temporary))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write", &temporary));
        let checked = written.and_then(|()| self.check());
        let replaced = checked.and_then(|()| fs::rename(&temporary, path).map_err(failed("put in place", path)));
        if replaced.is_err() {
            // The next start removes it otherwise.
            let _ = fs::remove_file(&temporary);
        }
        replaced?;
        path.parent().map_or(Ok(()), sync_folder)?;
        Ok(file)
    }
}

impl Deref for FolderLock {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file would not do: a process that has just been started shares it for a
        // moment, and with it the lock.
        let _ = self.file.unlock();
    }
}

/// Opens a lock file, and returns whether it had to be created.
fn open_lock(path: &Path) -> io::Result<(File, bool)> {
    let opened = private::open_or_create(path)?;
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        /// Others may read and write the file, and not remove it.
        const SHARE_READ_AND_WRITE: u32 = 0x1 | 0x2;
        let file = private::open(path, OpenOptions::new().write(true).share_mode(SHARE_READ_AND_WRITE))?;
        return Ok((file, opened.1));
    }
    #[cfg(not(windows))]
    Ok(opened)
}

/// Returns whether an error says that there is no such file, or another one in its place.
#[cfg(unix)]
fn means_another_file(error: io::ErrorKind) -> bool {
    matches!(error, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput)
}

/// Removes what a crash has left in the middle of a save, and what another process that has lost
/// its lock is about to put in place.
fn remove_temporary_files(folder: &Path) -> Result<(), StoreError> {
    let is_temporary = |name: &str| {
        name.split_once(TEMPORARY).is_some_and(|(file, rest)| {
            (rest.is_empty() || rest.starts_with('-')) && (file == "ceiling" || file.ends_with(".neuron"))
        })
    };
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let entry = entry.map_err(failed("read", folder))?;
        if entry.file_name().to_str().is_some_and(is_temporary) {
            let path = entry.path();
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_free_although_another_process_shares_the_file() {
        let folder = std::env::temp_dir().join(format!("neuron-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let try_lock = || FolderLock::try_new(&folder).unwrap();
        let lock = try_lock().unwrap();
        let shared = lock.try_clone().unwrap();
        assert!(try_lock().is_none());
        drop(lock);
        drop(try_lock().unwrap());
        drop(shared);
        fs::remove_dir_all(&folder).unwrap();
    }
}
