//! Requests and their answers: who waits for what, and for how long.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Either, select},
};
use tokio::{runtime::Handle, sync::oneshot};

use super::{topology::Topology, watch::WatchSender};
use crate::actor::{ControlError, clock::Clock};
use crate::{
    command::{Answer, Command, Refusal, Report, Request, Sample, Stamp},
    id::{ControllerId, NeuronId},
    tag::{Tag, Time},
    transport::{Envelope, Inbox, Transport, TransportErrorKind},
};

/// How long a call waits for an answer. Neurons answer at once, but for what must wait for others: a level at a tag, and
/// a connection, which wait at most for the slowest path.
pub(in crate::actor) const TIMEOUT: Duration = Duration::from_secs(10);

/// How many waves may be prepared at the same time before two can get the same tag; one of them then moves.
///
/// A sixteenth of the tags of a microsecond, so that waves do not run ahead of the clock.
const CONCURRENT_WAVES: u64 = 256;

/// What a controller begins with.
pub(in crate::actor) struct Outset {
    pub(in crate::actor) id: ControllerId,
    pub(in crate::actor) transport: Arc<dyn Transport>,
    pub(in crate::actor) clock: Clock,
    pub(in crate::actor) coincidence: Duration,
    pub(in crate::actor) patience: Duration,
    pub(in crate::actor) topology: Topology,
}

#[derive(Debug)]
pub(in crate::actor) struct RequestClient {
    weak: Weak<Self>,
    id: ControllerId,
    transport: Arc<dyn Transport>,
    pub(in crate::actor) clock: Clock,
    pub(in crate::actor) coincidence: Duration,
    /// The shortest of any neuron here.
    pub(in crate::actor) patience: Duration,
    /// After how long a request is sent again that has no answer; never over a carrier that loses nothing.
    again: Option<Duration>,
    /// The runtime of the host's thread, for what must go on while the caller does something else.
    pub(in crate::actor) runtime: Handle,
    requests: AtomicU64,
    waves: AtomicU64,
    topology: Mutex<Topology>,
    /// Held while a connection is made or ended: what may be connected depends on what is.
    pub(in crate::actor) topology_lock: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting>,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(in crate::actor) struct Waiting {
    closed: bool,
    replies: HashMap<u64, PendingRequest>,
    /// Somebody looks after answers that are overdue; nobody does while none is waited for.
    swept: bool,
    pub(in crate::actor) watches: HashMap<u64, WatchSender>,
}

/// Who waits for one answer.
#[derive(Debug)]
struct PendingRequest {
    neuron: NeuronId,
    until: Time,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
    again: Option<Box<RetryTimer>>,
}

/// A request that is sent again, with the same number, until it is answered.
#[derive(Debug)]
struct RetryTimer {
    request: Request,
    due: Time,
    pause: Duration,
    longest: Duration,
}

/// How often overdue answers are looked for at least, while any is waited for.
const SWEEP: Duration = Duration::from_millis(500);

/// A request is sent again with ever longer pauses, of at most this part of the time for its answer: so a call asks a dozen
/// times before it gives up, unless the carrier is too slow for that. For most calls that is a pause of a second.
const PAUSES: u32 = 10;

async fn expire_requests(client: Weak<RequestClient>) {
    while let Some(pause) = client.upgrade().and_then(|client| client.look_after_answers()) {
        tokio::time::sleep(pause).await;
    }
}

impl RequestClient {
    /// Begins to listen for reports, on the host's runtime.
    pub(in crate::actor) fn start(outset: Outset, runtime: Handle, inbox: Inbox) -> Arc<Self> {
        let Outset { id, transport, clock, coincidence, patience, topology } = outset;
        let carrier = transport.guarantees();
        // Controllers that present at the same time begin at different places.
        let first_wave = id.as_str().bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let client = Arc::new_cyclic(|weak| Self {
            weak: weak.clone(),
            id,
            transport,
            clock,
            coincidence,
            patience,
            again: carrier.may_lose().then(|| (carrier.pace.retry * 2).max(Duration::from_millis(1))),
            runtime: runtime.clone(),
            // A controller of the same name may have asked before, in another process.
            requests: AtomicU64::new(clock.now().as_micros().max(1)),
            waves: AtomicU64::new(first_wave),
            topology: Mutex::new(topology),
            topology_lock: tokio::sync::Mutex::default(),
            waiting: Mutex::new(Waiting::default()),
        });
        let weak = Arc::downgrade(&client);
        runtime.spawn(async move {
            let mut inbox = inbox;
            while let Some(envelope) = inbox.next().await {
                let Some(client) = weak.upgrade() else { break };
                if let Envelope::Report { report, .. } = envelope {
                    client.reported(*report);
                }
            }
            if let Some(client) = weak.upgrade() {
                client.close();
            }
        });
        client
    }

