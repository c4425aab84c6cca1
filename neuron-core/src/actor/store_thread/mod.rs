//! The thread that writes to the store of a host, so that a slow disk holds up only what waits for
//! it.
//!
//! Why: docs/decisions/0045-one-ceiling-for-a-host.md,
//! docs/decisions/0049-a-neuron-that-cannot-be-saved-is-silent.md

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    id::NeuronId,
    neuron::Saved,
    store::{Store, StoreError},
    tag::Tag,
};

/// How long after a failed save the next one is tried; each further time twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause before a save is tried again: so long a neuron may be silent although the disk
/// has room again.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Returns how long to wait before the next attempt, after this many that have failed.
pub(in crate::actor) fn retry_pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_PAUSE)
}

/// A neuron could not be saved.
#[derive(Debug)]
pub(in crate::actor) struct SaveFailure {
    pub(in crate::actor) error: StoreError,
    /// What was saved of the neuron before. `None` means that the store still holds it: nothing was
    /// written.
    pub(in crate::actor) previous: Option<Box<Saved>>,
}

impl From<StoreError> for SaveFailure {
    /// Returns the failure of a save that has written nothing.
    fn from(error: StoreError) -> Self {
        Self { error, previous: None }
    }
}

/// Returns the error of what was to be done by a thread that has ended.
pub(in crate::actor) fn has_ended() -> StoreError {
    StoreError::other("the thread of the store has ended")
}

/// What a neuron goes on from once it can be saved again.
pub(in crate::actor) struct Restore {
    /// What was saved of the neuron; `None` if the store still holds it.
    pub(in crate::actor) previous: Option<Box<Saved>>,
    /// The number of its incarnation, which may not have been saved.
    pub(in crate::actor) incarnation: u32,
    /// The last tag that it may have spoken about.
    pub(in crate::actor) spoken: Tag,
}

/// What the thread is to do.
enum Job {
    /// Saves a ceiling, before everything else that waits.
    Ceiling(Tag),
    /// Saves the state of a neuron, unless the receiver of `done` is gone. If `keeps_previous`, a
    /// failure holds the state before.
    Save { neuron: NeuronId, saved: Box<Saved>, keeps_previous: bool, done: oneshot::Sender<Result<(), SaveFailure>> },
    /// Saves what a neuron goes on from.
    Restore { neuron: NeuronId, restore: Restore, done: oneshot::Sender<Result<Box<Saved>, StoreError>> },
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
    ///
    /// If `keeps_previous`, a failure holds the state that was saved before, unless nothing was
    /// written. A neuron that has never been saved has none.
    pub(in crate::actor) fn save(
        &self,
        neuron: NeuronId,
        saved: Saved,
        keeps_previous: bool,
    ) -> oneshot::Receiver<Result<(), SaveFailure>> {
        let (done, is_done) = oneshot::channel();
        self.push(Job::Save { neuron, saved: Box::new(saved), keeps_previous, done });
        is_done
    }

