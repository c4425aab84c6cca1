//! Neurons that join a network while it runs, and neurons that leave it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::future::{join_all, try_join_all};
use tokio::sync::{mpsc, oneshot};

use super::thread::ThreadCommand;
use crate::{
    Network,
    actor::{
        controller::{Controller, MemberEdits, TIMEOUT, Topology, unexpected_answer},
        error::{ControlError, HostError},
        scheduler::RunningSet,
        store_thread::StoreThread,
    },
    command::{Answer, Command, ConfigChange, Refusal},
    id::{NeuronId, Source},
    network::{NetworkError, NetworkSettings, NeuronSpec},
    neuron::{Config, Sensor},
    tag::Tag,
};

/// Adds neurons to a host that runs, and removes them.
#[derive(Debug)]
pub(super) struct Membership {
    settings: NetworkSettings,
    running: RunningSet,
    store: Option<Arc<StoreThread>>,
    commands: mpsc::UnboundedSender<ThreadCommand>,
    /// The number of the latest incarnation of any neuron that has left. A neuron that is added
    /// begins in a later one, so that it is not taken for one of the same name that has left.
    departed: AtomicU32,
}

impl Membership {
    /// Returns the membership of a host from which no neuron has been removed yet.
    pub(super) fn new(
        settings: NetworkSettings,
        running: RunningSet,
        store: Option<Arc<StoreThread>>,
        commands: mpsc::UnboundedSender<ThreadCommand>,
    ) -> Self {
        Self { settings, running, store, commands, departed: AtomicU32::new(0) }
    }

    /// Adds a neuron; see [`Host::add`](super::Host::add).
    pub(super) async fn add(&self, controller: &Controller, name: &str, spec: NeuronSpec) -> Result<(), HostError> {
        let client = controller.client();
        let _lock = client.lock_topology().await;
        let (neuron, config) = check(&client.topology(), self.settings, name, spec)?;
        let elsewhere = config.inputs.keys().filter(|source| **source != neuron && !client.runs(source));
        try_join_all(elsewhere.map(|source| controller.admit(source, &neuron))).await?;
        let (ready, is_ready) = oneshot::channel();
        let incarnation = self.departed.load(Ordering::Relaxed);
        let command =
            ThreadCommand::Add { neuron: neuron.clone(), config: Box::new(config.clone()), incarnation, ready };
        self.commands.send(command).map_err(|_| HostError::Stopped)?;
        let added = is_ready.await.unwrap_or(Err(HostError::Stopped));
        match (&added, &self.store) {
            (Ok(()), _) => {
                client.topology().set(&neuron, &config);
                client.note_added(&neuron);
            }
            // The neuron never was. If the store does not take that in, it is no worse than before.
            (Err(_), Some(store)) => drop(store.remove(neuron).await),
            (Err(_), None) => {}
        }
        added
    }

    /// Removes a neuron; see [`Host::remove`](super::Host::remove).
    pub(super) async fn remove(&self, controller: &Controller, name: &str) -> Result<Tag, HostError> {
        let client = controller.client();
        let _lock = client.lock_topology().await;
        let neuron = client.topology().neuron(name)?;
        if !self.running.contains(&neuron) {
            return Err(HostError::Elsewhere(neuron));
        }
        let tag = disconnect_all(controller, &neuron).await?;
        client.topology().remove(&neuron);
        let (removed, is_removed) = oneshot::channel();
        let command = ThreadCommand::Remove { neuron: neuron.clone(), removed };
        self.commands.send(command).map_err(|_| HostError::Stopped)?;
        if let Ok(Some(incarnation)) = is_removed.await {
            self.departed.fetch_max(incarnation, Ordering::Relaxed);
        }
        client.forget(&neuron);
        if let Some(store) = &self.store {
            store.remove(neuron.clone()).await.map_err(|source| HostError::Forget { neuron, source })?;
        }
        Ok(tag)
    }
}

