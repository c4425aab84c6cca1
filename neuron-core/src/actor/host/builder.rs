//! Builds and starts a host.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
    time::{Duration, SystemTime},
};

use super::{
    Host,
    membership::Membership,
    start::Population,
    start_clock::StartClock,
    thread::{HostThread, ThreadSpec},
};
use crate::{
    Network,
    actor::{
        claims::{HostEnd, SharedClaims},
        clock::{Clock, TimeOfDay},
        controller::{Controller, Topology},
        counters::SharedHostCounters,
        error::HostError,
        links::SharedLinks,
        scheduler::{HostContext, Listeners, RunningSet},
        store_thread::StoreThread,
    },
    id::{ControllerId, HostId, NeuronId},
    network::{FlatNetwork, did_you_mean},
    record::Record,
    store::Store,
    transport::Transport,
};

/// Tells apart the controllers of one process.
static CONTROLLERS: AtomicU64 = AtomicU64::new(1);

/// A host that is not started yet: which neurons it will run, and what becomes of them when it
/// crashes.
///
/// Unless told otherwise, it runs all neurons of the network and has no store.
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
    /// `None` means that the controller gets a name that is used nowhere else.
    controller: Option<ControllerId>,
    /// `None` means that the host gets its name from the controller or from the network.
    name: Option<HostId>,
    time_of_day: TimeOfDay,
    start_clock: StartClock,
}

/// Which neurons of the network a host runs.
#[derive(Clone, Debug)]
enum Part {
    All,
    /// Those that have this `host` in the network.
    Host(String),
    Only(Vec<String>),
}

impl Host {
    /// Starts all neurons of a network, and waits until each has been evaluated once. Like
    /// [`Host::builder`] with nothing set; what [`HostBuilder::start`] says holds here.
    ///
    /// # Errors
    /// When there is no thread, or when an inbox cannot be opened.
    pub async fn start(network: Network, transport: Arc<dyn Transport>) -> Result<Self, HostError> {
        Self::builder(network, transport).start().await
    }

    /// Returns a builder for a host that runs a part of a network, or has a store. For a program
    /// that steers a network and runs no neuron, see [`Controller::join`].
    pub fn builder(network: Network, transport: Arc<dyn Transport>) -> HostBuilder {
        HostBuilder {
            network,
            transport,
            part: Part::All,
            store: None,
            record: None,
            controller: None,
            name: None,
            time_of_day: TimeOfDay::default(),
            start_clock: StartClock::default(),
        }
    }
}

impl Controller {
    /// Returns a controller of a network whose neurons run elsewhere: in other processes that use
    /// the same broker, or on other hosts of this transport. The network is as in their file: it
    /// says which neurons there are, and what is connected to what at the start.
    ///
    /// It has a host of its own without neurons, which stops when the last clone of the controller
    /// is dropped; its watches end then. For a name that a broker permits, or other settings, start
    /// that host with [`HostBuilder::only`] instead.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use neuron_core::{Network, actor::Controller, transport::Transport};
    /// /// Prints whether the lamp of another process is on.
    /// async fn print_lamp(network: Network, transport: Arc<dyn Transport>) -> Result<(), Box<dyn std::error::Error>> {
    ///     let controller = Controller::join(network, transport).await?;
    ///     println!("the lamp is {}", if controller.output("lamp").await?.fires() { "on" } else { "off" });
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// When there is no thread, or when an inbox cannot be opened.
    pub async fn join(network: Network, transport: Arc<dyn Transport>) -> Result<Self, HostError> {
        let host = Host::builder(network, transport).only::<String>([]).start().await?;
        let controller = host.controller().clone();
        Ok(controller.keeping(host))
    }
}

