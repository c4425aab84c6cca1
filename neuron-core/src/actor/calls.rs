//! Requests and their answers: who waits for what, and for how long.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::{runtime::Handle, sync::oneshot};

use super::{ControlError, clock::Clock, watch::Watched, wiring::Wiring};
use crate::{
    Network,
    command::{Answer, Command, Refusal, Report, Request, Sample, Stamp},
    id::{ControllerId, NeuronId},
    tag::{Tag, Time},
    transport::{Envelope, Inbox, Transport},
};

/// How long a call waits for an answer. Neurons answer at once, but for what must wait for others: a level at a tag, and
/// a connection, which wait at most for the slowest path.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How many waves may be prepared at the same time before two can get the same tag; one of them then moves.
///
/// A sixteenth of the tags of a microsecond, so that waves do not run ahead of the clock.
const CONCURRENT_WAVES: u64 = 256;

#[derive(Debug)]
pub(super) struct Inner {
    weak: Weak<Self>,
    id: ControllerId,
    transport: Arc<dyn Transport>,
    pub(super) clock: Clock,
    pub(super) coincidence: Duration,
    /// The runtime of the host's thread, for what must go on while the caller does something else.
    pub(super) runtime: Handle,
    requests: AtomicU64,
    waves: AtomicU64,
    wiring: Mutex<Wiring>,
    /// Held while a connection is made or ended: what may be connected depends on what is.
    pub(super) rewiring: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting>,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    closed: bool,
    replies: HashMap<u64, Waiter>,
    /// Somebody looks after answers that are overdue; nobody does while none is waited for.
    swept: bool,
    pub(super) watches: HashMap<u64, Watched>,
}

/// Who waits for one answer.
#[derive(Debug)]
struct Waiter {
    until: Time,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
}

/// How often overdue answers are looked for, while any is waited for.
const SWEEP: Duration = Duration::from_millis(500);

async fn sweep(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if !inner.upgrade().is_some_and(|inner| inner.give_up()) {
            break;
        }
    }
}

impl Inner {
    /// Begins to listen for reports, on the host's runtime.
    pub(super) fn start(
        id: ControllerId,
        network: &Network,
        transport: Arc<dyn Transport>,
        clock: Clock,
        runtime: Handle,
        inbox: Inbox,
    ) -> Arc<Self> {
        // Controllers that present at the same time begin at different places.
        let first_wave = id.as_str().bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let inner = Arc::new_cyclic(|weak| Self {
            weak: weak.clone(),
            id,
            transport,
            clock,
            coincidence: network.settings().coincidence,
            runtime: runtime.clone(),
            requests: AtomicU64::new(1),
            waves: AtomicU64::new(first_wave),
            wiring: Mutex::new(Wiring::of(network)),
            rewiring: tokio::sync::Mutex::default(),
            waiting: Mutex::new(Waiting::default()),
        });
        let weak = Arc::downgrade(&inner);
        runtime.spawn(async move {
            let mut inbox = inbox;
            while let Some(envelope) = inbox.next().await {
                let Some(inner) = weak.upgrade() else { break };
                if let Envelope::Report { report, .. } = envelope {
                    inner.reported(*report);
                }
            }
            if let Some(inner) = weak.upgrade() {
                inner.close();
            }
        });
        inner
    }

    pub(super) fn wiring(&self) -> MutexGuard<'_, Wiring> {
        self.wiring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody answers any more: whoever waits is told, and so is whoever comes later.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.replies.clear();
        waiting.watches.clear();
    }

    fn reported(&self, report: Report) {
        let mut waiting = self.waiting();
        match report {
            Report::Reply { request, result } => {
                if let Some(waiter) = waiting.replies.remove(&request) {
                    let _ = waiter.reply.send(result);
                }
            }
            Report::Changed { watch, number, sample } => {
                if let Some(watched) = waiting.watches.get_mut(&watch) {
                    watched.changed(number, sample);
                }
            }
        }
    }

    /// The first tag from `floor` on that no other wave has that is being prepared now: waves are numbered, and the low
    /// bits of a wave's tag are those of its number.
    pub(super) fn unshared(&self, floor: Tag) -> Tag {
        let number = self.waves.fetch_add(1, Ordering::Relaxed) % CONCURRENT_WAVES;
        let ahead = number.wrapping_sub(floor.to_bits()) % CONCURRENT_WAVES;
        Tag::from_bits(floor.to_bits().saturating_add(ahead))
    }

    pub(super) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) async fn ask(
        &self,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> Result<Answer, ControlError> {
        self.ask_as(self.next_request(), neuron, command, timeout).await
    }

    pub(super) async fn ask_numbered(
        &self,
        neuron: &NeuronId,
        command: Command,
    ) -> (u64, Result<Answer, ControlError>) {
        let id = self.next_request();
        (id, self.ask_as(id, neuron, command, TIMEOUT).await)
    }

    pub(super) async fn ask_as(
        &self,
        id: u64,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> Result<Answer, ControlError> {
        let (reply, answer) = oneshot::channel();
        let until = self.clock.now().after(timeout);
        {
            let mut waiting = self.waiting();
            if waiting.closed {
                return Err(ControlError::Stopped);
            }
            waiting.replies.insert(id, Waiter { until, reply });
            if !waiting.swept {
                waiting.swept = true;
                self.runtime.spawn(sweep(self.weak.clone()));
            }
        }
        let request = Box::new(Request { id, command });
        let envelope = Envelope::Request { from: self.id.clone(), to: neuron.clone(), request };
        if let Err(source) = self.transport.send(envelope).await {
            self.waiting().replies.remove(&id);
            return Err(ControlError::Send { neuron: neuron.clone(), source });
        }
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refusal)) => Err(ControlError::Refused { neuron: neuron.clone(), source: refusal }),
            Err(_) if self.waiting().closed => Err(ControlError::Stopped),
            Err(_) => Err(ControlError::NoAnswer { neuron: neuron.clone(), after: timeout }),
        }
    }

    /// Gives up on answers that are overdue. Tells whether there are others to wait for.
    fn give_up(&self) -> bool {
        let now = self.clock.now();
        let mut waiting = self.waiting();
        waiting.replies.retain(|_, waiter| waiter.until > now);
        waiting.swept = !waiting.replies.is_empty();
        waiting.swept
    }

    pub(super) async fn stamped(&self, neuron: &NeuronId, command: Command) -> Result<Stamp, ControlError> {
        match self.ask(neuron, command, TIMEOUT).await? {
            Answer::Stamped(stamp) => Ok(stamp),
            Answer::Done => Ok(Stamp { tag: Tag::at(self.clock.now()), moved: false }),
            _ => Err(unexpected(neuron)),
        }
    }

    pub(super) async fn sample(
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
pub(super) fn unexpected(neuron: &NeuronId) -> ControlError {
    ControlError::NoAnswer { neuron: neuron.clone(), after: Duration::ZERO }
}
