//! A store in a folder: its files, and what damage is noticed.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    super::{
        FileStore, Store as _, StoreError,
        file::{file_name, neuron_of, read},
    },
    Folder, full, id, keeps_its_contract,
};
use crate::{
    id::SensorId,
    neuron::{CompletedChange, Saved, Sensor, WhenSilent},
    tag::Tag,
};

fn sensor(name: &str) -> SensorId {
    name.parse().unwrap()
}

#[test]
fn a_file_store_keeps_the_contract_and_its_content_survives_it() {
    let folder = Folder::new("contract");
    // In nested folders that do not exist yet.
    let inner = folder.0.join("a").join("b");
    keeps_its_contract(&FileStore::open(&inner).unwrap());
    let store = FileStore::open(&inner).unwrap();
    assert_eq!(store.load(&id("z")).unwrap(), Some(full()));
}

#[test]
fn a_torn_or_damaged_file_is_not_treated_as_missing() {
    let folder = Folder::new("damaged");
    let store = FileStore::open(&folder.0).unwrap();
    let h1 = id("h1");
    store.save(&h1, &full()).unwrap();
    let path = folder.0.join("n-h1.neuron");
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = store.load(&h1).unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { path: at, .. } if *at == path), "cut to {length}: {error}");
    }
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let error = store.load(&h1).unwrap_err();
        let told = matches!(error, StoreError::Damaged { .. } | StoreError::UnknownVersion { version: 0x11, .. });
        assert!(told, "byte {position}: {error}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(store.load(&h1).unwrap(), Some(full()));
    fs::copy(&path, folder.0.join("n-h2.neuron")).unwrap();
    let error = store.load(&id("h2")).unwrap_err();
    assert!(error.to_string().contains("it is that of h1"), "{error}");
}

#[test]
fn a_save_that_was_cut_off_leaves_the_one_before() {
    let folder = Folder::new("cut-off");
    let store = FileStore::open(&folder.0).unwrap();
    store.save(&id("a"), &full()).unwrap();
    fs::write(folder.0.join("n-a.neuron.tmp-1"), b"NRNS").unwrap();
    assert_eq!(store.load(&id("a")).unwrap(), Some(full()));
    assert_eq!(store.names().unwrap(), [id("a")], "a temporary file belongs to no neuron");
    store.save(&id("a"), &full()).unwrap();
}

#[test]
fn a_failed_write_is_an_error_that_names_the_file() {
    let folder = Folder::new("unwritable");
    let store = FileStore::open(&folder.0).unwrap();
    fs::create_dir(folder.0.join("n-a.neuron")).unwrap();
    let error = store.save(&id("a"), &full()).unwrap_err();
    assert!(matches!(&error, StoreError::Io { path, .. } if path.ends_with("n-a.neuron")), "{error}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2, "only the lock is left beside it");
}

#[test]
fn every_name_has_a_file_of_its_own() {
    for name in ["a", "A", "aA", "AA", "con", "-", "_", &"Z".repeat(64)] {
        let file = file_name(&id(name));
        assert_eq!(neuron_of(&file), Some(id(name)));
        assert_eq!(file, file.to_ascii_lowercase());
    }
    for other in ["lock", "n-.neuron", "n-A.neuron", "n-=1.neuron", "n-=.neuron", "n-a.neuron.tmp", "a.neuron"] {
        assert_eq!(neuron_of(other), None, "{other}");
    }
}

#[test]
fn what_silence_means_is_kept() {
    let folder = Folder::new("silence");
    let store = FileStore::open(&folder.0).unwrap();
    let mut saved = full();
    store.save(&id("a"), &saved).unwrap();
    saved.config.sensors.insert(sensor("door"), Sensor::new(1.0).when_silent(WhenSilent::Unknown));
    store.save(&id("a"), &saved).unwrap();
    assert_eq!(store.load(&id("a")).unwrap(), Some(saved));
}

#[test]
fn files_that_were_written_once_are_always_read() {
    // Written by the first version of this program. They never change.
    let bytes = include_bytes!("../testdata/full-v1.neuron");
    let saved = read(&id("golden"), bytes, PathBuf::from("full-v1.neuron")).unwrap();
    assert_eq!(saved, full());
    let folder = Folder::new("golden");
    let store = FileStore::open(&folder.0).unwrap();
    store.save(&id("golden"), &full()).unwrap();
    assert_eq!(fs::read(folder.0.join("n-golden.neuron")).unwrap(), bytes);
}

#[test]
fn files_with_changes_that_were_written_once_are_always_read() {
    let change = CompletedChange { controller: "boss".parse().unwrap(), request: 7, tag: Tag::from_bits(9) };
    let mut expected = Saved { changes: vec![change], ..full() };
    let heat = Sensor::new(2.0).hold(Duration::from_secs(90)).when_silent(WhenSilent::Unknown);
    expected.config.sensors.extend([(sensor("door"), Sensor::new(1.0).until_next()), (sensor("heat"), heat)]);
    let bytes = include_bytes!("../testdata/full-v2.neuron");
    let saved = read(&id("golden"), bytes, PathBuf::from("full-v2.neuron")).unwrap();
    assert_eq!(saved, expected);
    let folder = Folder::new("golden-2");
    let store = FileStore::open(&folder.0).unwrap();
    store.save(&id("golden"), &expected).unwrap();
    assert_eq!(fs::read(folder.0.join("n-golden.neuron")).unwrap(), bytes);
}