impl HostBuilder {
    /// Lets neurons outlive a crash: each is saved here, and comes back from here.
    ///
    /// A neuron starts from the network the first time. From then on what is in the store counts:
    /// weights, thresholds and connections that were changed, and not what the network says of it.
    /// Neurons that were [added](Host::add) while the network ran come back as well, and so does a
    /// neuron that was taken out of the network file, until it is [removed](Host::remove).
    ///
    /// A neuron says nothing that its store does not allow it to say. It is saved with every change
    /// of its configuration, and what it says waits until that is durable: a few milliseconds for a
    /// [`FileStore`] on a disk. The other neurons of the host go on meanwhile. A neuron that cannot
    /// be saved stops ([`HostCounters::unsaved`]); the others go on without it.
    ///
    /// Levels, stimuli and readings are not saved: a neuron comes back at rest and asks its inputs.
    /// It says nothing of the time before, which ends up to a second after the process has ended,
    /// and up to 90 s after the machine has; what is presented meanwhile gets tags that are later.
    ///
    /// Without a store, a host that ran a part of a network cannot run it again while its peers on
    /// other hosts remember it: [`HostError::Fenced`].
    ///
    /// [`FileStore`]: crate::store::FileStore
    /// [`HostCounters::unsaved`]: crate::actor::HostCounters::unsaved
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Names the controller of the host, for brokers that permit each user certain names only. No
    /// two controllers of a network may have the same name at the same time. Without this, the name
    /// is random.
    pub fn controller(mut self, name: ControllerId) -> Self {
        self.controller = Some(name);
        self
    }

    /// Names the host. No two hosts of a network may have the same name at the same time.
    ///
    /// Hosts tell each other under this name that they live. Without this, it is the name of the
    /// [controller](Self::controller) if that is set, else that of [`as_host`](Self::as_host), else
    /// a random one.
    pub fn name(mut self, name: HostId) -> Self {
        self.name = Some(name);
        self
    }

    /// Sends everything that neurons stamp and answer to a channel: the record, from which
    /// [`Oracle`](crate::oracle::Oracle) computes what the network should have answered. The
    /// channel grows as long as it is not read.
    pub fn record(mut self, to: Sender<(NeuronId, Record)>) -> Self {
        self.record = Some(to);
        self
    }

    /// Reads the time of day from here instead of the system's clock: from a receiver of a time
    /// signal, or in a test. It is called at the start and twice a second.
    ///
    /// The host takes it over at the start, and whenever it is set forward by a second or more:
    /// when it is set right after the start, on a machine without a clock of its own, or after a
    /// machine has slept ([`HostCounters::clock_forward`]). When it is set back, the host goes on
    /// as before, ahead of it ([`HostCounters::clock_back`]): to its neurons time never runs
    /// backwards.
    ///
    /// [`HostCounters::clock_forward`]: crate::actor::HostCounters::clock_forward
    /// [`HostCounters::clock_back`]: crate::actor::HostCounters::clock_back
    pub fn time_of_day(mut self, read: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.time_of_day = TimeOfDay::new(read);
        self
    }

    /// Sets how long the start waits for the clock, if what is saved in the [store](Self::store) is
    /// more than three hours ahead of it: the machine may have no clock of its own, and get the
    /// time of day from the network soon. 20 s unless set. Then the start fails with
    /// [`HostError::AheadOfClock`].
    pub fn wait_for_clock(mut self, at_most: Duration) -> Self {
        self.start_clock.wait = at_most;
        self
    }

    /// Gives up what is saved in the [store](Self::store) of tags more than three hours ahead of
    /// the clock. This is the cure for a clock that was far ahead for a while: its neurons have
    /// promised to say nothing more of any tag up to that time, and without this cannot be started
    /// before it comes.
    ///
    /// They keep their configuration and come back as after a crash, in their next incarnation,
    /// with tags from the present time on. Peers with right clocks have not believed the tags that
    /// are given up. Those whose clocks were as far ahead have, and keep to that as long as they
    /// run. **Stop all hosts whose clocks were ahead, set the clocks, and start each of those hosts
    /// once with this.**
    ///
    /// Like the start without this, it first [waits for the clock](Self::wait_for_clock). If
    /// nothing is so far ahead then, nothing is given up. So it does no harm to set this at each
    /// start of a machine whose clock is ahead while it boots, as one that keeps local time. Do not
    /// set it where the clock may be *behind* at the start for longer than the wait: then what is
    /// given up has been said.
    pub fn forget_future(mut self) -> Self {
        self.start_clock.forgets_future = true;
        self
    }

    /// Runs the neurons that have this `host` in the network, and no others. Replaces
    /// [`only`](Self::only).
    ///
    /// A neuron that moves to another host has to take along what is saved of it: there it would
    /// begin anew, and be fenced by its peers.
    pub fn as_host(mut self, host: &str) -> Self {
        self.part = Part::Host(host.to_owned());
        self
    }

