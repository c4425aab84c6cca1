//! Claims the neurons of a host, answers the claims of others, and ends the host if another one runs
//! the same neurons and goes on: moves the time of [`HostClaims`], and carries out what follows.
//!
//! Why: docs/decisions/0052-a-host-claims-its-neurons.md

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use tokio::sync::{Notify, oneshot, watch};

use super::{
    error::{ControlError, HostError},
    scheduler::{Halt, HostContext, Scheduler, Unfence},
};
use crate::{
    hosts::{ANSWER_TIME, Claim, ClaimOutput, HostClaims, START_PAUSE},
    id::{HostId, NeuronId},
    tag::Time,
    transport::ClaimInbox,
};

/// How long after one answer further ones are waited for, which name other neurons.
const NAMES_TIME: Duration = Duration::from_millis(20);

/// How long they are waited for in all, whatever else is claimed meanwhile.
const NAMES_LIMIT: Duration = Duration::from_millis(200);

/// The first and the longest pause before claims are listened to again.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// After how many claims the thread's other tasks run.
const YIELD_INTERVAL: usize = 64;

/// Another host that runs neurons of this one, and goes on.
#[derive(Clone, Debug)]
pub(super) struct Rival {
    /// The name of the host.
    pub(super) host: HostId,
    /// The neurons, as far as they are known; at least one.
    pub(super) neurons: Vec<NeuronId>,
}

impl From<Rival> for HostError {
    fn from(Rival { host, neurons }: Rival) -> Self {
        Self::RunsElsewhere { host, neurons }
    }
}

impl From<Rival> for ControlError {
    fn from(Rival { host, neurons }: Rival) -> Self {
        Self::GaveWay { host, neurons }
    }
}

/// Why a host has ended by itself, once it has.
#[derive(Debug)]
pub(super) struct HostEnd(watch::Sender<Option<Rival>>);

impl HostEnd {
    /// Returns the end of a host that runs.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(None)))
    }

    /// Returns the host that this one has given way to; `None` while it runs.
    pub(super) fn rival(&self) -> Option<Rival> {
        self.0.borrow().clone()
    }

    /// Waits until the host gives way to another one.
    pub(super) async fn wait(&self) -> Rival {
        let mut changes = self.0.subscribe();
        let rival = changes.wait_for(Option::is_some).await.ok().and_then(|rival| rival.clone());
        match rival {
            Some(rival) => rival,
            None => std::future::pending().await,
        }
    }

    fn set(&self, rival: Rival) {
        self.0.send_replace(Some(rival));
    }
}

/// The claims of a host, shared by its scheduler and the task that moves their time.
#[derive(Debug)]
pub(super) struct SharedClaims {
    claims: Mutex<HostClaims>,
    /// Notified when a round is due earlier than the task knows.
    woken: Notify,
    /// A task listens to claims.
    is_heard: AtomicBool,
}

impl SharedClaims {
    /// Returns the claims of a host that starts now.
    pub(super) fn new(host: HostId, now: Time) -> Self {
        let id = RandomState::new().hash_one(&host);
        Self {
            claims: Mutex::new(HostClaims::new(host, id, now)),
            woken: Notify::new(),
            is_heard: AtomicBool::new(false),
        }
    }

    /// Reads or changes the claims, and wakes the task if a round is due earlier.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut HostClaims) -> T) -> T {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let before = claims.wake_at();
        let result = act(&mut claims);
        let is_earlier = claims.wake_at().is_some_and(|after| before.is_none_or(|before| after < before));
        drop(claims);
        if is_earlier {
            self.woken.notify_one();
        }
        result
    }
}

/// Claims the neurons of a host, and waits until no other host is left that might answer. From then
/// on a task answers the claims of others, and claims again when that is due.
///
/// # Errors
/// When another host runs one of the neurons, or claims cannot be heard.
pub(super) async fn claim_neurons(context: &Rc<HostContext>, scheduler: &Addr<Scheduler>) -> Result<(), HostError> {
    if context.running.len() == 0 {
        return Ok(());
    }
    context.transport.attach_to_current_thread();
    let inbox = subscribe(context).await?;
    context.claims.with(|claims| claims.begin(context.clock.steady()));
    let (decide, decided) = oneshot::channel();
    actix::spawn(run_claims(inbox, context.clone(), scheduler.clone(), decide));
    match decided.await {
        Ok(()) => Ok(()),
        Err(_) => Err(context.end.wait().await.into()),
    }
}

/// Claims a neuron that is about to join a host that runs.
///
/// # Errors
/// When another host runs it, or claims cannot be heard.
pub(super) async fn claim_joining(
    neuron: &NeuronId,
    context: &Rc<HostContext>,
    scheduler: &Addr<Scheduler>,
) -> Result<(), HostError> {
    if !context.claims.is_heard.load(Ordering::Relaxed) {
        // The host has been started without neurons.
        let inbox = subscribe(context).await?;
        context.claims.with(|claims| claims.establish(context.clock.steady()));
        actix::spawn(run_claims(inbox, context.clone(), scheduler.clone(), oneshot::channel().0));
    }
    let begin = context.clock.steady();
    let id = RandomState::new().hash_one(neuron);
    let claim = context.claims.with(|claims| claims.claim_joining(neuron, id, begin));
    let mut runs_on = None;
    while runs_on.is_none()
        && context.clock.steady().since(begin) < ANSWER_TIME
        && context.transport.send_claim(claim.clone()).await.is_ok()
    {
        tokio::time::sleep(START_PAUSE).await;
        runs_on = context.claims.with(|claims| claims.joining_runs_on().cloned());
    }
    context.claims.with(HostClaims::end_joining);
    match runs_on {
        Some(host) => Err(Rival { host, neurons: vec![neuron.clone()] }.into()),
        None => Ok(()),
    }
}

