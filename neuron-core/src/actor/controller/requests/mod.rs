//! Sends requests to neurons and waits for their answers: what all clones of a controller share.

mod end;
mod send;

use std::{
    hash::{BuildHasher as _, RandomState},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};

use super::{
    VERSION,
    ahead::AheadLog,
    background,
    clock_offsets::ClockOffsets,
    pending::{Answered, PendingRequests},
    topology::Topology,
    watch::WatchSender,
    watches::{Polls, Watches},
    written::Written,
};
use crate::{
    actor::{
        claims::HostEnd, clock::Clock, counters::SharedHostCounters, error::ControlError, links::SharedLinks,
        scheduler::RunningSet,
    },
    command::{Answer, Command, Refusal, Report},
    hosts::{HostInfo, HostState},
    id::{ControllerId, NeuronId},
    tag::{Tag, Time},
    transport::{Envelope, Inbox, Transport},
};

/// How long a call waits for an answer. Neurons answer at once, except where they wait for others:
/// a level at a tag, and a connection, wait at most for the slowest path.
pub(in crate::actor) const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call waits for a neuron whose host is known to be away: it may just be back.
const AWAY_TIMEOUT: Duration = Duration::from_millis(500);

/// How many waves may be prepared at the same time before two can get the same tag; one of them
/// then moves.
///
/// A sixteenth of the tags of a microsecond, so that waves do not run ahead of the clock.
const CONCURRENT_WAVES: u64 = 256;

/// The longest pause before a request is sent again is its timeout divided by this. A call sends
/// about a dozen times before it gives up, unless the transport is too slow for that. For most
/// calls the longest pause is a second.
const MAX_PAUSE_DIVISOR: u32 = 10;

/// What a client starts with.
pub(in crate::actor) struct ClientSpec {
    pub(in crate::actor) id: ControllerId,
    pub(in crate::actor) transport: Arc<dyn Transport>,
    /// The inbox of the controller `id`.
    pub(in crate::actor) inbox: Inbox,
    pub(in crate::actor) clock: Clock,
    /// The network's coincidence window; zero if there is none.
    pub(in crate::actor) coincidence: Duration,
    /// The shortest patience of any neuron here.
    pub(in crate::actor) patience: Duration,
    pub(in crate::actor) topology: Arc<Mutex<Topology>>,
    /// The runtime of the host's thread.
    pub(in crate::actor) runtime: Handle,
    pub(in crate::actor) links: Arc<SharedLinks>,
    /// The neurons of the host.
    pub(in crate::actor) running: RunningSet,
    pub(in crate::actor) counters: Arc<SharedHostCounters>,
    /// Why the host has ended by itself.
    pub(in crate::actor) end: Arc<HostEnd>,
}

/// Sends requests, matches the answers, and keeps what all clones of a controller share.
#[derive(Debug)]
pub(in crate::actor) struct RequestClient {
    weak: Weak<Self>,
    id: ControllerId,
    transport: Arc<dyn Transport>,
    clock: Clock,
    coincidence: Duration,
    patience: Duration,
    /// After how long a request without an answer is sent again; `None` over a transport that loses
    /// nothing.
    retry_after: Option<Duration>,
    /// The runtime of the host's thread, for what must go on while the caller does something else.
    runtime: Handle,
    links: Arc<SharedLinks>,
    running: RunningSet,
    counters: Arc<SharedHostCounters>,
    end: Arc<HostEnd>,
    /// All neurons of the topology run on this host, also those that join.
    runs_all: bool,
    next_request: AtomicU64,
    next_wave: AtomicU64,
    topology: Arc<Mutex<Topology>>,
    /// Held while connections are made or ended: what may be connected depends on what is.
    topology_lock: tokio::sync::Mutex<()>,
    pending: Mutex<PendingRequests>,
    watches: Mutex<Watches>,
    /// Notified when a watch has something to do earlier than the task knows that polls them.
    watches_woken: Arc<Notify>,
    written: Mutex<Written>,
    clock_offsets: Mutex<ClockOffsets>,
    ahead: AheadLog,
}

