//! The thread that writes to the store of a host, so that a slow disk holds up only what waits for
//! it.
//!
//! Why: docs/decisions/0045-one-ceiling-for-a-host.md

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use crate::{
    id::NeuronId,
    neuron::Saved,
    store::{Store, StoreError},
    tag::Tag,
};

/// What the thread is to do.
enum Job {
    /// Saves a ceiling, before everything else that waits.
    Ceiling(Tag),
    /// Saves the state of a neuron, unless the receiver of `done` is gone.
    Save { neuron: NeuronId, saved: Box<Saved>, done: oneshot::Sender<Result<(), StoreError>> },
    /// Saves the latest state of a neuron that nothing waits for.
    SaveSoon { neuron: NeuronId },
    /// Removes the state of a neuron.
    Remove { neuron: NeuronId, done: oneshot::Sender<Result<(), StoreError>> },
}

/// A store, and the thread that writes to it. Dropping this waits until the thread has ended: then
/// nothing uses the store any more.
#[derive(Debug)]
pub(in crate::actor) struct StoreThread {
    store: Arc<dyn Store>,
    /// The ceiling saved last; 0 before the first.
    ceiling: Arc<AtomicU64>,
    /// What is to be saved, and nothing waits for: at most one state of each neuron.
    unhurried: Arc<Unhurried>,
    /// Ends the thread when it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    handle: Option<JoinHandle<()>>,
}

impl StoreThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If there is no thread.
    pub(in crate::actor) fn start(store: Arc<dyn Store>) -> std::io::Result<Self> {
        let (jobs, on_job) = mpsc::channel();
        let ceiling = Arc::new(AtomicU64::new(0));
        let unhurried = Arc::new(Unhurried::default());
        let run = {
            let store = store.clone();
            let ceiling = ceiling.clone();
            let unhurried = unhurried.clone();
            move || run(&*store, &ceiling, &unhurried, &on_job)
        };
        let handle = std::thread::Builder::new().name("store".to_owned()).spawn(run)?;
        Ok(Self { store, ceiling, unhurried, jobs: Some(jobs), handle: Some(handle) })
    }

    /// Returns the store, for what is not written.
    pub(in crate::actor) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Returns the ceiling saved last; [`Tag::ORIGIN`] before the first.
    #[inline]
    pub(in crate::actor) fn ceiling(&self) -> Tag {
        Tag::from_bits(self.ceiling.load(Ordering::Acquire))
    }

    /// Saves a ceiling in the background.
    pub(in crate::actor) fn save_ceiling(&self, ceiling: Tag) {
        self.push(Job::Ceiling(ceiling));
    }

    /// Saves a ceiling, and returns when that is done.
    ///
    /// # Errors
    /// If it cannot be saved.
    pub(in crate::actor) fn save_ceiling_now(&self, ceiling: Tag) -> Result<(), StoreError> {
        save_ceiling(&*self.store, &self.ceiling, ceiling)
    }

    /// Saves the state of a neuron. The receiver is told when it is durable; if it is dropped
    /// before its turn comes, nothing is saved.
    pub(in crate::actor) fn save(&self, neuron: NeuronId, saved: Saved) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, is_done) = oneshot::channel();
        self.push(Job::Save { neuron, saved: Box::new(saved), done });
        is_done
    }

    /// Saves the state of a neuron in the background, unless a later one is to be saved by then. A
    /// failure is logged.
    ///
    /// The neuron must not wait for another save meanwhile: that has an earlier state, and may be
    /// carried out after this one.
    pub(in crate::actor) fn save_soon(&self, neuron: &NeuronId, saved: Saved) {
        if self.unhurried.put(neuron, saved) {
            self.push(Job::SaveSoon { neuron: neuron.clone() });
        }
    }

    /// Removes the state of a neuron, after what has been asked for before.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(in crate::actor) async fn remove(&self, neuron: NeuronId) -> Result<(), StoreError> {
        let (done, is_done) = oneshot::channel();
        self.push(Job::Remove { neuron, done });
        is_done.await.unwrap_or_else(|_| Err(StoreError::other("the thread of the store has ended")))
    }

    fn push(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // If the thread has ended, the receiver of the answer is told.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

/// The states that are to be saved and that nothing waits for.
#[derive(Debug, Default)]
struct Unhurried(Mutex<HashMap<NeuronId, Saved>>);

impl Unhurried {
    /// Puts the state of a neuron in the place of an earlier one. Returns whether there was none.
    fn put(&self, neuron: &NeuronId, saved: Saved) -> bool {
        self.lock().insert(neuron.clone(), saved).is_none()
    }

    /// Takes the state of a neuron; `None` if there is none.
    fn take(&self, neuron: &NeuronId) -> Option<Saved> {
        self.lock().remove(neuron)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NeuronId, Saved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what is asked for, until the sender is dropped.
fn run(store: &dyn Store, saved_ceiling: &AtomicU64, unhurried: &Unhurried, jobs: &mpsc::Receiver<Job>) {
    let mut waiting = VecDeque::new();
    let mut next_ceiling: Option<Tag> = None;
    loop {
        let first = if waiting.is_empty() && next_ceiling.is_none() {
            let Ok(job) = jobs.recv() else { return };
            Some(job)
        } else {
            None
        };
        for job in first.into_iter().chain(jobs.try_iter()) {
            match job {
                Job::Ceiling(ceiling) => next_ceiling = next_ceiling.max(Some(ceiling)),
                job => waiting.push_back(job),
            }
        }
        if let Some(ceiling) = next_ceiling.take() {
            if let Err(error) = save_ceiling(store, saved_ceiling, ceiling) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the ceiling of the host cannot be saved; neurons are saved one by one");
            }
            continue;
        }
        match waiting.pop_front() {
            Some(Job::Save { neuron, saved, done }) if !done.is_closed() => {
                let _ = done.send(guarded(|| store.save(&neuron, &saved)));
            }
            Some(Job::SaveSoon { neuron }) => {
                let saved = unhurried.take(&neuron);
                if let Some(Err(error)) = saved.map(|saved| guarded(|| store.save(&neuron, &saved))) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%neuron, error, "what a neuron knows of others cannot be saved");
                }
            }
            Some(Job::Remove { neuron, done }) => {
                unhurried.take(&neuron);
                let _ = done.send(guarded(|| store.remove(&neuron)));
            }
            Some(Job::Save { .. } | Job::Ceiling(_)) | None => {}
        }
    }
}

