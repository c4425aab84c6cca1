//! A host: runs neurons of a network, each as an actor, on a thread of its own.

use std::sync::{Arc, atomic::AtomicU32};

use tokio::sync::mpsc;

use super::{
    HostBuilder,
    membership::{self, Membership},
    thread::{Thread, ThreadCommand},
};
use crate::actor::{Controller, HostCounters, HostError, counters::Counts, scheduler::RunningSet};
use crate::{
    Network,
    network::{NetworkSettings, NeuronSpec},
    store::Store,
    tag::Tag,
    transport::Transport,
};

/// Runs the neurons of a network, or a part of them.
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
    membership: Arc<Membership>,
    thread: Thread,
}

impl Host {
    /// Starts all neurons of a network, and waits until each has had its first evaluation. For anything else there is
    /// [`Host::builder`]; what is said [there](HostBuilder::start) holds here.
    ///
    /// # Errors
    /// When there is no thread, or when an inbox cannot be opened.
    pub async fn start(network: Network, transport: Arc<dyn Transport>) -> Result<Self, HostError> {
        Self::builder(network, transport).start().await
    }

    /// A host that is to run a part of a network, or to have a store.
    pub fn builder(network: Network, transport: Arc<dyn Transport>) -> HostBuilder {
        HostBuilder::new(network, transport)
    }

    pub(in crate::actor) fn new(
        controller: Controller,
        counters: Arc<Counts>,
        register: RunningSet,
        store: Option<Arc<dyn Store>>,
        settings: NetworkSettings,
        commands: mpsc::UnboundedSender<ThreadCommand>,
        thread: Thread,
    ) -> Self {
        let departed = AtomicU32::new(0);
        let membership = Arc::new(Membership { settings, register, store, commands, departed });
        Self { controller, counters, membership, thread }
    }

    /// Steers the network.
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// What the host has counted.
    pub fn counters(&self) -> HostCounters {
        self.counters.read()
    }

    /// Takes another neuron into the network while it runs. It runs here, whatever `host` says, and its life begins now: of
    /// the time before, nothing is known of it. Once this is done, the controller and its clones know it, and can connect
    /// others to it. Controllers of other hosts do not know it: if one of them adds another neuron of the same name, that
    /// takes its place on the transport.
    ///
    /// With a store it comes back after a crash. The network file is left as it is.
    ///
    /// # Errors
    /// [`HostError::Network`] for everything that a network file with it would be refused for: a name that is taken or is
    /// none, a source that does not exist, a number that is not finite, a loop without a delay. Also when its inbox cannot be
    /// opened, or it cannot be saved. Then it does not run.
    ///
    /// ```
    /// # use neuron_core::{actor::Host, network::{NeuronSpec, Synapse}};
    /// /// Adds a neuron that fires when z does not.
    /// async fn add_its_opposite(host: &Host) -> Result<(), Box<dyn std::error::Error>> {
    ///     let weights = [("z".parse()?, Synapse { weight: -1.0, delay: None })].into();
    ///     let spec = NeuronSpec { threshold: Some(-0.5), weights, ..NeuronSpec::default() };
    ///     Ok(host.add("not_z", spec).await?)
    /// }
    /// ```
    pub async fn add(&self, name: &str, spec: NeuronSpec) -> Result<(), HostError> {
        let (membership, controller, name) = (self.membership.clone(), self.controller.clone(), name.to_owned());
        let adding = async move { membership::add(&membership, &controller, &name, spec).await };
        self.controller.run_to_completion(adding).await.unwrap_or(Err(HostError::Stopped))
    }

    /// Lets a neuron go, for good. All its subscribers are disconnected from it at one tag, and forget its weight; it ends
    /// once they need it no longer, and with it its watches, and what the store has of it. From then on its name is unknown
    /// to the controller and its clones, and can be given again. Returns the tag.
    ///
    /// The network file is left as it is: if it still has the neuron, the next host will start it as a new one.
    ///
    /// # Errors
    /// When the name is unknown, or the neuron runs on another host; or when a subscriber could not be disconnected, as with
    /// [`Changes::apply`](crate::actor::Changes::apply): then the neuron stays. [`HostError::Forget`] if it has left, but is still in
    /// the store.
    pub async fn remove(&self, name: &str) -> Result<Tag, HostError> {
        let (membership, controller, name) = (self.membership.clone(), self.controller.clone(), name.to_owned());
        let removing = async move { membership::remove(&membership, &controller, &name).await };
        self.controller.run_to_completion(removing).await.unwrap_or(Err(HostError::Stopped))
    }

    /// Stops all neurons and waits until they have. Controllers get [`ControlError::Stopped`] from then on, watches end.
    ///
    /// [`ControlError::Stopped`]: crate::actor::ControlError::Stopped
    pub async fn stop(mut self) {
        self.thread.stop().await;
    }
}

impl Drop for Host {
    /// Stops the neurons and waits for their thread.
    fn drop(&mut self) {
        self.controller.close();
    }
}
