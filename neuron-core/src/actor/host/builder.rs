//! How a host is started.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
};

use tokio::sync::{mpsc, oneshot};

use super::{
    Host,
    thread::{self, Thread, ThreadReady, ThreadSpec},
};
use crate::actor::{
    Controller, HostError,
    clock::Clock,
    controller::{Outset, Topology},
    counters::Counts,
    scheduler::{HostContext, RunningSet},
};
use crate::{
    Network,
    id::{ControllerId, NeuronId},
    network::{Blueprint, nearest},
    record::Record,
    store::Store,
    transport::{Transport, mark_as_host_thread},
};

/// A host to be: which neurons it will run, and what becomes of them when it crashes.
///
/// Without further ado it runs all neurons of the network, and has no store.
///
/// ```
/// # use std::sync::Arc;
/// # use neuron_core::{Network, actor::{Host, HostError}, store::FileStore, transport::Transport};
/// /// Runs the neurons of the network that have `host = "pi1"`.
/// async fn pi1(network: Network, transport: Arc<dyn Transport>) -> Result<Host, Box<dyn std::error::Error>> {
///     let store = FileStore::open("/var/lib/neurons")?;
///     Ok(Host::builder(network, transport).as_host("pi1").store(Arc::new(store)).start().await?)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a host is started with `start`"]
pub struct HostBuilder {
    network: Network,
    transport: Arc<dyn Transport>,
    part: Part,
    store: Option<Arc<dyn Store>>,
    record: Option<Sender<(NeuronId, Record)>>,
    controller: Option<ControllerId>,
}

/// Which neurons are run.
#[derive(Clone, Debug)]
enum Part {
    All,
    Host(String),
    Only(Vec<String>),
}

/// Tells apart the controllers of one process.
static CONTROLLERS: AtomicU64 = AtomicU64::new(1);

impl HostBuilder {
    pub(in crate::actor) fn new(network: Network, transport: Arc<dyn Transport>) -> Self {
        Self { network, transport, part: Part::All, store: None, record: None, controller: None }
    }

    /// Lets neurons outlive a crash: each is saved here, and comes back from here.
    ///
    /// A neuron starts from the network the first time. From then on what is in the store counts: weights, thresholds and
    /// connections that were changed, and not what the network says of it. Neurons that were [added](Host::add) while the
    /// network ran come back as well, and so does a neuron that was taken out of the network file, until it is
    /// [removed](Host::remove).
    ///
    /// A neuron says nothing that its store does not allow it to say: with every change of its configuration, and once a
    /// second while it is active, it is saved, and waits until that is durable. The save is carried out on the host's
    /// thread, so the other neurons of the host wait as well: a few milliseconds for a [`FileStore`] on a disk. A neuron
    /// that cannot be saved ends ([`HostCounters::unsaved`]); the others go on without it.
    ///
    /// Levels, stimuli and readings are not saved: a neuron comes back at rest and asks its inputs. It says nothing of the
    /// time before, up to a second after it was last saved; what is presented meanwhile gets tags that are later.
    ///
    /// Without a store, a host that ran a part of a network cannot run it again while its neighbours remember it:
    /// [`HostError::Fenced`].
    ///
    /// [`FileStore`]: crate::store::FileStore
    /// [`HostCounters::unsaved`]: crate::actor::HostCounters::unsaved
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Names the controller of the host, for brokers that permit each user certain names only. No two controllers of a network may
    /// have the same name at the same time. Without this it has a name that nobody else has.
    pub fn controller(mut self, name: ControllerId) -> Self {
        self.controller = Some(name);
        self
    }

    /// Sends everything that neurons stamp and answer to a channel: the record, from which
    /// [`Oracle`](crate::oracle::Oracle) computes what the network should have answered. It grows as long as nobody reads it.
    pub fn record(mut self, to: Sender<(NeuronId, Record)>) -> Self {
        self.record = Some(to);
        self
    }

    /// Runs the neurons that have this `host` in the network, and no others. Takes the place of [`only`](Self::only).
    ///
    /// A neuron that moves to another host has to take along what is saved of it: there it would begin anew, and be silenced
    /// by its neighbours.
    pub fn as_host(mut self, host: &str) -> Self {
        self.part = Part::Host(host.to_owned());
        self
    }

    /// Runs these neurons of the network, and no others. With no names at all, the host has a controller, and runs nothing.
    /// Takes the place of [`as_host`](Self::as_host).
    pub fn only<S: Into<String>>(mut self, neurons: impl IntoIterator<Item = S>) -> Self {
        self.part = Part::Only(neurons.into_iter().map(Into::into).collect());
        self
    }