fn save_ceiling(store: &dyn Store, saved: &AtomicU64, ceiling: Tag) -> Result<(), StoreError> {
    guarded(|| store.save_ceiling(ceiling))?;
    saved.fetch_max(ceiling.to_bits(), Ordering::AcqRel);
    Ok(())
}

/// Runs an operation of the store. A panic is a failure: a neuron that went on would say what is
/// not saved.
pub(in crate::actor) fn guarded(operation: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|_| Err(StoreError::other("the store panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{neuron::Config, store::MemoryStore};

    /// A store that notes what is written to it, and waits for `gate` before each save of a neuron.
    #[derive(Debug, Default)]
    struct Gated {
        inner: MemoryStore,
        gate: Mutex<()>,
        written: Mutex<Vec<String>>,
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
        let first = thread.save(id("first"), saved());
        while store.written.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        drop(thread.save(id("given-up"), saved()));
        let last = thread.save(id("last"), saved());
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
        let first = thread.save(id("first"), saved());
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
        thread.save(id("panics"), saved()).blocking_recv().unwrap().unwrap_err();
        // The lock of the gate is poisoned by then.
        thread.save(id("a"), saved()).blocking_recv().unwrap().unwrap_err();
        futures_util::FutureExt::now_or_never(thread.remove(id("a")));
        drop(thread);
        assert_eq!(store.written.lock().unwrap().last().unwrap(), "remove a");
    }
}