    /// Saves what was saved of a neuron before a save has failed, so that it can go on from there.
    /// The receiver is told that state when it is durable.
    pub(in crate::actor) fn restore(
        &self,
        neuron: NeuronId,
        restore: Restore,
    ) -> oneshot::Receiver<Result<Box<Saved>, StoreError>> {
        let (done, is_done) = oneshot::channel();
        self.push(Job::Restore { neuron, restore, done });
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
        is_done.await.unwrap_or_else(|_| Err(has_ended()))
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
    let mut ceiling = CeilingSaves::default();
    loop {
        let first = if waiting.is_empty() && ceiling.next.is_none() {
            match ceiling.receive(jobs) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        } else {
            None
        };
        for job in first.into_iter().chain(jobs.try_iter()) {
            match job {
                Job::Ceiling(next) => ceiling.next = ceiling.next.max(Some(next)),
                job => waiting.push_back(job),
            }
        }
        if ceiling.next.is_some() {
            ceiling.save(store, saved_ceiling);
            continue;
        }
        match waiting.pop_front() {
            Some(Job::Save { neuron, saved, keeps_previous, done }) if !done.is_closed() => {
                let result = save(store, &neuron, &saved, keeps_previous);
                ceiling.retry_if(result.is_ok());
                let _ = done.send(result);
            }
            Some(Job::Restore { neuron, restore, done }) if !done.is_closed() => {
                let result = save_restored(store, &neuron, restore);
                ceiling.retry_if(result.is_ok());
                let _ = done.send(result);
            }
            Some(Job::SaveSoon { neuron }) => {
                let saved = unhurried.take(&neuron);
                if let Some(Err(error)) = saved.map(|saved| guarded(|| store.save(&neuron, &saved))) {
                    let error = &error as &dyn Error;
                    tracing::warn!(%neuron, error, "what a neuron knows of others cannot be saved");
                }
            }
            Some(Job::Remove { neuron, done }) => {
                unhurried.take(&neuron);
                let _ = done.send(guarded(|| store.remove(&neuron)));
            }
            Some(Job::Save { .. } | Job::Restore { .. } | Job::Ceiling(_)) | None => {}
        }
    }
}

fn save(store: &dyn Store, neuron: &NeuronId, saved: &Saved, keeps_previous: bool) -> Result<(), SaveFailure> {
    let previous = if keeps_previous { guarded(|| store.load(neuron))? } else { None };
    let failed = |error| SaveFailure { error, previous: previous.map(Box::new) };
    guarded(|| store.save(neuron, saved)).map_err(failed)
}

fn save_restored(store: &dyn Store, neuron: &NeuronId, restore: Restore) -> Result<Box<Saved>, StoreError> {
    let Restore { previous, incarnation, spoken } = restore;
    let mut saved = match previous {
        Some(previous) => previous,
        None => guarded(|| store.load(neuron))?.map(Box::new).ok_or_else(|| {
            StoreError::other("what was saved of the neuron is gone; put it back, or stop this host and start it again")
        })?,
    };
    saved.incarnation = saved.incarnation.max(incarnation);
    saved.ceiling = saved.ceiling.max(spoken);
    guarded(|| store.save(neuron, &saved))?;
    Ok(saved)
}

/// The ceiling that is to be saved, and whether that fails.
#[derive(Debug, Default)]
struct CeilingSaves {
    /// The ceiling to save now; `None` if there is none.
    next: Option<Tag>,
    /// The ceiling that could not be saved; `None` if the last one could.
    unsaved: Option<Tag>,
    /// How many attempts have failed since one succeeded.
    failures: u32,
}

impl CeilingSaves {
    /// Waits for the next job. While a ceiling is unsaved, it is to be saved again after a pause.
    ///
    /// # Errors
    /// When the pause is over, or the sender is gone.
    fn receive(&mut self, jobs: &mpsc::Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        if self.unsaved.is_none() {
            return jobs.recv().map_err(RecvTimeoutError::from);
        }
        let received = jobs.recv_timeout(retry_pause(self.failures));
        self.retry_if(matches!(received, Err(RecvTimeoutError::Timeout)));
        received
    }

    /// Lets an unsaved ceiling be saved again, if something says that this may succeed.
    fn retry_if(&mut self, is_hopeful: bool) {
        if is_hopeful {
            self.next = self.next.max(self.unsaved);
        }
    }

    /// Saves the next ceiling.
    fn save(&mut self, store: &dyn Store, saved: &AtomicU64) {
        let Some(ceiling) = self.next.take().max(self.unsaved.take()) else { return };
        match save_ceiling(store, saved, ceiling) {
            Ok(()) => {
                let attempts = std::mem::take(&mut self.failures) + 1;
                if attempts > 1 {
                    tracing::warn!(attempts, "the ceiling of the host is saved again");
                }
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.unsaved = Some(ceiling);
                if self.failures == 1 {
                    let error = &error as &dyn Error;
                    tracing::error!(error, "the ceiling of the host cannot be saved; neurons are saved one by one");
                }
            }
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
pub(in crate::actor) fn guarded<T>(operation: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|_| Err(StoreError::other("the store panicked")))
}