async fn subscribe(context: &HostContext) -> Result<ClaimInbox, HostError> {
    let inbox = context.transport.subscribe_claims().await;
    let inbox = inbox.map_err(|source| HostError::Subscribe { address: "claims of other hosts".to_owned(), source })?;
    context.claims.is_heard.store(true, Ordering::Relaxed);
    Ok(inbox)
}

/// Exchanges claims until the host gives way. `decide` completes once the host may run its neurons.
async fn run_claims(
    mut inbox: ClaimInbox,
    context: Rc<HostContext>,
    scheduler: Addr<Scheduler>,
    decide: oneshot::Sender<()>,
) {
    let mut decide = Some(decide);
    for count in 1_usize.. {
        send_round(&context).await;
        if context.claims.with(|claims| claims.is_established())
            && let Some(decide) = decide.take()
        {
            // The start may have been given up.
            let _ = decide.send(());
        }
        let due = context.claims.with(|claims| claims.wake_at());
        let wait = due.map_or(Duration::MAX, |due| due.since(context.clock.steady()));
        let sleep = pin!(tokio::time::sleep(wait));
        let woken = pin!(context.claims.woken.notified());
        match select(inbox.next(), select(sleep, woken)).await {
            Either::Left((Some(claim), _)) => {
                if let Some(rival) = on_claim(&claim, &mut inbox, &context, &scheduler).await {
                    tracing::error!(host = %rival.host, neurons = ?rival.neurons, "another host runs these neurons; this one ends");
                    return context.end.set(rival);
                }
            }
            Either::Left((None, _)) => {
                inbox = reopen(&context).await;
                context.claims.with(|claims| claims.begin_anew(context.clock.steady()));
            }
            Either::Right(_) => {}
        }
        if count.is_multiple_of(YIELD_INTERVAL) {
            tokio::task::yield_now().await;
        }
    }
}

/// Sends the claims that are due.
async fn send_round(context: &HostContext) {
    let now = context.clock.steady();
    if context.claims.with(|claims| claims.wake_at()).is_none_or(|due| due > now) {
        return;
    }
    let neurons = context.running.names();
    for claim in context.claims.with(|claims| claims.next_round(&neurons, now)) {
        if context.transport.send_claim(claim).await.is_err() {
            // No other host can be reached. If that is for lack of a connection, the inbox ends
            // when there is one.
            return context.claims.with(|claims| claims.establish(now));
        }
    }
}

/// Takes in a claim. Returns the host that this one gives way to, if it does.
async fn on_claim(
    claim: &Claim,
    inbox: &mut ClaimInbox,
    context: &HostContext,
    scheduler: &Addr<Scheduler>,
) -> Option<Rival> {
    let runs = |claim: &Claim| context.running.contains(&claim.neuron);
    if !runs(claim) {
        context.claims.with(|claims| claims.receive_for_joining(claim));
        return None;
    }
    let now = context.clock.steady();
    let (has_run, was_contested) =
        context.claims.with(|claims| (claims.is_established(), claims.prevails_over_rival(now)));
    match context.claims.with(|claims| claims.receive(claim, now)) {
        ClaimOutput::Nothing => None,
        ClaimOutput::Answer(answer) => {
            // One that is lost is made up for by the next round.
            let _ = context.transport.send_claim(answer).await;
            // What is fenced from now on goes on at once.
            let is_contested = context.claims.with(|claims| claims.prevails_over_rival(now));
            if is_contested && !was_contested && context.counters.read().fenced > 0 {
                scheduler.do_send(Unfence);
            }
            None
        }
        ClaimOutput::GiveWay => {
            // It says nothing any more, before anything else and before its end can be seen.
            let _ = scheduler.send(Halt).await;
            let deadline = tokio::time::Instant::now() + NAMES_LIMIT;
            let mut neurons = BTreeSet::new();
            let mut last = Some(claim.clone());
            while let Some(claim) = last {
                // Each farewell is answered: one for each neuron.
                if neurons.insert(claim.neuron.clone()) && has_run {
                    let farewell = context.claims.with(|claims| claims.farewell(&claim));
                    let _ = context.transport.send_claim(farewell).await;
                }
                let naming = tokio::time::timeout_at(deadline, next_of(claim.id, inbox, &runs));
                last = naming.await.ok().flatten();
            }
            Some(Rival { host: claim.host.clone(), neurons: neurons.into_iter().collect() })
        }
    }
}

/// Returns the next claim of a host to a neuron of this one; `None` if none comes for a moment.
async fn next_of(id: u64, inbox: &mut ClaimInbox, runs: &impl Fn(&Claim) -> bool) -> Option<Claim> {
    loop {
        let claim = tokio::time::timeout(NAMES_TIME, inbox.next()).await.ok().flatten()?;
        if claim.id == id && runs(&claim) {
            return Some(claim);
        }
    }
}

/// Listens to claims again, as soon as that is possible.
async fn reopen(context: &HostContext) -> ClaimInbox {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        match context.transport.subscribe_claims().await {
            Ok(inbox) => return inbox,
            Err(error) => tracing::warn!(%error, "this host does not hear yet which neurons others claim"),
        }
    }
}
