//! Starts and stops neurons on the host's thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::Addr;
use futures_util::future::select;

use super::{
    follow_clock::follow_clock,
    start_clock::{Found, StartClock},
};
use crate::{
    actor::{
        ceiling::HostCeiling,
        claims::{claim_joining, claim_neurons},
        controller::{ClientSpec, Topology},
        error::HostError,
        links::run_links,
        scheduler::{ClockStepped, HostContext, NewCell, ReadinessBarrier, Scheduler, Spawn, Startup, Stop},
    },
    id::{ControllerId, NeuronId},
    network::FlatNetwork,
    neuron::{Config, Neuron, Saved},
    store::Store,
    tag::Tag,
    transport::{Address, Inbox},
};

/// How many neurons are given to the scheduler at a time; others on the thread run in between.
const BATCH: usize = 1024;

/// The neurons that a host starts with, and its controller.
pub(super) struct Population {
    /// The name of the controller.
    pub(super) controller: ControllerId,
    /// The neurons of `network` that are to be run.
    pub(super) neurons: Vec<NeuronId>,
    pub(super) network: FlatNetwork,
    /// The topology of `network`.
    pub(super) topology: Topology,
    pub(super) start_clock: StartClock,
}

fn lock(topology: &Mutex<Topology>) -> MutexGuard<'_, Topology> {
    topology.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets those neurons listen again that did so before.
fn admit_known(neuron: &NeuronId, saved: &Saved, context: &HostContext) {
    for listener in saved.subscribers.keys() {
        if let Err(refusal) = context.listeners.admit(neuron, listener) {
            tracing::warn!(%neuron, %listener, %refusal, "a neuron that has listened before may not do so again");
        }
    }
}

/// Neurons, each with what was saved of it; `None` means that it starts from the network.
type Restored = Vec<(NeuronId, Option<Box<Saved>>)>;

/// Starts all neurons, waits until they are ready, and returns what the controller needs.
///
/// # Errors
/// When the store or an inbox cannot be opened, or a neuron cannot become ready.
pub(super) async fn start_all(
    Population { controller, neurons, network, topology, start_clock }: Population,
    scheduler: &Addr<Scheduler>,
    context: &Rc<HostContext>,
) -> Result<ClientSpec, HostError> {
    let restored = restore(neurons, &network, start_clock, context).await?;
    // The clock may have been set meanwhile.
    scheduler.do_send(ClockStepped);
    actix::spawn(follow_clock(context.clone(), scheduler.clone()));
    let topology = Arc::new(Mutex::new(topology));
    context.listeners.set_network({
        let topology = topology.clone();
        move |source, listener| lock(&topology).is_connected(source, listener)
    });
    context.running.set(restored.iter().map(|(id, _)| id.clone()));
    // Before an inbox is opened: at some brokers that takes it from a process that has it.
    claim_neurons(context, scheduler).await?;
    let inbox = subscribe(context, Address::Controller(controller.clone())).await?;
    let host = context.links.with(|links| links.host().clone());
    let host_inbox = subscribe(context, Address::Host(host)).await?;
    // All inboxes first, so that no subscription is sent to one that is not there yet.
    let mut inboxes = Vec::with_capacity(restored.len());
    for (id, _) in &restored {
        inboxes.push(subscribe(context, Address::Neuron(id.clone())).await?);
    }
    let barrier = ReadinessBarrier::new(restored.len());
    let listeners = count_listeners(&restored, &network);
    let coincidence = network.settings().coincidence;
    let mut patience = network.settings().patience;
    let mut cells = Vec::new();
    for ((id, saved), inbox) in restored.into_iter().zip(inboxes) {
        let number = network.find(id.as_str());
        let mut cell = match saved {
            Some(saved) => {
                patience = patience.min(saved.config.patience);
                lock(&topology).set(&id, &saved.config);
                admit_known(&id, &saved, context);
                resumed_cell(id, *saved, inbox, &barrier, context)
            }
            None => {
                // Made one by one, so that not the whole network is there twice.
                let config = number.map(|number| network.config(number)).unwrap_or_default();
                new_cell(id, config, inbox, &barrier, context)
            }
        };
        let listeners = number.map_or(0, |number| listeners[number as usize]);
        cell.neuron.reserve_subscribers(listeners as usize);
        cells.push(cell);
        if cells.len() == BATCH {
            spawn(scheduler, std::mem::take(&mut cells), true).await?;
        }
    }
    // The neurons are about to take memory for what they send to each other.
    drop(network);
    drop(listeners);
    spawn(scheduler, cells, false).await?;
    let links = run_links(host_inbox, context.clone(), scheduler.clone());
    let end = context.end.clone();
    actix::spawn(async move { drop(select(pin!(links), pin!(end.wait())).await) });
    barrier.wait_ready().await?;
    Ok(ClientSpec {
        id: controller,
        transport: context.transport.clone(),
        inbox,
        clock: context.clock.clone(),
        coincidence,
        patience,
        topology,
        runtime: tokio::runtime::Handle::current(),
        links: context.links.clone(),
        running: context.running.clone(),
        counters: context.counters.clone(),
        end: context.end.clone(),
    })
}