    /// Starts the neurons, and waits until each has had its first evaluation.
    ///
    /// For that, a neuron has to hear from its inputs, or to give them up: on the very first start after twenty times the
    /// patience (5 s by default), later after one patience. So start the hosts of a network at the same time, not each one
    /// after the other. A neuron that comes back also waits up to one patience for those that know it, because one of them
    /// may have heard of a later life.
    ///
    /// The controller knows the whole network, also neurons that run elsewhere; of those it does not learn what controllers
    /// of other hosts have rewired.
    ///
    /// A transport carries one network. ThreadReady a second time over the same transport, neurons take the place of those of the
    /// same name that run already, whose inboxes end.
    ///
    /// # Errors
    /// When there is no thread, an inbox cannot be opened, a name is unknown, the store fails, or a neuron has been
    /// [fenced](HostError::Fenced). Then nothing runs.
    pub async fn start(self) -> Result<Host, HostError> {
        let neurons = self.neurons()?;
        let Self { network, transport, store, record, controller, .. } = self;
        let (settings, name) = (*network.settings(), format!("neurons {}", network.name()));
        // On the thread where it has probably been made: what is given back here is not there for the host's thread. So it goes back to
        // the system, but for what the topology takes of it.
        let network = Blueprint::from(network);
        let topology = Topology::of(&network);
        let id = controller.unwrap_or_else(controller_id);
        let (counters, clock, register) = (Arc::new(Counts::default()), Clock::start(), RunningSet::default());
        let shared = HostContext {
            is_direct: transport.is_direct(),
            transport: transport.clone(),
            clock,
            counters: counters.clone(),
            store: store.clone(),
            register: register.clone(),
            record,
        };
        let (started, on_start) = oneshot::channel();
        let (stop, on_stop) = oneshot::channel();
        let (to_do, commands) = mpsc::unbounded_channel();
        let (ended, stopped) = oneshot::channel();
        let orders =
            ThreadSpec { controller: id.clone(), neurons, network, topology, started, commands, stop: on_stop };
        let run = move || {
            mark_as_host_thread();
            let system = actix::System::new();
            system.block_on(thread::run(orders, shared));
            drop(system);
            let _ = ended.send(());
        };
        let handle = std::thread::Builder::new().name(name).spawn(run).map_err(HostError::Thread)?;
        let thread = Thread::new(stop, stopped, handle);
        let started = on_start.await.unwrap_or(Err(HostError::Stopped))?;
        let ThreadReady { runtime, inbox, topology, patience } = started;
        let coincidence = settings.coincidence;
        let outset = Outset { id, transport, clock, coincidence, patience, topology };
        let controller = Controller::new(outset, runtime, inbox);
        Ok(Host::new(controller, counters, register, store, settings, to_do, thread))
    }

    /// The neurons that are to be run.
    fn neurons(&self) -> Result<Vec<NeuronId>, HostError> {
        let network = &self.network;
        let chosen: BTreeSet<&NeuronId> = match &self.part {
            Part::All => return Ok(network.neurons().map(|(id, _)| id.clone()).collect()),
            Part::Host(name) => {
                let hosts = || network.neurons().filter_map(|(id, spec)| Some((id, spec.host.as_ref()?)));
                let here = hosts().filter(|(_, host)| host.as_str() == name).map(|(id, _)| id);
                let here: BTreeSet<&NeuronId> = here.collect();
                if here.is_empty() {
                    let known: BTreeSet<String> = hosts().map(|(_, host)| host.to_string()).collect();
                    let known = known.into_iter().collect();
                    return Err(HostError::UnknownHost { name: name.clone(), known });
                }
                here
            }
            Part::Only(names) => {
                let find = |name: &String| {
                    let found = network.neurons().map(|(id, _)| id).find(|id| id.as_str() == name);
                    found.ok_or_else(|| {
                        let names = network.neurons().map(|(id, _)| id.as_str());
                        let nearest = nearest(name, names).map(str::to_owned);
                        HostError::UnknownNeuron { name: name.clone(), nearest }
                    })
                };
                names.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        Ok(chosen.into_iter().cloned().collect())
    }
}

/// A name that nobody else has: neurons remember what a controller of this name has asked for.
fn controller_id() -> ControllerId {
    let number = CONTROLLERS.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().hash_one(number);
    let name = format!("controller-{}-{number}-{random:016x}", std::process::id());
    name.parse().expect("at most 11 + 10 + 1 + 20 + 1 + 16 letters, digits and dashes")
}
