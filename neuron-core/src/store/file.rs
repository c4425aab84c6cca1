//! A store in a folder, with one file for each neuron.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{
    Store, StoreError,
    ceiling::{CeilingNote, Ceilings, DurableCeiling},
    crc::crc32,
    lock::FolderLock,
    private::{self, create_folder, sync_folder},
    v1, v2,
};
use crate::{id::NeuronId, neuron::Saved, tag::Tag};

/// A store in a folder, with one file for each neuron, for one process at a time.
///
/// A save of a neuron writes a temporary file, makes it durable, renames it, and makes the folder
/// durable. So a crash at any moment leaves the old file or the new one. A file begins with a magic
/// word and a version and ends with a checksum. A torn or damaged file is an error that names it;
/// it is never treated as missing.
///
/// The folder and its files are for the user of the process only, and a symbolic link or a pipe in
/// the place of a file is an error. A folder that has held a store is closed to other users when
/// it is opened (0700), and one that every user may write to is refused.
///
/// The folder is locked with a file in it. If that is removed, or the folder is moved away or
/// replaced, nothing more is written ([`StoreError::LockLost`]): another process may use the folder
/// by then. On Windows neither can be done while the store is open.
///
/// One more file, `ceiling`, says how far the neurons may have spoken: see [`Store`]. It is noted
/// in `/dev/shm` as well if there is such a folder. Copy or restore the folder as a whole.
///
/// ```
/// use neuron_core::store::{FileStore, StoreError};
///
/// let folder = std::env::temp_dir().join(format!("neurons-{}", std::process::id()));
/// let store = FileStore::open(&folder)?;
/// // No other store can use the folder meanwhile.
/// assert!(matches!(FileStore::open(&folder), Err(StoreError::InUse { .. })));
/// drop(store);
/// assert!(FileStore::open(&folder).is_ok());
/// # std::fs::remove_dir_all(&folder).expect("the folder is there");
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    lock: FolderLock,
    /// Held while a file is written, so that files are put in place in the order of the saves.
    writing: Mutex<()>,
    /// The ceiling that was there when the store was opened; `None` if there was none.
    found_ceiling: Option<Tag>,
    ceiling: Mutex<DurableCeiling>,
    ceiling_note: Mutex<CeilingNote>,
}

const MAGIC: [u8; 4] = *b"NRNS";
/// The versions of the content; the second one is for neurons with changes.
const VERSIONS: [u8; 2] = [1, 2];
/// The number of bytes of the magic word, the version and the checksum.
const ENVELOPE: usize = MAGIC.len() + 1 + 4;
/// The prefix of each file name. With it, no name is one that a system reserves, such as `con`.
const PREFIX: &str = "n-";
const SUFFIX: &str = ".neuron";

impl FileStore {
    /// Opens a folder, and creates it if it does not exist. A path that is not absolute counts from
    /// the present working folder, also if the program changes to another one later.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process, or another store of this one, has the folder open;
    /// [`StoreError::NoFolder`] if the path is empty; [`StoreError::Io`] if it cannot be created or
    /// locked, or every user may write to it.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        if folder.as_os_str().is_empty() {
            return Err(StoreError::NoFolder);
        }
        let folder = std::path::absolute(&folder).map_err(failed("find", &folder))?;
        create_folder(&folder)?;
        let Some(lock) = FolderLock::try_new(&folder)? else { return Err(StoreError::InUse { folder }) };
        let Ceilings { found, durable, note } = Ceilings::open(&folder, &lock)?;
        Ok(Self {
            folder,
            lock,
            writing: Mutex::default(),
            found_ceiling: found,
            ceiling: Mutex::new(durable),
            ceiling_note: Mutex::new(note),
        })
    }

    /// Returns the path of the folder, which is absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, neuron: &NeuronId) -> PathBuf {
        self.folder.join(file_name(neuron))
    }
}

impl Store for FileStore {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        let path = self.path(neuron);
        match private::read(&path) {
            Ok(bytes) => read(neuron, &bytes, path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { action: "read", path, source }),
        }
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        let (version, content) =
            if v1::suffices(saved) { (1, v1::encode(neuron, saved)) } else { (2, v2::encode(neuron, saved)) };
        let content = content.map_err(StoreError::other)?;
        let mut bytes = Vec::with_capacity(ENVELOPE + content.len());
        bytes.extend(MAGIC);
        bytes.push(version);
        bytes.extend(content);
        bytes.extend(crc32(&bytes).to_le_bytes());

        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock.replace(&self.path(neuron), &bytes).map(drop)
    }

    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError> {
        let path = self.path(neuron);
        self.lock.check()?;
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&self.folder)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Io { action: "remove", path, source }),
        }
        self.lock.check()
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        let entries = fs::read_dir(&self.folder).map_err(failed("read", &self.folder))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &self.folder))?;
            names.extend(entry.file_name().to_str().and_then(neuron_of));
        }
        Ok(names)
    }

    fn ceiling(&self) -> Result<Option<Tag>, StoreError> {
        Ok(self.found_ceiling)
    }

    fn save_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.ceiling.lock().unwrap_or_else(PoisonError::into_inner).save(ceiling, &self.lock)
    }

    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.ceiling_note.lock().unwrap_or_else(PoisonError::into_inner).write(ceiling)
    }
}

/// Decodes the file of a neuron.
pub(super) fn read(neuron: &NeuronId, bytes: &[u8], path: PathBuf) -> Result<Saved, StoreError> {
    let damaged = |path, what: &str| Err(StoreError::Damaged { path, what: what.to_owned() });
    if bytes.len() < ENVELOPE {
        return damaged(path, "it is cut off");
    }
    let (whole, checksum) = bytes.split_at(bytes.len() - 4);
    if !whole.starts_with(&MAGIC) {
        return damaged(path, "it does not begin as a neuron's file does");
    }
    let version = whole[MAGIC.len()];
    if !VERSIONS.contains(&version) {
        return Err(StoreError::UnknownVersion { path, version });
    }
    if crc32(whole).to_le_bytes() != checksum {
        return damaged(path, "its checksum is wrong");
    }
    let content = &whole[MAGIC.len() + 1..];
    match if version == 1 { v1::decode(content) } else { v2::decode(content) } {
        Ok((of, saved)) if of == *neuron => Ok(saved),
        Ok((of, _)) => damaged(path, &format!("it is that of {of}")),
        Err(what) => damaged(path, &what),
    }
}

/// Returns the name of a neuron's file. Names that differ only in case get different files even if
/// the file system ignores case: a capital letter is written as `=` and the small letter.
pub(super) fn file_name(neuron: &NeuronId) -> String {
    let mut name = String::from(PREFIX);
    for c in neuron.as_str().chars() {
        if c.is_ascii_uppercase() {
            name.push('=');
        }
        name.push(c.to_ascii_lowercase());
    }
    name + SUFFIX
}

/// Returns the neuron that a file belongs to; `None` if it is not the file of a neuron.
pub(super) fn neuron_of(file: &str) -> Option<NeuronId> {
    let written = file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let mut name = String::new();
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        name.push(if c == '=' { chars.next()?.to_ascii_uppercase() } else { c });
    }
    name.parse().ok().filter(|neuron| file_name(neuron) == file)
}

/// Returns a conversion of an error of the file system to one of the store.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