/// Starts a neuron that has no subscribers yet, and waits until it is ready. What it says holds
/// from now on. Its incarnation follows the one given.
///
/// # Errors
/// When another host runs it, its inbox cannot be opened, or it cannot become ready. Then it does not
/// run.
pub(super) async fn add(
    id: NeuronId,
    config: Config,
    incarnation: u32,
    scheduler: &Addr<Scheduler>,
    context: &Rc<HostContext>,
) -> Result<(), HostError> {
    claim_joining(&id, context, scheduler).await?;
    let inbox = subscribe(context, Address::Neuron(id.clone())).await?;
    let barrier = ReadinessBarrier::new(1);
    let subscribers = BTreeMap::new();
    let sources = BTreeMap::new();
    let changes = Vec::new();
    let saved = Saved { config, incarnation, ceiling: Tag::ORIGIN, subscribers, sources, changes };
    context.running.insert(id.clone());
    let cell = resumed_cell(id.clone(), saved, inbox, &barrier, context);
    spawn(scheduler, vec![cell], false).await?;
    let ready = barrier.wait_ready().await;
    if ready.is_err() {
        remove(&id, scheduler, context).await;
    }
    ready
}

/// Stops a neuron, closes its inbox and returns the number of its incarnation; `None` if it was not
/// there.
pub(super) async fn remove(id: &NeuronId, scheduler: &Addr<Scheduler>, context: &HostContext) -> Option<u32> {
    context.running.remove(id);
    scheduler.send(Stop(id.clone())).await.ok().flatten()
}

/// Loads what was saved of each neuron, and waits until the clock allows it to come back. Neurons
/// that are in the store alone were added while the network ran; they are returned as well.
async fn restore(
    neurons: Vec<NeuronId>,
    network: &FlatNetwork,
    start_clock: StartClock,
    context: &HostContext,
) -> Result<Restored, HostError> {
    let Some(thread) = &context.store else {
        return Ok(neurons.into_iter().map(|id| (id, None)).collect());
    };
    let store = thread.store();
    let mut found = load(neurons, network, store)?;
    found.wait_for_clock(start_clock, context, store).await?;
    let ceiling = HostCeiling::start(thread.clone(), found.ceiling, context.clock.now()).map_err(HostError::Store)?;
    context.ceiling.get_or_init(|| ceiling);
    for saved in found.neurons.iter_mut().filter_map(|(_, saved)| saved.as_mut()) {
        saved.ceiling = saved.ceiling.max(found.ceiling);
    }
    Ok(found.neurons)
}

fn load(neurons: Vec<NeuronId>, network: &FlatNetwork, store: &dyn Store) -> Result<Found, HostError> {
    let ceiling = store.ceiling().map_err(HostError::Store)?.unwrap_or_default();
    let load = |id: &NeuronId| store.load(id).map_err(|source| HostError::Load { neuron: id.clone(), source });
    let mut found = Vec::new();
    for id in neurons {
        let saved = load(&id)?.map(Box::new);
        found.push((id, saved));
    }
    for id in store.names().map_err(HostError::Store)? {
        if network.find(id.as_str()).is_none()
            && let Some(saved) = load(&id)?
        {
            tracing::info!(neuron = %id, "is not in the network, but in the store; it is run as well");
            found.push((id, Some(Box::new(saved))));
        }
    }
    Ok(Found { ceiling, neurons: found })
}

/// Returns how many of the neurons listen to each neuron of the network, by its number.
fn count_listeners(restored: &Restored, network: &FlatNetwork) -> Vec<u32> {
    let mut listeners = vec![0; network.len()];
    let numbers = restored.iter().filter_map(|(id, _)| network.find(id.as_str()));
    for input in numbers.flat_map(|number| network.inputs(number)) {
        listeners[input.source as usize] += 1;
    }
    listeners
}

/// Returns a neuron that has not run before.
fn new_cell(
    id: NeuronId,
    config: Config,
    inbox: Inbox,
    barrier: &Arc<ReadinessBarrier>,
    context: &HostContext,
) -> NewCell {
    let nonce = nonce(&id);
    let neuron = Neuron::start(id, config, context.transport.guarantees(), nonce, context.clock.now());
    let startup = Startup::new(barrier.clone(), BTreeSet::new(), Duration::ZERO);
    cell(neuron, inbox, startup, context)
}

/// Returns a neuron that goes on after what was saved of it. It waits for its peers, because one of
/// them may have heard of a later incarnation.
fn resumed_cell(
    id: NeuronId,
    saved: Saved,
    inbox: Inbox,
    barrier: &Arc<ReadinessBarrier>,
    context: &HostContext,
) -> NewCell {
    let heard = saved.sources.iter().filter(|(_, incarnation)| incarnation.number > 0).map(|(source, _)| source);
    let peers = saved.subscribers.keys().chain(heard).filter(|peer| **peer != id).cloned().collect();
    let startup = Startup::new(barrier.clone(), peers, saved.config.patience);
    let nonce = nonce(&id);
    let neuron = Neuron::resume(id, saved, context.transport.guarantees(), nonce, context.clock.now());
    cell(neuron, inbox, startup, context)
}

fn cell(mut neuron: Neuron, inbox: Inbox, startup: Startup, context: &HostContext) -> NewCell {
    if context.record.is_some() {
        neuron.keep_record();
    }
    if context.store.is_none() {
        neuron.without_store();
    }
    NewCell { neuron, inbox, startup }
}

/// Returns a random number, another one for each incarnation: the keys of two states differ.
fn nonce(id: &NeuronId) -> u32 {
    RandomState::new().hash_one(id) as u32
}

async fn spawn(scheduler: &Addr<Scheduler>, cells: Vec<NewCell>, awaits_more: bool) -> Result<(), HostError> {
    scheduler.send(Spawn { cells, awaits_more }).await.map_err(|_| HostError::Stopped)
}

async fn subscribe(context: &HostContext, address: Address) -> Result<Inbox, HostError> {
    context.transport.attach_to_current_thread();
    let subscribing = context.transport.subscribe(&address).await;
    subscribing.map_err(|source| HostError::Subscribe { address: address.name().to_owned(), source })
}