    /// Runs these neurons of the network, and no others. Without any names, the host has a
    /// controller and runs nothing. Replaces [`as_host`](Self::as_host).
    pub fn only<S: Into<String>>(mut self, neurons: impl IntoIterator<Item = S>) -> Self {
        self.part = Part::Only(neurons.into_iter().map(Into::into).collect());
        self
    }

    /// Starts the neurons, and waits until each has been evaluated once.
    ///
    /// For that, a neuron has to hear from its inputs, or to give them up: on the very first start
    /// after twenty times the patience (5 s by default), later after one patience. So start the
    /// hosts of a network at the same time, not one after the other. A neuron that comes back also
    /// waits up to one patience for its peers, because one of them may have heard of a later
    /// incarnation.
    ///
    /// The controller knows the whole network, also neurons that run elsewhere; of those it does
    /// not learn what controllers of other hosts have changed.
    ///
    /// A neuron runs once. If another host runs one of the neurons, over the same transport or in
    /// another process, this one does not start; of two that start in the same moment, one does. If
    /// the two cannot hear each other yet, the later one ends when they can: see [`Host::ended`]. So a
    /// start takes about 50 ms longer, unless no other host can be there. A transport carries one
    /// network.
    ///
    /// # Errors
    /// When there is no thread, an inbox cannot be opened, a name is unknown, the store fails, or a
    /// neuron has been [fenced](HostError::Fenced); [`HostError::RunsElsewhere`]. Then nothing runs.
    pub async fn start(self) -> Result<Host, HostError> {
        let neurons = self.neurons()?;
        let host_id = self.host_id();
        let links = SharedLinks::new(host_id.clone());
        let Self { network, transport, store, record, controller, time_of_day, start_clock, .. } = self;
        let settings = *network.settings();
        let name = format!("neurons {}", network.name());
        // This thread has probably made the network, and what it frees here can be used by the
        // host's thread only if it goes back to the system. So the network is turned into a few
        // large pieces before anything that stays is made, except for the topology, which takes its
        // place.
        let network = FlatNetwork::from(network);
        let topology = Topology::new(&network);
        let counters = Arc::new(SharedHostCounters::default());
        let running = RunningSet::default();
        let guarantees = transport.guarantees();
        let store = store.map(StoreThread::start).transpose().map_err(HostError::Thread)?.map(Arc::new);
        let clock = Clock::start(time_of_day);
        let end = HostEnd::new();
        let context = HostContext {
            local_bypass: guarantees.local_bypass,
            local_inboxes: guarantees.local_bypass && !guarantees.may_lose(),
            transport,
            clock: clock.clone(),
            counters: counters.clone(),
            store: store.clone(),
            ceiling: OnceCell::new(),
            running: running.clone(),
            listeners: Listeners::default(),
            links,
            claims: SharedClaims::new(host_id, clock.steady()),
            end: end.clone(),
            record,
        };
        let controller = controller.unwrap_or_else(controller_id);
        let population = Population { controller, neurons, network, topology, start_clock };
        let (thread, client) = HostThread::start(name, ThreadSpec { context, population }).await?;
        let membership = Membership::new(settings, running, store, thread.commands());
        Ok(Host::new(Controller::new(client), counters, membership, thread, end))
    }

    /// Returns the name of the host.
    fn host_id(&self) -> HostId {
        let of_controller = || self.controller.as_ref().map(|controller| controller.as_str().to_owned());
        let of_network = || match &self.part {
            Part::Host(name) => Some(name.clone()),
            Part::All | Part::Only(_) => None,
        };
        let random = || controller_id().as_str().replacen("controller", "host", 1);
        let text = || of_controller().or_else(of_network).unwrap_or_else(random);
        self.name.clone().unwrap_or_else(|| text().parse().expect("all names are made of the same characters"))
    }

    /// Returns the neurons that are to be run.
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
                        let nearest = did_you_mean(name, names).map(str::to_owned);
                        HostError::UnknownNeuron { name: name.clone(), nearest }
                    })
                };
                names.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        Ok(chosen.into_iter().cloned().collect())
    }
}

/// Returns a name that is used nowhere else: neurons remember what a controller of this name has
/// asked for.
fn controller_id() -> ControllerId {
    let number = CONTROLLERS.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().hash_one(number);
    let name = format!("controller-{}-{number}-{random:016x}", std::process::id());
    name.parse().expect("at most 11 + 10 + 1 + 20 + 1 + 16 letters, digits and dashes")
}
