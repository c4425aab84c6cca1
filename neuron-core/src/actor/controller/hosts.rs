//! The hosts of a network.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, stream};

use super::Controller;
use crate::{
    actor::error::ControlError,
    command::{Answer, Command},
    hosts::{HostInfo, HostState},
    id::{HostId, NeuronId},
};

/// The version of this library, which hosts tell.
pub(in crate::actor) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long a neuron may take to say where it runs.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How many neurons are asked at a time.
const ASKED_AT_ONCE: usize = 256;

/// The hosts of a network, as a controller sees them. Made by [`Controller::hosts`].
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Hosts {
    /// The hosts, ordered by name; the controller's own host is among them.
    pub hosts: Vec<HostInfo>,
    /// The neurons that did not say within a second where they run, and of which nothing is known;
    /// ordered by name.
    pub unreachable: Vec<NeuronId>,
}

impl Controller {
    /// Lists the hosts of the network with their neurons: asks each neuron where it runs, and adds
    /// what the controller's own host knows of hosts that do not answer.
    ///
    /// Whether a host lives is known within a few seconds for hosts that neurons of this one listen
    /// to; of others it is known whether their neurons answer now. Takes a second if any neuron
    /// does not answer.
    ///
    /// ```
    /// # use neuron_core::actor::{ControlError, Controller};
    /// async fn print_hosts(controller: &Controller) -> Result<(), ControlError> {
    ///     let hosts = controller.hosts().await?;
    ///     for host in hosts.hosts {
    ///         println!("{}: {:?}, {} neurons", host.id, host.state, host.neurons.len());
    ///     }
    ///     println!("not reached: {:?}", hosts.unreachable);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ControlError::Stopped`] or [`ControlError::GaveWay`].
    pub async fn hosts(&self) -> Result<Hosts, ControlError> {
        let client = self.client();
        if client.is_stopped() {
            return Err(client.why_stopped());
        }
        let (own, known) = client.known_hosts();
        let mut hosts: BTreeMap<HostId, HostInfo> = known.into_iter().map(|host| (host.id.clone(), host)).collect();
        let asked: Vec<NeuronId> = {
            let topology = client.topology();
            topology.neurons().filter(|neuron| own.neurons.binary_search(neuron).is_err()).cloned().collect()
        };
        hosts.insert(own.id.clone(), own);
        let asking = stream::iter(asked).map(|neuron| async move {
            let answer = client.request(&neuron, Command::Host, ANSWER_TIME).await;
            (neuron, answer)
        });
        let mut asking = asking.buffer_unordered(ASKED_AT_ONCE);
        let mut unreachable = Vec::new();
        while let Some((neuron, answer)) = asking.next().await {
            match answer {
                Ok(Answer::Host { host, version, .. }) => {
                    // It may have moved.
                    hosts.values_mut().for_each(|host| host.neurons.retain(|known| *known != neuron));
                    let new = || HostInfo {
                        id: host.clone(),
                        state: HostState::Up,
                        neurons: Vec::new(),
                        version: None,
                        round_trip: None,
                    };
                    let info = hosts.entry(host.clone()).or_insert_with(new);
                    info.state = HostState::Up;
                    info.version = Some(version);
                    info.neurons.push(neuron);
                }
                Err(error @ (ControlError::Stopped | ControlError::GaveWay { .. })) => return Err(error),
                _ if hosts.values().any(|host| host.neurons.contains(&neuron)) => {}
                _ => unreachable.push(neuron),
            }
        }
        for host in hosts.values_mut() {
            host.neurons.sort_unstable();
            host.neurons.dedup();
        }
        unreachable.sort_unstable();
        Ok(Hosts { hosts: hosts.into_values().collect(), unreachable })
    }
}
