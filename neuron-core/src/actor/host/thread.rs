//! What happens on the host's thread: a scheduler is put together there, and changed later.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use actix::{Actor as _, Addr};
use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use crate::actor::{
    HostError,
    controller::Topology,
    scheduler::{FencingCheck, HostContext, NewCell, ReadinessBarrier, Scheduler, Spawn, Startup, Stop},
};
use crate::{
    id::{ControllerId, NeuronId},
    network::Blueprint,
    neuron::{Config, Neuron, Saved},
    store::Store,
    tag::Tag,
    transport::{Address, Inbox},
};

/// What the thread begins with.
pub(in crate::actor) struct ThreadSpec {
    pub(in crate::actor) controller: ControllerId,
    /// The neurons to run,
    pub(in crate::actor) neurons: Vec<NeuronId>,
    /// of this network.
    pub(in crate::actor) network: Blueprint,
    /// What is connected to what, as far as that says.
    pub(in crate::actor) topology: Topology,
    pub(in crate::actor) started: oneshot::Sender<Result<ThreadReady, HostError>>,
    pub(in crate::actor) commands: mpsc::UnboundedReceiver<ThreadCommand>,
    /// Ends it when the sender is dropped.
    pub(in crate::actor) stop: oneshot::Receiver<()>,
}

/// What the thread tells when all neurons are ready.
pub(in crate::actor) struct ThreadReady {
    pub(in crate::actor) runtime: tokio::runtime::Handle,
    /// The controller's.
    pub(in crate::actor) inbox: Inbox,
    /// What is connected to what.
    pub(in crate::actor) topology: Topology,
    /// The shortest patience of any neuron.
    pub(in crate::actor) patience: Duration,
}

/// What the thread can be asked to do later.
pub(in crate::actor) enum ThreadCommand {
    /// Start another neuron, in the life after the one with this number.
    Add { neuron: NeuronId, config: Box<Config>, incarnation: u32, ready: oneshot::Sender<Result<(), HostError>> },
    /// Let a neuron go. The answer is the number of its life, if it was still there; then its inbox is closed.
    Stop { neuron: NeuronId, gone: oneshot::Sender<Option<u32>> },
}

/// Starts the scheduler, tells when all are ready, and then does the commands that come, until the end.
pub(in crate::actor) async fn run(orders: ThreadSpec, shared: HostContext) {
    let ThreadSpec { controller, neurons, network, topology, started, mut commands, mut stop } = orders;
    let shared = Rc::new(shared);
    let scheduler = Scheduler::new(shared.clone()).start();
    let startup = Box::pin(start_all(controller, neurons, (network, topology), &scheduler, &shared));
    let Either::Right((answer, _)) = select(&mut stop, startup).await else { return };
    let failed = answer.is_err();
    if started.send(answer).is_err() || failed {
        return;
    }
    loop {
        let command = match select(&mut stop, Box::pin(commands.recv())).await {
            Either::Right((Some(command), _)) => command,
            Either::Right((None, _)) | Either::Left(_) => break,
        };
        let (scheduler, shared) = (scheduler.clone(), shared.clone());
        actix::spawn(async move {
            // Whoever wanted it may have gone.
            match command {
                ThreadCommand::Add { neuron, config, incarnation, ready } => {
                    let _ = ready.send(add(neuron, *config, incarnation, &scheduler, &shared).await);
                }
                ThreadCommand::Stop { neuron, gone } => {
                    let _ = gone.send(dismiss(&neuron, &scheduler, &shared).await);
                }
            }
        });
    }
}

/// How many neurons get their bodies at a time: others on the thread have their turns in between.
const AT_A_TIME: usize = 1024;

async fn start_all(
    controller: ControllerId,
    neurons: Vec<NeuronId>,
    (network, mut topology): (Blueprint, Topology),
    scheduler: &Addr<Scheduler>,
    shared: &Rc<HostContext>,
) -> Result<ThreadReady, HostError> {
    let beginnings = beginnings(neurons, &network, shared.store.as_deref())?;
    let inbox = open(shared, Address::Controller(controller)).await?;
    // All inboxes first, so that no subscription is sent to one that is not there yet.
    let mut inboxes = Vec::with_capacity(beginnings.len());
    for (id, _) in &beginnings {
        inboxes.push(open(shared, Address::Neuron(id.clone())).await?);
    }
    // All at once: a tree that they are put into one after the other, in order, is only half full.
    *shared.register.lock() = beginnings.iter().map(|(id, _)| id.clone()).collect();
    let barrier = ReadinessBarrier::of(beginnings.len());
    let listeners = count_listeners(&beginnings, &network);
    let (mut patience, mut cells) = (network.settings().patience, Vec::new());
    for ((id, saved), inbox) in beginnings.into_iter().zip(inboxes) {
        if let Some(saved) = &saved {
            patience = patience.min(saved.config.patience);
            topology.set(&id, &saved.config);
        }
        let number = network.find(id.as_str());
        // One after the other, so that not the whole network is there twice.
        let as_configured = || Beginning::First(number.map(|number| network.config(number)).unwrap_or_default());
        let beginning = saved.map_or_else(as_configured, |saved| Beginning::Back(*saved));
        let count = number.map_or(0, |number| listeners[number as usize]);
        let mut new_cell = new_cell(id, beginning, inbox, &barrier, shared);
        new_cell.neuron.expect_subscribers(count as usize);
        cells.push(new_cell);
        if cells.len() == AT_A_TIME {
            let cells = std::mem::take(&mut cells);
            scheduler.send(Spawn { cells, more: true }).await.map_err(|_| HostError::Stopped)?;
        }
    }
    // They are about to take memory for what they say to each other.
    drop((network, listeners));
    scheduler.send(Spawn { cells, more: false }).await.map_err(|_| HostError::Stopped)?;
    barrier.wait_ready().await?;
    Ok(ThreadReady { runtime: tokio::runtime::Handle::current(), inbox, topology, patience })
}

