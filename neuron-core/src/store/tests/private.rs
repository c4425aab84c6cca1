//! What is in the place of a file of a store, and which users can use it.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use super::{
    super::{FileStore, Store as _, StoreError},
    Folder, full, id,
};
use crate::tag::Tag;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Opens a store and uses each of its files once.
fn use_all(folder: &Path) -> FileStore {
    let store = FileStore::open(folder).unwrap();
    store.save(&id("a"), &full()).unwrap();
    store.save_ceiling(Tag::from_bits(100)).unwrap();
    store.note_ceiling(Tag::from_bits(5)).unwrap();
    store
}

#[test]
fn the_folder_and_its_files_are_for_their_owner_only() {
    let folder = Folder::new("modes");
    let inner = folder.0.join("a").join("b");
    drop(use_all(&inner));
    assert_eq!((mode(&folder.0), mode(&inner)), (0o700, 0o700));
    let files = ["lock", "ceiling", "n-a.neuron"];
    assert_eq!(fs::read_dir(&inner).unwrap().count(), files.len(), "no temporary file is left");
    for file in files {
        assert_eq!(mode(&inner.join(file)), 0o600, "{file}");
    }
    // What an earlier version has left open is closed.
    set_mode(&inner, 0o755);
    for file in files {
        set_mode(&inner.join(file), 0o644);
    }
    let store = use_all(&inner);
    assert_eq!(store.load(&id("a")).unwrap(), Some(full()));
    assert_eq!(mode(&inner), 0o700);
    for file in files {
        assert_eq!(mode(&inner.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_folder_that_every_user_may_write_to_is_refused() {
    let folder = Folder::new("open");
    fs::create_dir(&folder.0).unwrap();
    for open in [0o777, 0o1777, 0o702] {
        set_mode(&folder.0, open);
        let error = FileStore::open(&folder.0).unwrap_err();
        assert!(format!("{error:?}").contains("chmod o-w"), "{error:?}");
    }
    set_mode(&folder.0, 0o755);
    drop(FileStore::open(&folder.0).unwrap());
    // It was there before, and may hold other things than the store.
    assert_eq!(mode(&folder.0), 0o755);
}

/// A pipe would hold up the start until its other end is opened; a link would lead elsewhere.
#[test]
fn a_pipe_or_a_link_in_the_place_of_a_file_is_an_error() {
    let folder = Folder::new("kinds");
    drop(use_all(&folder.0));
    let elsewhere = folder.0.join("elsewhere");
    fs::write(&elsewhere, b"not to be touched").unwrap();
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let dangling = |path: &Path| symlink("nowhere", path).unwrap();
    let link = |path: &Path| symlink(&elsewhere, path).unwrap();
    let kinds: [&dyn Fn(&Path); 3] = [&pipe, &dangling, &link];
    for put in kinds {
        for name in ["lock", "ceiling", "n-a.neuron"] {
            let path = folder.0.join(name);
            let kept = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            put(&path);
            let error = FileStore::open(&folder.0).and_then(|store| store.load(&id("a"))).unwrap_err();
            assert!(matches!(&error, StoreError::Io { path: at, .. } if *at == path), "{name}: {error:?}");
            fs::remove_file(&path).unwrap();
            fs::write(&path, kept).unwrap();
        }
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), b"not to be touched");
    assert!(!folder.0.join("nowhere").exists());
    // A neuron's file is replaced as a whole, whatever is there.
    fs::remove_file(folder.0.join("n-a.neuron")).unwrap();
    link(&folder.0.join("n-a.neuron"));
    let store = FileStore::open(&folder.0).unwrap();
    store.save(&id("a"), &full()).unwrap();
    assert_eq!(store.load(&id("a")).unwrap(), Some(full()));
    assert_eq!(fs::read(&elsewhere).unwrap(), b"not to be touched");
}

#[test]
fn a_temporary_file_has_another_name_each_time_and_is_removed_at_the_next_start() {
    let folder = Folder::new("temporary");
    drop(use_all(&folder.0));
    for left_over in ["n-a.neuron.tmp", "n-a.neuron.tmp-0123456789abcdef"] {
        fs::write(folder.0.join(left_over), b"NRNS").unwrap();
    }
    symlink("nowhere", folder.0.join("n-b.neuron.tmp-1")).unwrap();
    let store = FileStore::open(&folder.0).unwrap();
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 3);
    store.save(&id("a"), &full()).unwrap();
    assert!(!folder.0.join("nowhere").exists());
    File::open(folder.0.join("n-a.neuron")).unwrap();
}
