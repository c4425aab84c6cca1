//! The ceiling of a folder: the last tag that any of its neurons may have spoken about.
//!
//! Why: docs/decisions/0045-one-ceiling-for-a-host.md

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::{StoreError, crc::crc32, file::failed, lock::FolderLock, private};
use crate::tag::Tag;

const MAGIC: [u8; 4] = *b"NRNC";
const VERSION: u8 = 1;
/// The bytes of an entry: magic word, version, nonce, number, ceiling, checksum.
const ENTRY: usize = 4 + 1 + 8 + 8 + 8 + 4;
/// Entries are written in turns, each into a page of its own: a power cut leaves one of them, also
/// on a disk that writes whole pages.
const SECTOR: u64 = 4096;
const SECTORS: u64 = 2;

/// A folder in memory, which outlives the process and not the machine. Writes to it cost no write
/// to a disk.
const MEMORY: &str = "/dev/shm";

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    /// Random, drawn each time that a store is opened.
    nonce: u64,
    /// The number of the entry; the highest one counts.
    number: u64,
    ceiling: Tag,
}

/// The ceilings of a folder: what was found when the store was opened, and the two files to write.
///
/// One file is in the folder, and is made durable with each write. It is written every 78 s
/// while neurons are active, one page. The other one is in memory, is written each second, and
/// holds a lower ceiling: after a crash of the process the neurons go on where they were, after one
/// of the machine they leave out up to 90 s of tags.
pub(super) struct Ceilings {
    /// `None` if there was no ceiling.
    pub(super) found: Option<Tag>,
    pub(super) durable: DurableCeiling,
    pub(super) note: CeilingNote,
}

impl Ceilings {
    /// Reads the ceiling of a folder. `lock` is the lock file of the folder.
    ///
    /// # Errors
    /// If the file cannot be read, or no entry of it can.
    pub(super) fn open(folder: &Path, lock: &File) -> Result<Self, StoreError> {
        let path = folder.join("ceiling");
        let entry = read_entry(&path)?;
        let previous_note = entry.and_then(|entry| note_path(folder, lock, entry.nonce));
        let noted = || read_note(previous_note.as_deref()?, entry?.nonce, lock);
        let found = noted().or_else(|| entry.map(|entry| entry.ceiling));
        let nonce = RandomState::new().hash_one(&path);
        let number = entry.map_or(0, |entry| entry.number);
        let note = CeilingNote { path: note_path(folder, lock, nonce), file: None, nonce };
        let durable = DurableCeiling { path, file: None, nonce, number, previous_note };
        Ok(Self { found, durable, note })
    }
}

/// The file in the folder.
#[derive(Debug)]
pub(super) struct DurableCeiling {
    path: PathBuf,
    /// `None` until the first write.
    file: Option<File>,
    nonce: u64,
    /// The number of the last entry.
    number: u64,
    /// The note of the process before, which counts until the first write; `None` from then on.
    previous_note: Option<PathBuf>,
}

impl DurableCeiling {
    /// Makes a ceiling durable. The first write replaces the file, so that a process which has lost
    /// its lock, and has the old one open, does not write to the new one.
    ///
    /// # Errors
    /// If it cannot be written, or the lock is lost. Either ceiling may be there then.
    pub(super) fn save(&mut self, ceiling: Tag, lock: &FolderLock) -> Result<(), StoreError> {
        let entry = Entry { nonce: self.nonce, number: self.number + 1, ceiling };
        let at = entry.number % SECTORS * SECTOR;
        match &mut self.file {
            Some(file) => {
                lock.check()?;
                let sought = file.seek(SeekFrom::Start(at));
                let written = sought.and_then(|_| file.write_all(&encode(&entry))).and_then(|()| file.sync_data());
                written.map_err(failed("write", &self.path))?;
                lock.check()?;
            }
            none => {
                let mut bytes = vec![0; (SECTORS * SECTOR) as usize];
                bytes[at as usize..][..ENTRY].copy_from_slice(&encode(&entry));
                *none = Some(lock.replace(&self.path, &bytes)?);
            }
        }
        self.number = entry.number;
        if let Some(note) = self.previous_note.take() {
            // It does not count any more. If it is not there, so much the better.
            let _ = fs::remove_file(note);
        }
        Ok(())
    }
}