/// Starts a neuron that nobody listens to yet. What it says holds from now on.
async fn add(
    id: NeuronId,
    config: Config,
    incarnation: u32,
    scheduler: &Addr<Scheduler>,
    shared: &Rc<HostContext>,
) -> Result<(), HostError> {
    let inbox = open(shared, Address::Neuron(id.clone())).await?;
    let barrier = ReadinessBarrier::of(1);
    let (subscribers, sources) = (BTreeMap::new(), BTreeMap::new());
    let saved = Saved { config, incarnation, ceiling: Tag::ORIGIN, subscribers, sources };
    shared.register.lock().insert(id.clone());
    let new_cell = new_cell(id.clone(), Beginning::Back(saved), inbox, &barrier, shared);
    scheduler.send(Spawn { cells: vec![new_cell], more: false }).await.map_err(|_| HostError::Stopped)?;
    let ready = barrier.wait_ready().await;
    if ready.is_err() {
        dismiss(&id, scheduler, shared).await;
    }
    ready
}

/// Ends a neuron's body, and with it its inbox. Tells which life it was, if it was there.
async fn dismiss(id: &NeuronId, scheduler: &Addr<Scheduler>, shared: &HostContext) -> Option<u32> {
    shared.register.lock().remove(id);
    scheduler.send(Stop(id.clone())).await.ok().flatten()
}

/// What a neuron starts from.
enum Beginning {
    First(Config),
    Back(Saved),
}

/// Neurons, each with what was saved of it.
type Beginnings = Vec<(NeuronId, Option<Box<Saved>>)>;

/// What each neuron starts from: what was saved for it; if there is nothing, the network. Neurons that are in the store alone were
/// added while the network ran; they are run as well.
fn beginnings(neurons: Vec<NeuronId>, network: &Blueprint, store: Option<&dyn Store>) -> Result<Beginnings, HostError> {
    let Some(store) = store else {
        return Ok(neurons.into_iter().map(|id| (id, None)).collect());
    };
    let load = |id: &NeuronId| store.load(id).map_err(|source| HostError::Load { neuron: id.clone(), source });
    let mut beginnings = Vec::new();
    for id in neurons {
        let saved = load(&id)?.map(Box::new);
        beginnings.push((id, saved));
    }
    for id in store.names().map_err(HostError::Store)? {
        if network.find(id.as_str()).is_none()
            && let Some(saved) = load(&id)?
        {
            tracing::info!(neuron = %id, "is not in the network, but in the store; it is run as well");
            beginnings.push((id, Some(Box::new(saved))));
        }
    }
    Ok(beginnings)
}

/// How many of them listen to each neuron of the network, as far as that says.
fn count_listeners(beginnings: &Beginnings, network: &Blueprint) -> Vec<u32> {
    let mut listeners = vec![0; network.len()];
    let numbers = beginnings.iter().filter_map(|(id, _)| network.find(id.as_str()));
    for input in numbers.flat_map(|number| network.inputs(number)) {
        listeners[input.source as usize] += 1;
    }
    listeners
}

fn new_cell(
    id: NeuronId,
    beginning: Beginning,
    inbox: Inbox,
    barrier: &Arc<ReadinessBarrier>,
    shared: &HostContext,
) -> NewCell {
    let (carrier, now) = (shared.transport.guarantees(), shared.clock.now());
    // Another one each time: the keys of two states differ.
    let nonce = RandomState::new().hash_one(&id) as u32;
    let (mut neuron, fencing) = match beginning {
        Beginning::First(config) => (Neuron::start(id, config, carrier, nonce, now), None),
        Beginning::Back(saved) => {
            let heard = saved.sources.iter().filter(|(_, life)| life.number > 0).map(|(source, _)| source);
            let fencing = saved.subscribers.keys().chain(heard).filter(|other| **other != id).cloned().collect();
            let fencing = FencingCheck::new(fencing, saved.config.patience);
            (Neuron::resume(id, saved, carrier, nonce, now), fencing)
        }
    };
    if shared.record.is_some() {
        neuron.keep_record();
    }
    let startup = Startup { barrier: barrier.clone(), fencing };
    NewCell { neuron, inbox, startup }
}

async fn open(shared: &HostContext, address: Address) -> Result<Inbox, HostError> {
    shared.transport.subscribe(&address).await.map_err(|source| {
        let address = match &address {
            Address::Neuron(id) => id.to_string(),
            Address::Controller(id) => id.to_string(),
        };
        HostError::Subscribe { address, source }
    })
}

/// The thread that the neurons run on. It ends when this is dropped.
#[derive(Debug)]
pub(in crate::actor) struct Thread {
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    pub(in crate::actor) fn new(
        stop: oneshot::Sender<()>,
        stopped: oneshot::Receiver<()>,
        handle: JoinHandle<()>,
    ) -> Self {
        Self { stop: Some(stop), stopped: Some(stopped), handle: Some(handle) }
    }

    pub(in crate::actor) async fn stop(&mut self) {
        self.stop.take();
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}
