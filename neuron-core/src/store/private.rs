//! Files and folders that only their owner can use, opened so that nothing else is taken for them.
//!
//! A symbolic link, a pipe or a device in the place of a file is an error. Elsewhere than on Unix
//! the system's own permissions apply.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    path::Path,
};

use super::{StoreError, file::failed};

/// Opens a file that exists. Takes it away from other users if they could use it.
///
/// The kind of the file is looked at first, because opening a pipe waits for its other end.
///
/// # Errors
/// If it is not a regular file, or becomes another one meanwhile.
pub(super) fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let expected = fs::symlink_metadata(path)?;
    if !expected.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let found = file.metadata()?;
        if (found.dev(), found.ino()) != (expected.dev(), expected.ino()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is replaced at this moment"));
        }
        if found.mode() & 0o077 != 0 {
            // Only its owner can do that.
            let _ = set_mode(&file, 0o600);
        }
    }
    Ok(file)
}

/// Creates a file that only this user can use.
///
/// # Errors
/// If there is anything of this name, a symbolic link that leads nowhere included.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a file to write to it, and returns whether it had to be created.
pub(super) fn open_or_create(path: &Path) -> io::Result<(File, bool)> {
    match create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((open(path, OpenOptions::new().write(true))?, false))
        }
        created => Ok((created?, true)),
    }
}

/// Returns the content of a file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, OpenOptions::new().read(true))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file to read it, if no other user can have written or read it; `None` otherwise. `like`
/// belongs to this user.
pub(super) fn open_if_untouched(path: &Path, like: &File) -> Option<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs::symlink_metadata(path).ok()?;
        if found.uid() != like.metadata().ok()?.uid() || found.mode() & 0o077 != 0 || found.nlink() != 1 {
            return None;
        }
    }
    #[cfg(not(unix))]
    let _ = like;
    open(path, OpenOptions::new().read(true)).ok()
}

/// Creates a folder that only this user can use, with those above it, so that they survive a crash.
/// A folder that exists stays as it is. The path is absolute.
///
/// # Errors
/// If it cannot be created, or every user may write to it: they could replace each file.
pub(super) fn create_folder(folder: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed("make the folder", folder))?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync_folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if fs::metadata(folder).map_err(failed("read", folder))?.mode() & 0o002 != 0 {
            let why = io::Error::new(io::ErrorKind::PermissionDenied, "every user may write to it (chmod o-w)");
            return Err(failed("use the folder", folder)(why));
        }
    }
    Ok(())
}

/// Takes a folder that belongs to a store away from other users. If this user does not own it, it
/// stays as it is.
pub(super) fn close_to_others(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if let Ok(folder) = File::open(folder)
            && folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
        {
            let _ = set_mode(&folder, 0o700);
        }
    }
    #[cfg(not(unix))]
    let _ = folder;
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("make durable", folder))
}

/// Elsewhere a folder cannot be opened, and the system makes names durable itself.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