impl RequestClient {
    /// Starts to listen for reports on the host's runtime. That ends when the client is dropped.
    pub(super) fn start(spec: ClientSpec) -> Arc<Self> {
        let ClientSpec {
            id,
            transport,
            mut inbox,
            clock,
            coincidence,
            patience,
            topology,
            runtime,
            links,
            running,
            counters,
            end,
        } = spec;
        let guarantees = transport.guarantees();
        // Controllers that present at the same time begin with different numbers.
        let first_wave = id.as_str().bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let neurons = topology.lock().unwrap_or_else(PoisonError::into_inner).neurons().count();
        let runs_all = neurons == running.len();
        // A controller of the same name may have sent requests before, in another process; and a
        // neuron that is asked must not know the numbers of requests to others.
        let first_request = (RandomState::new().hash_one(clock.now()) >> 1).max(1);
        let client = Arc::new_cyclic(|weak| Self {
            weak: weak.clone(),
            id,
            transport,
            clock,
            coincidence,
            patience,
            retry_after: guarantees.may_lose().then(|| (guarantees.pace.retry * 2).max(Duration::from_millis(1))),
            runtime: runtime.clone(),
            links,
            runs_all,
            running,
            counters,
            end: end.clone(),
            next_request: AtomicU64::new(first_request),
            next_wave: AtomicU64::new(first_wave),
            topology,
            topology_lock: tokio::sync::Mutex::default(),
            pending: Mutex::default(),
            watches: Mutex::default(),
            watches_woken: Arc::default(),
            written: Mutex::default(),
            clock_offsets: Mutex::default(),
            ahead: AheadLog::default(),
        });
        let weak = Arc::downgrade(&client);
        runtime.spawn(async move {
            let mut ended = pin!(end.wait());
            while let Either::Left((Some(envelope), _)) = select(inbox.next(), &mut ended).await {
                let Some(client) = weak.upgrade() else { break };
                if let Envelope::Report { from, report, .. } = envelope {
                    client.receive(&from, *report);
                }
            }
            if let Some(client) = weak.upgrade() {
                client.close();
            }
        });
        client
    }

    /// Returns the local time, from which tags are made.
    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Returns the time by which waiting is measured: it is not moved when the clock is set.
    pub(super) fn steady(&self) -> Time {
        self.clock.steady()
    }

    /// Returns the network's coincidence window; zero if there is none.
    pub(super) fn coincidence(&self) -> Duration {
        self.coincidence
    }

    /// Returns the shortest patience of any neuron here.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Locks what is known of the network. The lock is not to be held across an `await`.
    pub(in crate::actor) fn topology(&self) -> MutexGuard<'_, Topology> {
        self.topology.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other call changes connections, and keeps others from it until the guard is
    /// dropped.
    pub(in crate::actor) async fn lock_topology(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.topology_lock.lock().await
    }

    /// Returns whether a neuron runs on the controller's own host.
    pub(in crate::actor) fn runs(&self, neuron: &NeuronId) -> bool {
        self.runs_all || self.running.contains(neuron)
    }

    /// Returns the controller's own host, and what that knows of the others.
    pub(super) fn known_hosts(&self) -> (HostInfo, Vec<HostInfo>) {
        let (id, mut others) = self.links.with(|links| (links.host().clone(), links.hosts()));
        let forward = self.clock.forward();
        others.iter_mut().for_each(|host| host.state = host.state.moved(forward));
        let neurons = self.running.names();
        let version = Some(VERSION.to_owned());
        (HostInfo { id, state: HostState::Up, neurons, version, round_trip: None }, others)
    }

    /// Ends all requests to a neuron that has left, and its watches.
    pub(in crate::actor) fn forget(&self, neuron: &NeuronId) {
        self.pending().forget(neuron);
        self.watches().forget(neuron);
        self.clock_offsets().forget(neuron);
    }

    /// Adds a watch with this number, and keeps it alive from now on.
    pub(super) fn insert_watch(&self, number: u64, watch: WatchSender) {
        let starts = self.watches().insert(number, watch);
        if starts {
            self.wake_watches(Polls::Start);
        }
    }

    /// Lets the watches be polled in time.
    pub(super) fn wake_watches(&self, polls: Polls) {
        match polls {
            Polls::InTime => {}
            Polls::Start => self.spawn(background::poll_watches(self.weak.clone(), self.watches_woken.clone())),
            Polls::Earlier => self.watches_woken.notify_one(),
        }
    }

    /// Removes a watch, and tells the neuron in the background.
    pub(super) fn unwatch(self: &Arc<Self>, neuron: NeuronId, watch: u64) {
        self.watches().remove(watch);
        let client = self.clone();
        self.spawn(async move {
            let _ = client.request(&neuron, Command::Unwatch { watch }, TIMEOUT).await;
        });
    }

