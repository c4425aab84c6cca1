//! The folder of a store, and its lock, when something else moves or removes them.

use std::{fs, path::Path, process::Command};

use super::{
    super::{FileStore, Store as _, StoreError},
    Folder, full, id,
};
use crate::{neuron::Saved, tag::Tag};

fn saved(incarnation: u32) -> Saved {
    Saved { incarnation, ..full() }
}

/// Checks that nothing can be written, and that each error says why.
fn refuses_to_write(store: &FileStore) {
    let results = [
        store.save(&id("a"), &saved(9)),
        store.save(&id("new"), &saved(9)),
        store.remove(&id("a")),
        store.save_ceiling(Tag::from_bits(900)),
    ];
    for (number, result) in results.into_iter().enumerate() {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::LockLost { .. }), "{number}: {error}");
        assert!(error.to_string().contains("stop this host"), "{number}: {error}");
    }
}

/// Names the process that changes its working folder, because the tests share theirs.
const CHILD: &str = "NEURON_TEST_WORKING_FOLDER";

#[test]
fn a_store_stays_where_it_was_opened_when_the_program_goes_elsewhere() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let folder = Path::new(&folder);
        std::env::set_current_dir(folder).unwrap();
        fs::create_dir("elsewhere").unwrap();
        let store = FileStore::open("state").unwrap();
        store.save(&id("before"), &full()).unwrap();
        std::env::set_current_dir("elsewhere").unwrap();
        store.save(&id("after"), &full()).unwrap();
        store.save_ceiling(Tag::from_bits(100)).unwrap();
        assert_eq!(store.folder(), std::path::absolute("../state").unwrap().canonicalize().unwrap());
        return;
    }
    let folder = Folder::new("chdir");
    fs::create_dir(&folder.0).unwrap();
    let canonical = folder.0.canonicalize().unwrap();
    let test = std::thread::current().name().unwrap().to_owned();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", &test, "--nocapture"]).env(CHILD, &canonical).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let store = FileStore::open(folder.0.join("state")).unwrap();
    assert_eq!(store.load(&id("before")).unwrap(), Some(full()));
    assert_eq!(store.load(&id("after")).unwrap(), Some(full()));
    assert_eq!(store.ceiling().unwrap(), Some(Tag::from_bits(100)));
    assert!(!folder.0.join("elsewhere").join("state").exists());
}

#[test]
fn a_store_without_a_path_is_refused_with_what_to_do() {
    let error = FileStore::open("").unwrap_err();
    assert!(error.to_string().contains("`.` for the working folder"), "{error}");
}

#[test]
fn a_store_whose_lock_was_removed_writes_nothing_more() {
    let folder = Folder::new("lock-removed");
    let first = FileStore::open(&folder.0).unwrap();
    first.save(&id("a"), &saved(1)).unwrap();
    first.save_ceiling(Tag::from_bits(100)).unwrap();
    match fs::remove_file(folder.0.join("lock")) {
        // There the system keeps the lock file as long as it is open.
        Err(_) if cfg!(windows) => return,
        removed => removed.unwrap(),
    }
    refuses_to_write(&first);
    // Another process begins where the first one ended, and has the folder for itself.
    let second = FileStore::open(&folder.0).unwrap();
    assert_eq!(second.load(&id("a")).unwrap(), Some(saved(1)));
    assert_eq!(second.ceiling().unwrap(), Some(Tag::from_bits(100)));
    second.save(&id("a"), &saved(2)).unwrap();
    second.save_ceiling(Tag::from_bits(200)).unwrap();
    refuses_to_write(&first);
    drop(second);
    refuses_to_write(&first);
    drop(first);
    let third = FileStore::open(&folder.0).unwrap();
    assert_eq!(third.load(&id("a")).unwrap(), Some(saved(2)));
    assert_eq!(third.ceiling().unwrap(), Some(Tag::from_bits(200)));
    assert_eq!(third.names().unwrap(), [id("a")], "nothing of the first one is left");
}

#[cfg(unix)]
#[test]
fn a_store_whose_folder_was_moved_away_or_replaced_writes_nothing_until_it_is_back() {
    let folder = Folder::new("moved");
    fs::create_dir(&folder.0).unwrap();
    let (state, away) = (folder.0.join("state"), folder.0.join("away"));
    let first = FileStore::open(&state).unwrap();
    first.save(&id("a"), &saved(1)).unwrap();
    first.save_ceiling(Tag::from_bits(100)).unwrap();
    fs::rename(&state, &away).unwrap();
    refuses_to_write(&first);
    assert!(!state.exists());
    // The folder is the same, whatever its name.
    assert!(matches!(FileStore::open(&away), Err(StoreError::InUse { .. })));
    // A backup is put in its place.
    fs::create_dir(&state).unwrap();
    for entry in fs::read_dir(&away).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), state.join(entry.file_name())).unwrap();
    }
    refuses_to_write(&first);
    let second = FileStore::open(&state).unwrap();
    second.save(&id("a"), &saved(2)).unwrap();
    refuses_to_write(&first);
    drop(second);
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&away, &state).unwrap();
    first.save(&id("a"), &saved(3)).unwrap();
    first.save_ceiling(Tag::from_bits(300)).unwrap();
    drop(first);
    let third = FileStore::open(&state).unwrap();
    assert_eq!(third.load(&id("a")).unwrap(), Some(saved(3)));
    assert_eq!(third.ceiling().unwrap(), Some(Tag::from_bits(300)));
}

/// The first process has written a temporary file, and is held up before it puts that in place.
#[cfg(unix)]
#[test]
fn what_is_half_saved_when_the_lock_is_lost_does_not_replace_what_another_process_saves() {
    let folder = Folder::new("half-saved");
    let first = FileStore::open(&folder.0).unwrap();
    first.save(&id("a"), &saved(1)).unwrap();
    fs::remove_file(folder.0.join("lock")).unwrap();
    let temporary = folder.0.join("n-a.neuron.tmp-1");
    fs::copy(folder.0.join("n-a.neuron"), &temporary).unwrap();
    let second = FileStore::open(&folder.0).unwrap();
    assert!(!temporary.exists(), "it cannot be put in place any more");
    // If it cannot be removed, it could be.
    drop(second);
    fs::create_dir(&temporary).unwrap();
    let error = FileStore::open(&folder.0).unwrap_err();
    assert!(matches!(&error, StoreError::Io { path, .. } if *path == temporary), "{error}");
}

/// The first process has looked at its lock, and is held up before it writes its ceiling.
#[cfg(unix)]
#[test]
fn a_ceiling_that_is_written_after_the_lock_is_lost_does_not_replace_that_of_another_process() {
    use std::io::Write as _;
    let folder = Folder::new("late-ceiling");
    let first = FileStore::open(&folder.0).unwrap();
    first.save_ceiling(Tag::from_bits(100)).unwrap();
    let mut opened = fs::OpenOptions::new().write(true).open(folder.0.join("ceiling")).unwrap();
    fs::remove_file(folder.0.join("lock")).unwrap();
    let second = FileStore::open(&folder.0).unwrap();
    second.save_ceiling(Tag::from_bits(200)).unwrap();
    opened.write_all(&[0; 8192]).unwrap();
    drop(second);
    assert_eq!(FileStore::open(&folder.0).unwrap().ceiling().unwrap(), Some(Tag::from_bits(200)));
}
