//! Neurons that join a network while it runs, and neurons that leave it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

use super::thread::Job;
use crate::actor::{
    ControlError, Controller, HostError,
    controller::{TIMEOUT, Wiring, unexpected},
    scheduler::Register,
};
use crate::{
    Network,
    command::{Answer, Command, ConfigChange, Refusal},
    id::{NeuronId, Source},
    network::{NetworkError, NetworkSettings, NeuronSpec},
    neuron::Config,
    store::Store,
    tag::Tag,
};

/// What it takes to let neurons come and go.
#[derive(Debug)]
pub(in crate::actor) struct Members {
    pub(in crate::actor) settings: NetworkSettings,
    pub(in crate::actor) register: Register,
    pub(in crate::actor) store: Option<Arc<dyn Store>>,
    pub(in crate::actor) jobs: mpsc::UnboundedSender<Job>,
    /// The number of the latest life of any neuron that has left. Whoever is added begins in a later one, so that nobody
    /// takes it for one of the same name that has left.
    pub(in crate::actor) departed: AtomicU32,
}

pub(in crate::actor) async fn add(
    members: &Members,
    controller: &Controller,
    name: &str,
    spec: NeuronSpec,
) -> Result<(), HostError> {
    let inner = controller.inner();
    let _one_at_a_time = inner.rewiring.lock().await;
    let (neuron, config) = check(&inner.wiring(), members.settings, name, spec)?;
    let (ready, is_ready) = oneshot::channel();
    let incarnation = members.departed.load(Ordering::Relaxed);
    let job = Job::Add { neuron: neuron.clone(), config: Box::new(config.clone()), incarnation, ready };
    members.jobs.send(job).map_err(|_| HostError::Stopped)?;
    let added = is_ready.await.unwrap_or(Err(HostError::Stopped));
    match (&added, &members.store) {
        (Ok(()), _) => inner.wiring().set(&neuron, &config),
        // It never was. If the store does not take that in, it is no worse than before.
        (Err(_), Some(store)) => drop(store.remove(&neuron)),
        (Err(_), None) => {}
    }
    added
}

/// What the neuron would be in a network file with all the others, if that were accepted.
fn check(
    wiring: &Wiring,
    settings: NetworkSettings,
    name: &str,
    spec: NeuronSpec,
) -> Result<(NeuronId, Config), HostError> {
    let spec = NeuronSpec { host: None, ..spec };
    // Nobody listens to it yet, so only its own sources matter, and whoever has its name. The others are of use only for
    // saying what was probably meant.
    let concerned: BTreeSet<NeuronId> = {
        let sensors = spec.sensors.keys().filter_map(|sensor| wiring.neuron(sensor.as_str()).ok());
        let owners = wiring.sensor(name).map(|(_, owners)| owners).unwrap_or_default();
        let sources = spec.weights.keys().filter_map(|source| wiring.neuron(source.as_str()).ok());
        sensors.chain(owners).chain(sources).chain(wiring.neuron(name).ok()).collect()
    };
    let network = in_a_network(concerned.iter(), wiring, settings, name, &spec)
        .or_else(|_| in_a_network(wiring.neurons(), wiring, settings, name, &spec))?;
    let config = network.configs().find(|(id, _)| id.as_str() == name);
    Ok(config.expect("a network has the neurons it was built from"))
}

fn in_a_network<'a>(
    others: impl Iterator<Item = &'a NeuronId>,
    wiring: &Wiring,
    settings: NetworkSettings,
    name: &str,
    spec: &NeuronSpec,
) -> Result<Network, NetworkError> {
    let owners = wiring.sensor(name).map(|(_, owners)| owners).unwrap_or_default();
    let mut builder = Network::builder("the-network-that-runs").settings(settings);
    for other in others {
        let mut stand_in = NeuronSpec::default();
        if owners.contains(other)
            && let Ok(sensor) = name.parse()
        {
            stand_in.sensors.insert(sensor, 0.0);
        }
        builder = builder.spec(other.as_str(), stand_in);
    }
    builder.spec(name, spec.clone()).build()
}

pub(in crate::actor) async fn remove(members: &Members, controller: &Controller, name: &str) -> Result<Tag, HostError> {
    let inner = controller.inner();
    let _one_at_a_time = inner.rewiring.lock().await;
    let neuron = inner.wiring().neuron(name)?;
    if !members.register.lock().contains(&neuron) {
        return Err(HostError::Elsewhere(neuron));
    }
    let tag = cut_off(controller, &neuron).await?;
    inner.wiring().remove(&neuron);
    let (gone, is_gone) = oneshot::channel();
    let job = Job::Dismiss { neuron: neuron.clone(), gone };
    members.jobs.send(job).map_err(|_| HostError::Stopped)?;
    if let Ok(Some(life)) = is_gone.await {
        members.departed.fetch_max(life, Ordering::Relaxed);
    }
    inner.forget(&neuron);
    if let Some(store) = &members.store {
        store.remove(&neuron).map_err(|source| HostError::Forget { neuron, source })?;
    }
    Ok(tag)
}

/// Disconnects a neuron from everybody, and waits until nobody needs it any more.
async fn cut_off(controller: &Controller, neuron: &NeuronId) -> Result<Tag, ControlError> {
    let inner = controller.inner();
    let (is_there, listeners, sources) = match inner.ask(neuron, Command::Config, TIMEOUT).await {
        Ok(Answer::Config(config)) => (true, config.connections, config.inputs.into_keys().collect()),
        // It has ended already, or fallen silent, whatever the reason.
        Err(ControlError::Send { .. } | ControlError::Refused { refusal: Refusal::Fenced { .. }, .. }) => {
            (false, Vec::new(), Vec::new())
        }
        Ok(_) => return Err(unexpected(neuron)),
        Err(error) => return Err(error),
    };
    let mut listeners: BTreeSet<NeuronId> = listeners.into_iter().collect();
    listeners.extend(inner.wiring().listeners(neuron));
    let tag = loop {
        let mut changes: BTreeMap<NeuronId, Vec<ConfigChange>> = BTreeMap::new();
        for listener in listeners.iter().filter(|listener| is_there || *listener != neuron) {
            let source = neuron.clone();
            let weight = ConfigChange::DeleteWeight { source: Source::Neuron(source.clone()) };
            changes.insert(listener.clone(), vec![ConfigChange::Disconnect { source }, weight]);
        }
        if is_there {
            let sources: &Vec<NeuronId> = &sources;
            let own = sources.iter().filter(|source| *source != neuron).cloned();
            let own = own.map(|source| ConfigChange::Disconnect { source });
            changes.entry(neuron.clone()).or_default().extend(own);
            changes.retain(|_, changes| !changes.is_empty());
        }
        if changes.is_empty() {
            return Ok(controller.now());
        }
        match controller.make(&changes).await {
            Ok(tag) => break tag,
            // What was noted of it is not so.
            Err(ControlError::Refused { neuron: listener, refusal: Refusal::NotConnected(source) })
                if source == *neuron && listeners.remove(&listener) =>
            {
                inner.wiring().disconnect(neuron, &listener);
            }
            Err(error) => return Err(error),
        }
    };
    // Up to the tag before, they may still need what it says.
    let waiting = listeners.iter().chain(is_there.then_some(neuron));
    let waiting = waiting.map(|neuron| inner.sample(neuron, Command::OutputAt { tag }, TIMEOUT));
    join_all(waiting).await;
    Ok(tag)
}
