//! A host: runs the neurons of a network, each as an actor, on a thread of its own.

use std::{
    cell::Cell,
    hash::{BuildHasher as _, RandomState},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use actix::Actor as _;
use tokio::sync::{Notify, oneshot};

use super::{Controller, HostError, body::Body, clock::Clock};
use crate::{
    Network,
    id::{ControllerId, NeuronId},
    neuron::Neuron,
    transport::{Address, Inbox, Transport},
};

/// Runs all neurons of a network.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use neuron_core::{Network, actor::{Host, block_on}, transport::Transport};
/// # fn local() -> Arc<dyn Transport> { unimplemented!("a transport, such as transport_local::LocalTransport") }
/// let network = Network::load("xor.toml")?;
/// block_on(async {
///     let host = Host::start(network, local()).await?;
///     let wave = host.controller().present(&[("x", 1.0), ("y", 0.0)]).await?;
///     let z = host.controller().output_at("z", wave.tag).await?;
///     assert_eq!(z.level, 1.0);
///     host.stop().await;
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })
/// # .unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Host {
    controller: Controller,
    counters: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the actors of one host have in common.
pub(super) struct Shared {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Clock,
    pub(super) counters: Arc<Counts>,
    unready: Cell<usize>,
    all_ready: Notify,
}

impl Shared {
    pub(super) fn one_is_ready(&self) {
        self.unready.set(self.unready.get().saturating_sub(1));
        if self.unready.get() == 0 {
            self.all_ready.notify_one();
        }
    }
}

/// What a host counts beside what its neurons count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounters {
    /// Panics in the body of a neuron. Each time it was restarted with its configuration.
    pub panics: u64,
    /// Neurons that panicked again while they were being restarted, and are gone.
    pub deaths: u64,
    /// Envelopes that could not be handed over, because nobody listens at their address.
    pub undelivered: u64,
    /// Questions and promises left out because their receiver was too slow. They are repeated when they are missed.
    pub left_out: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    panics: AtomicU64,
    deaths: AtomicU64,
    undelivered: AtomicU64,
    left_out: AtomicU64,
}

impl Counts {
    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_death(&self) {
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_undelivered(&self) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_left_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tells apart the controllers of one process.
static CONTROLLERS: AtomicU64 = AtomicU64::new(1);

impl Host {
    /// Starts all neurons of a network, and waits until each has had its first evaluation.
    ///
    /// A transport carries one network. Started a second time over the same transport, the neurons take the place of those
    /// that run already, whose inboxes end.
    ///
    /// # Errors
    /// When there is no thread, or when an inbox cannot be opened.
    pub async fn start(network: Network, transport: Arc<dyn Transport>) -> Result<Self, HostError> {
        let number = CONTROLLERS.fetch_add(1, Ordering::Relaxed);
        let id: ControllerId = format!("controller-{}-{number}", std::process::id())
            .parse()
            .expect("letters, digits and dashes, and short enough");
        let counters = Arc::new(Counts::default());
        let clock = Clock::start();
        let (started, on_start) = oneshot::channel();
        let (stop, on_stop) = oneshot::channel();
        let (ended, stopped) = oneshot::channel();
        let thread = {
            let (counters, transport, id) = (counters.clone(), transport.clone(), id.clone());
            let name = format!("neurons {}", network.name());
            let network = network.clone();
            let run = move || {
                let system = actix::System::new();
                let shared =
                    Shared { transport, clock, counters, unready: Cell::new(network.len()), all_ready: Notify::new() };
                system.block_on(run(network, Rc::new(shared), id, started, on_stop));
                drop(system);
                let _ = ended.send(());
            };
            std::thread::Builder::new().name(name).spawn(run).map_err(HostError::Thread)?
        };
        let (runtime, inbox) = match on_start.await {
            Ok(Ok(started)) => started,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(HostError::Stopped),
        };
        let controller = Controller::new(id, &network, transport, clock, runtime, inbox);
        Ok(Self { controller, counters, stop: Some(stop), stopped: Some(stopped), thread: Some(thread) })
    }

    /// Steers the network.
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// What the host has counted.
    pub fn counters(&self) -> HostCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HostCounters {
            panics: read(&self.counters.panics),
            deaths: read(&self.counters.deaths),
            undelivered: read(&self.counters.undelivered),
            left_out: read(&self.counters.left_out),
        }
    }

    /// Stops all neurons and waits until they have. Controllers get [`ControlError::Stopped`] from then on, watches end.
    ///
    /// [`ControlError::Stopped`]: super::ControlError::Stopped
    pub async fn stop(mut self) {
        self.stop.take();
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
    }
}

impl Drop for Host {
    /// Stops the neurons and waits for their thread.
    fn drop(&mut self) {
        self.controller.close();
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Started = Result<(tokio::runtime::Handle, Inbox), HostError>;

/// The host's thread: opens the inboxes, starts the actors, tells when all are ready, and waits for the end.
async fn run(
    network: Network,
    shared: Rc<Shared>,
    controller: ControllerId,
    started: oneshot::Sender<Started>,
    stop: oneshot::Receiver<()>,
) {
    match start_all(network, &shared, controller).await {
        Err(error) => {
            let _ = started.send(Err(error));
        }
        Ok(inbox) => {
            if started.send(Ok((tokio::runtime::Handle::current(), inbox))).is_ok() {
                // Ends when the sender is dropped.
                let _ = stop.await;
            }
        }
    }
}

async fn start_all(network: Network, shared: &Rc<Shared>, controller: ControllerId) -> Result<Inbox, HostError> {
    let inbox = open(shared, Address::Controller(controller)).await?;
    // All inboxes first, so that no subscription is sent to one that is not there yet.
    let mut inboxes = Vec::with_capacity(network.len());
    let ids: Vec<NeuronId> = network.neurons().map(|(id, _)| id.clone()).collect();
    for id in ids {
        inboxes.push(open(shared, Address::Neuron(id)).await?);
    }
    let carrier = shared.transport.guarantees();
    let nonces = RandomState::new();
    for ((id, config), inbox) in network.configs().zip(inboxes) {
        let neuron = Neuron::start(id.clone(), config, carrier, nonces.hash_one(&id) as u32, shared.clock.now());
        Body::new(neuron, inbox, shared.clone()).start();
    }
    if !network.is_empty() {
        shared.all_ready.notified().await;
    }
    Ok(inbox)
}

async fn open(shared: &Shared, address: Address) -> Result<Inbox, HostError> {
    shared.transport.subscribe(&address).await.map_err(|source| {
        let address = match &address {
            Address::Neuron(id) => id.to_string(),
            Address::Controller(id) => id.to_string(),
        };
        HostError::Subscribe { address, source }
    })
}
