//! A host that runs: its controller, its counters, and the neurons that join and leave it.

use std::sync::Arc;

use super::{membership::Membership, thread::HostThread};
use crate::{
    actor::{
        claims::HostEnd,
        controller::Controller,
        counters::{HostCounters, SharedHostCounters},
        error::HostError,
    },
    network::NeuronSpec,
    tag::Tag,
};

/// Runs the neurons of a network, or a part of them, on a thread of its own.
///
/// Dropping it stops the neurons and waits for the thread; inside a runtime, [`stop`](Self::stop)
/// does so without blocking.
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
    counters: Arc<SharedHostCounters>,
    membership: Arc<Membership>,
    thread: HostThread,
    end: Arc<HostEnd>,
}

impl Host {
    pub(super) fn new(
        controller: Controller,
        counters: Arc<SharedHostCounters>,
        membership: Membership,
        thread: HostThread,
        end: Arc<HostEnd>,
    ) -> Self {
        Self { controller, counters, membership: Arc::new(membership), thread, end }
    }

    /// Returns the controller, which steers the network. Clones of it may outlive the host.
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// Returns what the host has counted since it was started.
    pub fn counters(&self) -> HostCounters {
        self.counters.read()
    }

    /// Adds a neuron to the network while it runs, and returns once it is ready. It runs here,
    /// whatever `host` says, and begins now: of the time before, nothing is known of it. From then
    /// on the controller and its clones know it, and can connect others to it. Controllers of other
    /// hosts do not know it.
    ///
    /// With a store it comes back after a crash. The network file is left as it is.
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
    ///
    /// # Errors
    /// [`HostError::Network`] for everything that a network file with it would be refused for: a
    /// name that is taken or is none, a source that does not exist, a number that is not finite, a
    /// loop without a delay. [`HostError::RunsElsewhere`] if another host runs a neuron of this name.
    /// Also when its inbox cannot be opened, or it cannot be saved. Then it
    /// does not run.
    pub async fn add(&self, name: &str, spec: NeuronSpec) -> Result<(), HostError> {
        let membership = self.membership.clone();
        let controller = self.controller.clone();
        let name = name.to_owned();
        let adding = async move { membership.add(&controller, &name, spec).await };
        self.controller.run_to_completion(adding).await.unwrap_or_else(|| Err(self.why_stopped()))
    }

    /// Removes a neuron for good and returns the tag from which on it is disconnected. All its
    /// subscribers are disconnected from it at that tag, and forget its weight; it stops once they
    /// need it no longer, and with it its watches, and what the store has of it. From then on its
    /// name is unknown to the controller and its clones, and can be given again.
    ///
    /// The network file is left as it is: if it still has the neuron, the next host will start it
    /// as a new one.
    ///
    /// # Errors
    /// When the name is unknown, or the neuron runs on another host; or when a subscriber could not
    /// be disconnected, as with [`Changes::apply`](crate::actor::Changes::apply): then the neuron
    /// stays. [`HostError::Forget`] if it has left, but is still in the store.
    pub async fn remove(&self, name: &str) -> Result<Tag, HostError> {
        let membership = self.membership.clone();
        let controller = self.controller.clone();
        let name = name.to_owned();
        let removing = async move { membership.remove(&controller, &name).await };
        self.controller.run_to_completion(removing).await.unwrap_or_else(|| Err(self.why_stopped()))
    }

    /// Waits until the host ends by itself, and returns why. While it runs well, this does not
    /// return.
    ///
    /// A host ends if it turns out that another one runs some of its neurons as well, and goes on
    /// ([`HostError::RunsElsewhere`]): as a rule that is noticed when it [starts], and otherwise as
    /// soon as the two can hear each other. All its neurons fall silent together, its watches end,
    /// and calls of its controller fail with [`ControlError::GaveWay`].
    ///
    /// [starts]: crate::actor::HostBuilder::start
    /// [`ControlError::GaveWay`]: crate::actor::ControlError::GaveWay
    pub async fn ended(&self) -> HostError {
        let rival = self.end.wait().await;
        self.controller.close();
        rival.into()
    }

    /// Stops all neurons and waits until they have stopped. From then on the controller's calls
    /// fail with [`ControlError::Stopped`], and watches end.
    ///
    /// [`ControlError::Stopped`]: crate::actor::ControlError::Stopped
    pub async fn stop(mut self) {
        self.thread.stop().await;
    }

    fn why_stopped(&self) -> HostError {
        self.end.rival().map_or(HostError::Stopped, HostError::from)
    }
}

impl Drop for Host {
    /// Stops the neurons and waits for their thread.
    fn drop(&mut self) {
        self.controller.close();
    }
}
