//! Which ceiling is found after a crash of the process, of the machine, and in a copy.

use super::*;

/// A locked folder, removed at the end of the test, with its note.
struct Folder(PathBuf, FolderLock);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("neuron-ceiling-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let lock = FolderLock::try_new(&folder).unwrap().unwrap();
        Self(folder, lock)
    }

    fn save(&self, ceilings: &mut Ceilings, ceiling: u64) {
        ceilings.durable.save(tag(ceiling), &self.1).unwrap();
    }

    fn open(&self) -> Ceilings {
        Ceilings::open(&self.0, &self.1).unwrap()
    }

    fn note_path(&self) -> Option<PathBuf> {
        let entry = read_entry(&self.0.join("ceiling")).ok()??;
        note_path(&self.0, &self.1, entry.nonce)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = self.note_path().map(fs::remove_file);
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tag(bits: u64) -> Tag {
    Tag::from_bits(bits)
}

#[test]
fn the_ceiling_saved_last_is_found() {
    let folder = Folder::new("saved");
    assert_eq!(folder.open().found, None);
    for life in 0..4 {
        let mut ceilings = folder.open();
        for save in 1..4 {
            folder.save(&mut ceilings, life * 10 + save);
        }
        assert_eq!(folder.open().found, Some(tag(life * 10 + 3)));
    }
}

#[test]
fn what_was_noted_after_the_last_opening_counts_instead() {
    let folder = Folder::new("noted");
    let mut first = folder.open();
    let has_memory = first.note.path.is_some();
    folder.save(&mut first, 100);
    for noted in [5, 7] {
        first.note.write(tag(noted)).unwrap();
    }
    folder.save(&mut first, 200);
    assert_eq!(folder.open().found, Some(if has_memory { tag(7) } else { tag(200) }));
    // The next process saves, and ends before it has noted anything.
    let mut second = folder.open();
    folder.save(&mut second, 300);
    assert_eq!(folder.open().found, Some(tag(300)), "the note belongs to the process before");
}

#[test]
fn after_a_power_cut_the_saved_ceiling_counts() {
    let folder = Folder::new("power-cut");
    let mut ceilings = folder.open();
    folder.save(&mut ceilings, 100);
    ceilings.note.write(tag(5)).unwrap();
    if let Some(note) = folder.note_path() {
        fs::remove_file(note).unwrap();
    }
    assert_eq!(folder.open().found, Some(tag(100)));
    // The entry that was being written is torn: the one before is still there, and its neurons
    // have spoken no further.
    folder.save(&mut ceilings, 200);
    let path = folder.0.join("ceiling");
    let mut bytes = fs::read(&path).unwrap();
    bytes[9] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(folder.open().found, Some(tag(100)));
    bytes[SECTOR as usize + 9] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = Ceilings::open(&folder.0, &folder.1).err().unwrap();
    assert!(matches!(error, StoreError::DamagedCeiling { .. }), "{error}");
}

#[test]
fn a_file_that_was_made_and_never_written_has_no_ceiling() {
    let folder = Folder::new("empty");
    fs::write(folder.0.join("ceiling"), [0; 1024]).unwrap();
    assert_eq!(folder.open().found, None);
}

#[test]
fn a_note_that_was_removed_or_is_damaged_does_not_count() {
    let folder = Folder::new("damaged");
    let mut ceilings = folder.open();
    folder.save(&mut ceilings, 100);
    ceilings.note.write(tag(5)).unwrap();
    if let Some(note) = folder.note_path() {
        fs::write(&note, b"NRNC").unwrap();
        assert_eq!(folder.open().found, Some(tag(100)));
        fs::remove_file(&note).unwrap();
        assert_eq!(folder.open().found, Some(tag(100)));
    }
}

#[test]
fn a_copy_of_a_folder_has_no_note() {
    let (folder, copy) = (Folder::new("original"), Folder::new("copy"));
    let mut ceilings = folder.open();
    folder.save(&mut ceilings, 100);
    ceilings.note.write(tag(5)).unwrap();
    fs::copy(folder.0.join("ceiling"), copy.0.join("ceiling")).unwrap();
    assert_eq!(copy.open().found, Some(tag(100)));
}
/// Other users can write to the folder in memory.
#[cfg(unix)]
#[test]
fn a_note_that_another_user_could_have_made_or_read_does_not_count() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let folder = Folder::new("others");
    let mut ceilings = folder.open();
    folder.save(&mut ceilings, 100);
    ceilings.note.write(tag(5)).unwrap();
    let Some(note) = folder.note_path() else { return };
    assert_eq!(fs::metadata(&note).unwrap().mode() & 0o777, 0o600);
    assert_eq!(folder.open().found, Some(tag(5)));
    fs::set_permissions(&note, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(folder.open().found, Some(tag(100)));
    fs::set_permissions(&note, fs::Permissions::from_mode(0o600)).unwrap();
    // Only a privileged user can give a file away.
    if std::os::unix::fs::chown(&note, Some(65_534), None).is_ok() {
        assert_eq!(folder.open().found, Some(tag(100)), "of another user");
        std::os::unix::fs::chown(&note, Some(fs::metadata(&folder.0).unwrap().uid()), None).unwrap();
        assert_eq!(folder.open().found, Some(tag(5)));
    }
    let elsewhere = note.with_extension("elsewhere");
    fs::rename(&note, &elsewhere).unwrap();
    symlink(&elsewhere, &note).unwrap();
    assert_eq!(folder.open().found, Some(tag(100)), "a link");
    fs::remove_file(&note).unwrap();
    fs::hard_link(&elsewhere, &note).unwrap();
    assert_eq!(folder.open().found, Some(tag(100)), "a second name");
    fs::remove_file(&note).unwrap();
    fs::remove_file(&elsewhere).unwrap();
    // It would hold up the start.
    assert!(std::process::Command::new("mkfifo").arg(&note).status().unwrap().success());
    assert_eq!(folder.open().found, Some(tag(100)), "a pipe");
}

#[cfg(unix)]
#[test]
fn a_note_is_never_written_to_what_has_its_name_already() {
    let folder = Folder::new("taken");
    let mut ceilings = folder.open();
    let Some(path) = ceilings.note.path.clone() else { return };
    let elsewhere = folder.0.join("elsewhere");
    fs::write(&elsewhere, b"not to be touched").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    folder.save(&mut ceilings, 100);
    ceilings.note.write(tag(5)).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"not to be touched");
    assert_eq!(folder.open().found, Some(tag(100)));
}

#[test]
fn the_note_of_the_process_before_is_removed_once_it_does_not_count() {
    let folder = Folder::new("removed");
    let mut first = folder.open();
    folder.save(&mut first, 100);
    first.note.write(tag(5)).unwrap();
    let Some(note) = folder.note_path() else { return };
    let mut second = folder.open();
    assert!(note.exists());
    folder.save(&mut second, 200);
    assert!(!note.exists());
}
