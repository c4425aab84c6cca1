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

use super::thread::ThreadCommand;
use crate::actor::{
    ControlError, Controller, HostError,
    controller::{TIMEOUT, Topology, unexpected},
    scheduler::RunningSet,
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
pub(in crate::actor) struct Membership {
    pub(in crate::actor) settings: NetworkSettings,
    pub(in crate::actor) register: RunningSet,
    pub(in crate::actor) store: Option<Arc<dyn Store>>,
    pub(in crate::actor) commands: mpsc::UnboundedSender<ThreadCommand>,
    /// The number of the latest life of any neuron that has left. Whoever is added begins in a later one, so that nobody
    /// takes it for one of the same name that has left.
    pub(in crate::actor) departed: AtomicU32,
}

pub(in crate::actor) async fn add(
    membership: &Membership,
    controller: &Controller,
    name: &str,
    spec: NeuronSpec,
) -> Result<(), HostError> {
    let client = controller.client();
    let _one_at_a_time = client.topology_lock.lock().await;
    let (neuron, config) = check(&client.topology(), membership.settings, name, spec)?;
    let (ready, is_ready) = oneshot::channel();
    let incarnation = membership.departed.load(Ordering::Relaxed);
    let command = ThreadCommand::Add { neuron: neuron.clone(), config: Box::new(config.clone()), incarnation, ready };
    membership.commands.send(command).map_err(|_| HostError::Stopped)?;
    let added = is_ready.await.unwrap_or(Err(HostError::Stopped));
    match (&added, &membership.store) {
        (Ok(()), _) => client.topology().set(&neuron, &config),
        // It never was. If the store does not take that in, it is no worse than before.
        (Err(_), Some(store)) => drop(store.remove(&neuron)),
        (Err(_), None) => {}
    }
    added
}

/// What the neuron would be in a network file with all the others, if that were accepted.
fn check(
    topology: &Topology,
    settings: NetworkSettings,
    name: &str,
    spec: NeuronSpec,
) -> Result<(NeuronId, Config), HostError> {
    let spec = NeuronSpec { host: None, ..spec };
    // Nobody listens to it yet, so only its own sources matter, and whoever has its name. The others are of use only for
    // saying what was probably meant.
    let concerned: BTreeSet<NeuronId> = {
        let sensors = spec.sensors.keys().filter_map(|sensor| topology.neuron(sensor.as_str()).ok());
        let owners = topology.sensor(name).map(|(_, owners)| owners).unwrap_or_default();
        let sources = spec.weights.keys().filter_map(|source| topology.neuron(source.as_str()).ok());
        sensors.chain(owners).chain(sources).chain(topology.neuron(name).ok()).collect()
    };
    let network = in_a_network(concerned.iter(), topology, settings, name, &spec)
        .or_else(|_| in_a_network(topology.neurons(), topology, settings, name, &spec))?;
    let config = network.configs().find(|(id, _)| id.as_str() == name);
    Ok(config.expect("a network has the neurons it was built from"))
}

fn in_a_network<'a>(
    others: impl Iterator<Item = &'a NeuronId>,
    topology: &Topology,
    settings: NetworkSettings,
    name: &str,
    spec: &NeuronSpec,
) -> Result<Network, NetworkError> {
    let owners = topology.sensor(name).map(|(_, owners)| owners).unwrap_or_default();
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

pub(in crate::actor) async fn remove(
    membership: &Membership,
    controller: &Controller,
    name: &str,
) -> Result<Tag, HostError> {
    let client = controller.client();
    let _one_at_a_time = client.topology_lock.lock().await;
    let neuron = client.topology().neuron(name)?;
    if !membership.register.lock().contains(&neuron) {
        return Err(HostError::Elsewhere(neuron));
    }
    let tag = cut_off(controller, &neuron).await?;
    client.topology().remove(&neuron);
    let (gone, is_gone) = oneshot::channel();
    let command = ThreadCommand::Stop { neuron: neuron.clone(), gone };
    membership.commands.send(command).map_err(|_| HostError::Stopped)?;
    if let Ok(Some(life)) = is_gone.await {
        membership.departed.fetch_max(life, Ordering::Relaxed);
    }
    client.forget(&neuron);
    if let Some(store) = &membership.store {
        store.remove(&neuron).map_err(|source| HostError::Forget { neuron, source })?;
    }
    Ok(tag)
}

/// Disconnects a neuron from everybody, and waits until nobody needs it any more.
async fn cut_off(controller: &Controller, neuron: &NeuronId) -> Result<Tag, ControlError> {
    let client = controller.client();
    let (is_there, listeners, sources) = match client.ask(neuron, Command::Config, TIMEOUT).await {
        Ok(Answer::Config(config)) => (true, config.connections, config.inputs.into_keys().collect()),
        // It has ended already, or fallen silent, whatever the reason.
        Err(ControlError::Send { .. } | ControlError::Refused { refusal: Refusal::Fenced { .. }, .. }) => {
            (false, Vec::new(), Vec::new())
        }
        Ok(_) => return Err(unexpected(neuron)),
        Err(error) => return Err(error),
    };
    let mut listeners: BTreeSet<NeuronId> = listeners.into_iter().collect();
    listeners.extend(client.topology().listeners(neuron));
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
        match controller.commit(&changes).await {
            Ok(tag) => break tag,
            // What was noted of it is not so.
            Err(ControlError::Refused { neuron: listener, refusal: Refusal::NotConnected(source) })
                if source == *neuron && listeners.remove(&listener) =>
            {
                client.topology().disconnect(neuron, &listener);
            }
            Err(error) => return Err(error),
        }
    };
    // Up to the tag before, they may still need what it says.
    let waiting = listeners.iter().chain(is_there.then_some(neuron));
    let waiting = waiting.map(|neuron| client.sample(neuron, Command::OutputAt { tag }, TIMEOUT));
    join_all(waiting).await;
    Ok(tag)
}