/// Returns what the neuron would be in a network file with all the others.
///
/// # Errors
/// When such a file would be refused.
fn check(
    topology: &Topology,
    settings: NetworkSettings,
    name: &str,
    spec: NeuronSpec,
) -> Result<(NeuronId, Config), HostError> {
    let spec = NeuronSpec { host: None, ..spec };
    // The neuron has no listeners yet, so only its own sources matter, and neurons that have its
    // name. The others are of use only for saying what was probably meant.
    let concerned: BTreeSet<NeuronId> = {
        let sensors = spec.sensors.keys().filter_map(|sensor| topology.neuron(sensor.as_str()).ok());
        let owners = topology.sensor(name).map(|(_, owners)| owners).unwrap_or_default();
        let sources = spec.weights.keys().filter_map(|source| topology.neuron(source.as_str()).ok());
        sensors.chain(owners).chain(sources).chain(topology.neuron(name).ok()).collect()
    };
    let network = network_with(concerned.iter(), topology, settings, name, &spec)
        .or_else(|_| network_with(topology.neurons(), topology, settings, name, &spec))?;
    let config = network.configs().find(|(id, _)| id.as_str() == name);
    Ok(config.expect("a network has the neurons it was built from"))
}

/// Builds a network of the new neuron and stand-ins for `others`.
fn network_with<'a>(
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
            stand_in.sensors.insert(sensor, Sensor::new(0.0));
        }
        builder = builder.spec(other.as_str(), stand_in);
    }
    builder.spec(name, spec.clone()).build()
}

/// Disconnects a neuron from all others, waits until none of them needs it any more, and returns
/// the tag from which on it is disconnected.
async fn disconnect_all(controller: &Controller, neuron: &NeuronId) -> Result<Tag, ControlError> {
    let client = controller.client();
    let (is_there, listeners, sources) =
        match client.request(neuron, Command::Config { after: Tag::ORIGIN }, TIMEOUT).await {
            Ok(Answer::Config(config)) => (true, config.connections, config.inputs.into_keys().collect()),
            // It has stopped already, or is fenced, whatever the reason.
            Err(ControlError::Send { .. } | ControlError::Refused { refusal: Refusal::Fenced { .. }, .. }) => {
                (false, Vec::new(), Vec::new())
            }
            Ok(_) => return Err(unexpected_answer(neuron)),
            Err(error) => return Err(error),
        };
    let mut listeners: BTreeSet<NeuronId> = listeners.into_iter().collect();
    listeners.extend(client.topology().listeners(neuron));
    let tag = loop {
        let mut edits: BTreeMap<NeuronId, MemberEdits> = BTreeMap::new();
        for listener in listeners.iter().filter(|listener| is_there || *listener != neuron) {
            let source = neuron.clone();
            let weight = ConfigChange::DeleteWeight { source: Source::Neuron(source.clone()) };
            edits.entry(listener.clone()).or_default().changes = vec![ConfigChange::Disconnect { source }, weight];
        }
        if is_there {
            let sources: &Vec<NeuronId> = &sources;
            let own = sources.iter().filter(|source| *source != neuron).cloned();
            let own = own.map(|source| ConfigChange::Disconnect { source });
            edits.entry(neuron.clone()).or_default().changes.extend(own);
            edits.retain(|_, edits| !edits.changes.is_empty());
        }
        if edits.is_empty() {
            return Ok(controller.now());
        }
        match controller.commit(edits).await {
            Ok(tag) => break tag,
            // What the topology says of this listener is outdated.
            Err(ControlError::Refused { neuron: listener, refusal: Refusal::NotConnected(source) })
                if source == *neuron && listeners.remove(&listener) =>
            {
                client.topology().disconnect(neuron, &listener);
            }
            Err(error) => return Err(error),
        }
    };
    // Up to the tag before, the others may still need what it says.
    let waiting = listeners.iter().chain(is_there.then_some(neuron));
    let waiting = waiting.map(|neuron| client.request_sample(neuron, Command::OutputAt { tag }, TIMEOUT));
    join_all(waiting).await;
    Ok(tag)
}