    pub(in crate::actor) fn topology(&self) -> MutexGuard<'_, Topology> {
        self.topology.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::actor) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody answers any more: whoever waits is told, and so is whoever comes later.
    pub(in crate::actor) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.replies.clear();
        waiting.watches.clear();
    }

    /// A neuron has left: whoever watches it, or waits for an answer of it, does so no longer.
    pub(in crate::actor) fn forget(&self, neuron: &NeuronId) {
        let mut waiting = self.waiting();
        waiting.replies.retain(|_, pending| pending.neuron != *neuron);
        waiting.watches.retain(|_, watched| watched.neuron != *neuron);
    }

    fn reported(&self, report: Report) {
        match report {
            Report::Reply { request, result } => {
                // Whoever is woken asks again, and must not wait for this lock.
                let pending = self.waiting().replies.remove(&request);
                if let Some(pending) = pending {
                    let _ = pending.reply.send(result);
                }
            }
            Report::Changed { watch, number, sample } => {
                if let Some(watched) = self.waiting().watches.get_mut(&watch) {
                    watched.changed(number, sample);
                }
            }
        }
    }

    /// Runs something on the host's runtime, so that it comes to its end even if nobody waits for it any more. Nothing if the
    /// host stops before.
    pub(in crate::actor) async fn run_to_completion<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (done, is_done) = oneshot::channel();
        self.runtime.spawn(async move {
            let _ = done.send(task.await);
        });
        is_done.await.ok()
    }

    /// The first tag from `floor` on that no other wave has that is being prepared now: waves are numbered, and the low
    /// bits of a wave's tag are those of its number.
    pub(in crate::actor) fn distinct_tag(&self, floor: Tag) -> Tag {
        let number = self.waves.fetch_add(1, Ordering::Relaxed) % CONCURRENT_WAVES;
        let ahead = number.wrapping_sub(floor.to_bits()) % CONCURRENT_WAVES;
        Tag::from_bits(floor.to_bits().saturating_add(ahead))
    }

    pub(in crate::actor) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    pub(in crate::actor) async fn ask(
        &self,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> Result<Answer, ControlError> {
        self.request_as(self.next_request(), neuron, command, timeout).await
    }

    pub(in crate::actor) async fn ask_numbered(
        &self,
        neuron: &NeuronId,
        command: Command,
    ) -> (u64, Result<Answer, ControlError>) {
        let id = self.next_request();
        (id, self.request_as(id, neuron, command, TIMEOUT).await)
    }

    pub(in crate::actor) async fn request_as(
        &self,
        id: u64,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> Result<Answer, ControlError> {
        let request = Request { id, command };
        let (reply, answer) = oneshot::channel();
        self.await_reply(neuron, &request, reply, timeout)?;
        let envelope = Envelope::Request { from: self.id.clone(), to: neuron.clone(), request: Box::new(request) };
        // If there is no room for it, the time for the answer runs nevertheless.
        let mut unreachable = None;
        let answer = match select(self.transport.send(envelope), answer).await {
            Either::Left((Ok(()), answer)) => answer.await,
            // It is sent again, and may come through then.
            Either::Left((Err(source), answer))
                if source.kind() == TransportErrorKind::Unreachable && self.again.is_some() =>
            {
                unreachable = Some(source);
                answer.await
            }
            Either::Left((Err(source), _)) => {
                self.waiting().replies.remove(&id);
                return Err(ControlError::Send { neuron: neuron.clone(), source });
            }
            Either::Right((answer, _)) => answer,
        };
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refusal)) => Err(ControlError::Refused { neuron: neuron.clone(), refusal }),
            Err(_) if self.waiting().closed => Err(ControlError::Stopped),
            Err(_) => {
                // Unless it has left meanwhile.
                self.topology().neuron(neuron.as_str())?;
                if let Some(source) = unreachable {
                    return Err(ControlError::Send { neuron: neuron.clone(), source });
                }
                Err(ControlError::NoAnswer { neuron: neuron.clone(), after: timeout })
            }
        }
    }

    fn await_reply(
        &self,
        neuron: &NeuronId,
        request: &Request,
        reply: oneshot::Sender<Result<Answer, Refusal>>,
        timeout: Duration,
    ) -> Result<(), ControlError> {
        let now = self.clock.now();
        let again = self.again.map(|pause| {
            // The level at a tag of the future is not overdue before.
            let begin = if let Command::OutputAt { tag } = request.command { now.max(tag.time()) } else { now };
            let longest = (timeout.min(TIMEOUT) / PAUSES).max(pause);
            Box::new(RetryTimer { request: request.clone(), due: begin.after(pause), pause, longest })
        });
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(ControlError::Stopped);
        }
        let pending = PendingRequest { neuron: neuron.clone(), until: now.after(timeout), reply, again };
        waiting.replies.insert(request.id, pending);
        if !waiting.swept {
            waiting.swept = true;
            self.runtime.spawn(expire_requests(self.weak.clone()));
        }
        Ok(())
    }

    /// Gives up on answers that are overdue, and asks again for those that may have been lost. Tells when to do so again;
    /// nothing if no answer is waited for.
    fn look_after_answers(&self) -> Option<Duration> {
        let now = self.clock.now();
        let mut repeated = Vec::new();
        let mut next = now.after(self.again.unwrap_or(SWEEP).min(SWEEP));
        let mut waiting = self.waiting();
        waiting.replies.retain(|_, pending| pending.until > now && !pending.reply.is_closed());
        for pending in waiting.replies.values_mut() {
            next = next.min(pending.until);
            let Some(again) = &mut pending.again else { continue };
            if again.due <= now {
                let request = Box::new(again.request.clone());
                let pause = again.pause;
                let envelope = Envelope::Request { from: self.id.clone(), to: pending.neuron.clone(), request };
                repeated.push((envelope, pause));
                again.pause = (pause * 2).min(again.longest);
                again.due = now.after(again.pause);
            }
            next = next.min(again.due);
        }
        waiting.swept = !waiting.replies.is_empty();
        let goes_on = waiting.swept;
        drop(waiting);
        for (envelope, pause) in repeated {
            let mut sending = self.transport.send(envelope);
            if (&mut sending).now_or_never().is_none() {
                // It is of no use any more once it is sent again.
                self.runtime.spawn(tokio::time::timeout(pause, sending));
            }
        }
        goes_on.then(|| next.since(now))
    }

    pub(in crate::actor) async fn stamped(&self, neuron: &NeuronId, command: Command) -> Result<Stamp, ControlError> {
        match self.ask(neuron, command, TIMEOUT).await? {
            Answer::Stamped(stamp) => Ok(stamp),
            Answer::Done => Ok(Stamp { tag: Tag::at(self.clock.now()), moved: false }),
            _ => Err(unexpected(neuron)),
        }
    }

    pub(in crate::actor) async fn sample(
        &self,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> Result<Sample, ControlError> {
        match self.ask(neuron, command, timeout).await? {
            Answer::Output(sample) => Ok(sample),
            _ => Err(unexpected(neuron)),
        }
    }
}

/// An answer of the wrong kind: the peer speaks another protocol than ours.
pub(in crate::actor) fn unexpected(neuron: &NeuronId) -> ControlError {
    ControlError::NoAnswer { neuron: neuron.clone(), after: Duration::ZERO }
}
