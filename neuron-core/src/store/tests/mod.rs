//! The contract of a store, as a test that every implementation calls.

mod file;
mod folder;
#[cfg(unix)]
mod private;

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use super::*;
use crate::{
    neuron::{CompletedChange, Config, Mode, Rule},
    signal::Incarnation,
    tag::Tag,
};

/// The place of a folder, which is not there yet, and is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("neuron-store-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn id(name: &str) -> NeuronId {
    name.parse().unwrap()
}

/// Returns a state with a value in every field.
pub(super) fn full() -> Saved {
    let config = Config::new()
        .threshold(-0.5)
        .input(id("a"), 1.5)
        .delayed_input(id("B"), -2.0, Duration::from_nanos(1_500))
        .sensor("s".parse().unwrap(), 0.25)
        .hold(Duration::from_millis(7))
        .linger(Duration::from_secs(60))
        .mode(Mode::Asap)
        .rule(Rule::Pulse { window: Duration::from_millis(3), refractory: Duration::from_millis(2) })
        .patience(Duration::from_millis(250))
        .lease(Duration::from_secs(2));
    Saved {
        config,
        incarnation: 3,
        ceiling: Tag::from_bits(0x0102_0304_0506_0708),
        subscribers: BTreeMap::from([(id("z"), Incarnation { number: 2, nonce: 9 })]),
        sources: BTreeMap::from([(id("a"), Incarnation { number: 1, nonce: 8 })]),
        changes: Vec::new(),
    }
}

/// Checks the contract of an empty store.
pub(super) fn keeps_its_contract(store: &dyn Store) {
    let (z, other) = (id("Z"), id("z"));
    assert_eq!(store.load(&z).unwrap(), None);
    let first = full();
    store.save(&z, &first).unwrap();
    assert_eq!(store.load(&z).unwrap().as_ref(), Some(&first));
    assert_eq!(store.load(&other).unwrap(), None, "names that differ in case are different names");
    let change = CompletedChange { controller: "boss".parse().unwrap(), request: 7, tag: Tag::from_bits(9) };
    let changed = Saved { changes: vec![change], ..full() };
    store.save(&z, &changed).unwrap();
    assert_eq!(store.load(&z).unwrap().as_ref(), Some(&changed));
    let plain = Saved { config: Config::new(), ..Saved { subscribers: BTreeMap::new(), ..full() } };
    store.save(&z, &plain).unwrap();
    store.save(&other, &first).unwrap();
    assert_eq!(store.load(&z).unwrap().as_ref(), Some(&plain), "the last save counts");
    let mut names = store.names().unwrap();
    names.sort();
    assert_eq!(names, [z.clone(), other.clone()]);
    store.remove(&z).unwrap();
    store.remove(&z).unwrap();
    assert_eq!(store.load(&z).unwrap(), None);
    assert_eq!(store.names().unwrap(), [other]);
}