/// The file in memory.
#[derive(Debug)]
pub(super) struct CeilingNote {
    /// `None` if there is no folder in memory.
    path: Option<PathBuf>,
    /// `None` until the first write.
    file: Option<File>,
    nonce: u64,
}

impl CeilingNote {
    /// Notes a ceiling, which counts together with the entries of the same nonce in the folder.
    ///
    /// # Errors
    /// If a ceiling that was noted before can neither be replaced nor removed.
    pub(super) fn write(&mut self, ceiling: Tag) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.file.is_none() {
            // If something has its name, that was not made by this process.
            self.file = private::create_new(path).ok();
        }
        let Some(file) = &mut self.file else {
            self.path = None;
            return Ok(());
        };
        let bytes = encode(&Entry { nonce: self.nonce, number: 0, ceiling });
        if file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&bytes)).is_ok() {
            return Ok(());
        }
        let removed = fs::remove_file(path);
        removed.map_err(|source| StoreError::Io { action: "replace", path: path.clone(), source })?;
        self.path = None;
        Ok(())
    }
}

/// Returns where the ceiling of a folder is noted by the process that drew a nonce; `None` if there
/// is no folder in memory, or the folder of the store cannot be told apart.
///
/// Every user may create files there, so the name contains the nonce, which only the owner of the
/// store can know: no other user can take the name first. What else it is made of tells the folder
/// apart from others, of which it may be a copy.
fn note_path(folder: &Path, lock: &File, nonce: u64) -> Option<PathBuf> {
    if !Path::new(MEMORY).is_dir() {
        return None;
    }
    let mut hasher = std::hash::DefaultHasher::new();
    folder.canonicalize().ok()?.hash(&mut hasher);
    lock.metadata().ok()?.created().ok().hash(&mut hasher);
    Some(Path::new(MEMORY).join(format!("neuron-{:016x}-{nonce:016x}", hasher.finish())))
}

/// Returns the last entry of a file; `None` if there is no such file, or nothing was written to it
/// yet.
fn read_entry(path: &Path) -> Result<Option<Entry>, StoreError> {
    let bytes = match private::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", path)(source)),
    };
    let entries = bytes.chunks(SECTOR as usize).filter_map(decode);
    let last = entries.max_by_key(|entry| entry.number);
    if last.is_none() && bytes.iter().any(|byte| *byte != 0) {
        return Err(StoreError::DamagedCeiling { path: path.to_owned() });
    }
    Ok(last)
}

/// Returns the noted ceiling, if it was noted for the entry with this nonce by the owner of `lock`.
fn read_note(path: &Path, nonce: u64, lock: &File) -> Option<Tag> {
    let mut bytes = Vec::new();
    private::open_if_untouched(path, lock)?.take(ENTRY as u64).read_to_end(&mut bytes).ok()?;
    decode(&bytes).filter(|entry| entry.nonce == nonce).map(|entry| entry.ceiling)
}

fn encode(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRY);
    bytes.extend(MAGIC);
    bytes.push(VERSION);
    for number in [entry.nonce, entry.number, entry.ceiling.to_bits()] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(crc32(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Entry> {
    let (entry, checksum) = bytes.get(..ENTRY)?.split_at(ENTRY - 4);
    let (head, numbers) = entry.split_at(MAGIC.len() + 1);
    if crc32(entry).to_le_bytes() != checksum || !head.starts_with(&MAGIC) || head[MAGIC.len()] != VERSION {
        return None;
    }
    let mut numbers = numbers.chunks(8).map(|bytes| bytes.try_into().map_or(0, u64::from_le_bytes));
    Some(Entry { nonce: numbers.next()?, number: numbers.next()?, ceiling: Tag::from_bits(numbers.next()?) })
}