    /// Runs a task on the host's runtime, in the background.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Runs a task on the host's runtime, so that it comes to its end even if the caller stops
    /// waiting. Returns `None` if the host stops before.
    pub(super) async fn run_to_completion<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.spawn(async move {
            let _ = sender.send(task.await);
        });
        receiver.await.ok()
    }

    /// Returns the first tag from `floor` on whose low bits are this wave's number, so that no
    /// other wave being prepared gets it.
    pub(super) fn distinct_tag(&self, floor: Tag) -> Tag {
        let number = self.next_wave.fetch_add(1, Ordering::Relaxed) % CONCURRENT_WAVES;
        let ahead = number.wrapping_sub(floor.to_bits()) % CONCURRENT_WAVES;
        Tag::from_bits(floor.to_bits().saturating_add(ahead))
    }

    /// Returns how far the tag of a wave, or of a set of changes, lies ahead of the clock, and logs
    /// it if that is far.
    pub(super) fn note_ahead(&self, tag: Tag) -> Duration {
        self.ahead.note(tag, self.now(), &self.id)
    }

    /// Returns a request number that has not been used.
    pub(super) fn next_request(&self) -> u64 {
        self.next_request.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns after how long a request without an answer is sent again; `None` over a transport
    /// that loses nothing.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, PendingRequests> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watches(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock_offsets(&self) -> MutexGuard<'_, ClockOffsets> {
        self.clock_offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the tag up to which a neuron has to know everything before it answers a question, so
    /// that the caller reads its own writes.
    pub(super) fn written_before(&self, neuron: &NeuronId) -> Tag {
        self.written().after(neuron)
    }

    /// Notes that a neuron takes part in a wave or a change with this tag.
    pub(super) fn note_written(&self, neuron: &NeuronId, tag: Tag) {
        let mut written = self.written();
        if !written.covers(tag) {
            written.note(neuron, tag, self.now());
        }
    }

    /// Sends a request again whose neuron found it to be too late, with a deadline by its clock.
    /// Returns `false` if the request cannot be sent again.
    fn postpone(&self, neuron: &NeuronId, request: u64, theirs: Time) -> bool {
        let mut clocks = self.clock_offsets();
        let (now, steady) = (self.now(), self.steady());
        let postponed = self.pending().postpone(request, neuron, |deadline| {
            clocks.note(neuron, theirs, now);
            clocks.at(neuron, now.after(deadline.since(steady)), now)
        });
        drop(clocks);
        let Some(postponed) = postponed else { return false };
        self.send_in_background(neuron, postponed, TIMEOUT);
        true
    }

    fn receive(&self, from: &NeuronId, report: Report) {
        match report {
            Report::Reply { request, result: Err(Refusal::TooLate { now }) } if self.postpone(from, request, now) => {}
            Report::Reply { request, result } => {
                if let Ok(answer @ (Answer::Watched { .. } | Answer::WatchedHost(_) | Answer::Host { .. })) = &result {
                    self.note_watched(from, request, answer);
                }
                // The caller that is woken may send its next request, and must not wait for this
                // lock.
                let answered = self.pending().take_answered(request, from, &result);
                match answered {
                    Answered::Request(pending) => {
                        if let Ok(Answer::Stamped(stamp)) = &result {
                            self.note_written(from, stamp.tag);
                        }
                        let _ = pending.reply.send(result);
                    }
                    Answered::Forged => self.reject_forged(from),
                    Answered::Nothing => {}
                }
            }
            Report::Changed { watch, position, sample } => {
                let is_forged = self.watches().is_forged(from, watch);
                if is_forged {
                    return self.reject_forged(from);
                }
                self.note_changed(from, watch, position, sample);
            }
        }
    }

    /// Counts a report that is not believed.
    #[cold]
    fn reject_forged(&self, from: &NeuronId) {
        // Each of a flood is counted, and few are logged.
        if self.counters.count_forged().is_power_of_two() {
            tracing::warn!(%from, controller = %self.id, "a report is not believed: it answers nothing that was asked");
        }
    }
}

/// Returns the error for an answer that does not belong to the request.
pub(in crate::actor) fn unexpected_answer(neuron: &NeuronId) -> ControlError {
    ControlError::UnexpectedAnswer { neuron: neuron.clone() }
}
