//! In which order a host's states are written, and what becomes of a write that fails.

use super::*;
use crate::{neuron::Config, store::MemoryStore};

/// A store that notes what is written to it, and waits for `gate` before each save of a neuron.
#[derive(Debug, Default)]
struct Gated {
    inner: MemoryStore,
    gate: Mutex<()>,
    written: Mutex<Vec<String>>,
    /// How many of the next ceilings cannot be saved.
    failures: AtomicU64,
}

impl Gated {
    fn note(&self, what: &str, name: &dyn std::fmt::Display) {
        self.written.lock().unwrap().push(format!("{what} {name}"));
    }
}

impl Store for Gated {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        self.inner.load(neuron)
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        self.note("save", neuron);
        let _open = self.gate.lock().unwrap();
        assert_ne!(neuron.as_str(), "panics");
        self.inner.save(neuron, saved)
    }

    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError> {
        self.note("remove", neuron);
        self.inner.remove(neuron)
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        self.inner.names()
    }

    fn ceiling(&self) -> Result<Option<Tag>, StoreError> {
        self.inner.ceiling()
    }

    fn save_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.note("ceiling", &ceiling.to_bits());
        if self.failures.load(Ordering::SeqCst) > 0 {
            self.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(StoreError::other("the disk is full"));
        }
        self.inner.save_ceiling(ceiling)
    }
}

fn id(name: &str) -> NeuronId {
    name.parse().unwrap()
}

fn saved() -> Saved {
    crate::neuron::Neuron::start(
        id("any"),
        Config::new(),
        crate::transport::Guarantees::IN_PROCESS,
        1,
        crate::tag::Time::ZERO,
    )
    .saved()
}

#[test]
fn a_ceiling_goes_first_and_one_without_a_receiver_is_left_out() {
    let store = Arc::new(Gated::default());
    let thread = StoreThread::start(store.clone()).unwrap();
    let closed = store.gate.lock().unwrap();
    let first = thread.save(id("first"), saved(), false);
    while store.written.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    drop(thread.save(id("given-up"), saved(), false));
    let last = thread.save(id("last"), saved(), false);
    thread.save_ceiling(Tag::from_bits(7));
    thread.save_ceiling(Tag::from_bits(9));
    drop(closed);
    first.blocking_recv().unwrap().unwrap();
    last.blocking_recv().unwrap().unwrap();
    assert_eq!(thread.ceiling(), Tag::from_bits(9));
    drop(thread);
    assert_eq!(*store.written.lock().unwrap(), ["save first", "ceiling 9", "save last"]);
}

#[test]
fn of_states_that_nothing_waits_for_the_latest_is_saved() {
    let store = Arc::new(Gated::default());
    let thread = StoreThread::start(store.clone()).unwrap();
    let closed = store.gate.lock().unwrap();
    let first = thread.save(id("first"), saved(), false);
    for incarnation in 1..=100 {
        thread.save_soon(&id("a"), Saved { incarnation, ..saved() });
    }
    drop(closed);
    first.blocking_recv().unwrap().unwrap();
    drop(thread);
    assert_eq!(*store.written.lock().unwrap(), ["save first", "save a"]);
    assert_eq!(store.load(&id("a")).unwrap().unwrap().incarnation, 100);
}

#[test]
fn a_store_that_panics_has_failed_and_the_thread_goes_on() {
    let store = Arc::new(Gated::default());
    let thread = StoreThread::start(store.clone()).unwrap();
    thread.save(id("panics"), saved(), false).blocking_recv().unwrap().unwrap_err();
    // The lock of the gate is poisoned by then.
    thread.save(id("a"), saved(), false).blocking_recv().unwrap().unwrap_err();
    futures_util::FutureExt::now_or_never(thread.remove(id("a")));
    drop(thread);
    assert_eq!(store.written.lock().unwrap().last().unwrap(), "remove a");
}

#[test]
fn a_ceiling_that_cannot_be_saved_is_saved_as_soon_as_it_can_be() {
    let store = Arc::new(Gated { failures: 2.into(), ..Gated::default() });
    let thread = StoreThread::start(store.clone()).unwrap();
    thread.save_ceiling(Tag::from_bits(7));
    while thread.ceiling() < Tag::from_bits(7) {
        std::thread::yield_now();
    }
    // What is saved meanwhile tells that the store works again.
    store.failures.store(1, Ordering::SeqCst);
    thread.save_ceiling(Tag::from_bits(9));
    thread.save(id("a"), saved(), false).blocking_recv().unwrap().unwrap();
    drop(thread.save(id("b"), saved(), false));
    while thread.ceiling() < Tag::from_bits(9) {
        std::thread::yield_now();
    }
    drop(thread);
    let expected = ["ceiling 7", "ceiling 7", "ceiling 7", "ceiling 9", "save a", "ceiling 9"];
    assert_eq!(store.written.lock().unwrap()[..6], expected);
}

#[test]
fn the_pauses_between_attempts_grow_and_are_bounded() {
    let pauses: Vec<u128> = (1..=9).map(|failures| retry_pause(failures).as_millis()).collect();
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    assert_eq!(retry_pause(u32::MAX), MAX_PAUSE);
}
